//! Every op of the network as a plain function, forward and backward.
//!
//! An op checks its shapes, dispatches one kernel file of `shaders/` (or a few), and returns a new
//! tensor. `x_backward` takes the gradient of the loss by `x`'s output, `dy`, and returns that by
//! its inputs. All sums run in a fixed order, without atomics: the same input, the same bits.

mod adam;
mod attention;
mod centres;
mod conv3x3;
mod depthwise;
mod elementwise;
mod gather;
mod image;
mod layer_norm;
mod linear;
mod parts;
mod rearrange;
mod reduce;
mod rows;
mod unit;

pub use adam::*;
pub use attention::*;
pub use centres::*;
pub use conv3x3::*;
pub use depthwise::*;
pub use elementwise::*;
pub use gather::*;
pub use image::*;
pub use layer_norm::*;
pub use linear::*;
pub use parts::*;
pub use reduce::*;
pub use rows::*;
pub use unit::*;
