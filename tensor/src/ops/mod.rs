//! Every op of the network as a plain function, forward and backward.
//!
//! An op checks its shapes, dispatches one kernel file of `shaders/` (or a few), and returns a new
//! tensor. `x_backward` takes the gradient of the loss by `x`'s output, `dy`, and returns that by
//! its inputs. All sums run in a fixed order, without atomics: the same input, the same bits.

mod adam;
mod centres;
mod elementwise;
mod layer_norm;
mod linear;
mod reduce;
mod rows;
mod unit;

pub use adam::*;
pub use centres::*;
pub use elementwise::*;
pub use layer_norm::*;
pub use linear::*;
pub use reduce::*;
pub use rows::*;
pub use unit::*;
