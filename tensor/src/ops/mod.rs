//! Every op of the network as a plain function, forward and backward.
//!
//! An op checks its shapes, asks the table of tiles for its tuned kernel's tile, launches that kernel of
//! `shaders/tuned/` or else the plain one of `shaders/plain/`, and returns a new tensor. `x_backward`
//! takes the gradient of the loss by `x`'s output, `dy`, and returns that by its inputs;
//! `x_backward_x` and `x_backward_w` return it by one, where two kernels make them. All sums run in a fixed order, without atomics: the same input, the same bits.

mod adam;
mod attention;
mod centres;
mod check;
mod conv3x3;
mod depthwise5x5;
mod elementwise;
mod gather;
mod image;
mod in_place;
mod layer_norm;
mod linear;
mod losses;
mod parts;
mod reduce;
mod rows;
mod sort;
mod unit;

pub use crate::kernel::packed::attention_packed;
pub use crate::lists::{AttentionLists, RowLists};
pub use adam::*;
pub use attention::*;
pub use centres::*;
pub use conv3x3::*;
pub use depthwise5x5::*;
pub use elementwise::*;
pub use gather::*;
pub use image::*;
pub use in_place::*;
pub use layer_norm::*;
pub use linear::*;
pub use losses::*;
pub use parts::*;
pub use reduce::*;
pub use rows::*;
pub use sort::*;
pub use unit::*;
