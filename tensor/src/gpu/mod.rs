//! wgpu in layers, each knowing only those above it in this list:
//!
//! - `adapter`: which one to open
//! - `raw`: the driver's device and queue
//! - `pipeline`: a compiled kernel, and how its buffers are bound
//! - `store`: what was compiled before, on disk
//! - `work`: what is recorded: dispatches, copies, writes
//! - `compiler`: kernels compiled on all cores
//! - `profiler`: where the time goes
//! - `recorder`: work, batch by batch

pub(crate) mod adapter;
pub(crate) mod compiler;
pub(crate) mod pipeline;
pub(crate) mod profiler;
pub(crate) mod raw;
pub(crate) mod recorder;
pub(crate) mod store;
pub(crate) mod work;
