//! Every tile of every tuned kernel, for every class of device: the one table to tune.
//!
//! A tile is what one invocation, or a team of them, makes. Each function is the row of one kernel and
//! gives None where its plain form is to run: everywhere in plain mode, and for sizes that the tuned
//! form does not take; those of kernels for GPUs alone, everywhere else. The last arm of each `match` is the
//! safe row: what nobody has measured takes it. Beside a row stands what it was chosen by: times of a
//! software driver on two cores, or what a GPU's own compiler says of one invocation: registers, and the
//! waves that fit at once, of 16, on RDNA 3. No GPU has run them; `docs/performance.md` has the figures of
//! other GPUs, and what was tried.

mod attention;
mod centres;
mod images;
mod norms;
mod products;
mod vectors;

pub(crate) use attention::*;
pub(crate) use centres::*;
pub(crate) use images::*;
pub(crate) use norms::*;
pub(crate) use products::*;
pub(crate) use vectors::{gather_part, vec_width};
