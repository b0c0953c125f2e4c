//! Reverse-mode differentiation, define by run.
//!
//! A [`Var`] is a tensor that may remember how it was made. Compute with the functions of this
//! crate (they have the names of `tensor::ops`), call [`Var::backward`] on the scalar result, and
//! every [`Var::parameter`] it was computed from holds its gradient.
//!
//! # By pencil
//!
//! Take y = (a·b + a)², with a = 3 and b = −2:
//!
//! ```text
//! p = a·b   = −6        the forward pass, one op a line; each op notes its inputs
//! s = p + a = −3
//! y = s·s   =  9
//!
//! dy/dy = 1             the backward pass walks the lines from the last to the first,
//! dy/ds = 2·s = −6      handing each op the gradient of its output; the op hands on those
//! dy/dp = dy/ds·1 = −6  of its inputs, by its own rule
//! dy/da = dy/ds·1 + dy/dp·b = −6 + 12 = 6     a was used twice: its gradients add up
//! dy/db = dy/dp·a = −18
//! ```
//!
//! ```
//! use autograd::{Var, add, mul};
//! use tensor::{Device, Tensor};
//! # fn main() -> Result<(), tensor::Error> {
//! let device = Device::open(None)?;
//! let a = Var::parameter(Tensor::full(&device, 3.0, &[1]));
//! let b = Var::parameter(Tensor::full(&device, -2.0, &[1]));
//! let s = add(&mul(&a, &b), &a);
//! let y = mul(&s, &s);
//! y.backward();
//! assert_eq!(y.item()?, 9.0);
//! assert_eq!(a.grad().expect("a was used").item()?, 6.0);
//! assert_eq!(b.grad().expect("b was used").item()?, -18.0);
//! # Ok(()) }
//! ```
//!
//! `rules.rs` is every derivative on one page, each a few lines with its formula above it. `tape.rs`
//! is how ops are noted and walked back, `recompute.rs` how parts of the forward pass are run again
//! instead of kept, `trace.rs` lists what was noted, to be looked at.

mod recompute;
mod recording;
mod rules;
mod tape;
mod trace;

pub use recompute::{in_parts, once, recompute};
pub use recording::{is_recording, no_grad};
pub use rules::*;
pub use tape::Var;
pub use trace::{TracedOp, trace};
