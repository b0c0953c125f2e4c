//! wgpu in layers, each knowing only those above it in this list.

pub(crate) mod adapter; // which one
pub(crate) mod compiler; // kernels compiled on all cores
pub(crate) mod pipeline; // a compiled kernel, and how its buffers are bound
pub(crate) mod profiler; // where the time goes
pub(crate) mod raw; // the driver's device and queue
pub(crate) mod recorder;
pub(crate) mod store; // what was compiled before, on disk
pub(crate) mod work; // what is recorded: dispatches, copies, writes // work, batch by batch
