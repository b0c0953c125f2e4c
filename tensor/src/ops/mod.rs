//! Every op of the network as a plain function, forward and backward.
//!
//! An op checks its shapes, dispatches one kernel file of `shaders/` (or a few), and returns a new
//! tensor. `x_backward` takes the gradient of the loss by `x`'s output, `dy`, and returns that by
//! its inputs. All sums run in a fixed order, without atomics: the same input, the same bits.

mod elementwise;

pub use elementwise::*;
