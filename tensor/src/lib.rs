//! Tensors on WGSL: the [`Device`], its pooled buffers, and every op as a plain function,
//! forward and backward. This crate knows nothing of gradients; `autograd` builds on it.
//!
//! A [`Tensor`] is a shape and a buffer: contiguous, row-major, channels last
//! (`[B, H, W, C]`, or `[B, N, C]` for tokens; the reshape between the two is free).
//! Ops are recorded and submitted in batches; [`Tensor::to_vec`] is the only wait for a result.
//!
//! ```no_run
//! use tensor::{Device, Tensor, ops};
//! # fn main() -> Result<(), tensor::Error> {
//! let device = Device::open(None)?;
//! let x = Tensor::new(&device, &[1.0, -2.0, 3.0], &[3]);
//! let y = ops::add(&x, &ops::gelu(&x)); // recorded, not yet run
//! println!("{:?}", y.to_vec()?); // runs both kernels and waits
//! # Ok(()) }
//! ```
//!
//! **Errors.** Wrong shapes are programming errors and panic at the caller's line. What the
//! environment does wrong is an [`Error`]. One that happens while work is recorded (out of
//! memory, a tensor larger than the adapter can bind) travels with the data, as a NaN would:
//! every tensor computed from the failed one fails too, and `to_vec` returns the first cause.

mod buffer;
mod device;
mod error;
mod filled;
mod gpu;
mod kernel;
mod kernels_of;
mod lists;
pub mod ops;
mod pool;
mod settings;
mod stats;
mod tensor;

pub use device::Device;
pub use error::{Error, Result};
pub use gpu::adapter::{AdapterSummary, list_adapters};
pub use gpu::profiler::{Clock, Event, KernelTime, Profile};
pub use kernel::uses::{KernelUse, LaunchUse};
pub use kernel::wgsl::kernel_source;
pub use settings::{Kernels, Overrides};
pub use stats::Stats;
pub use tensor::{Element, Tensor};
