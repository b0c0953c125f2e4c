//! The command line of CATANet on wgpu: what the examples share.

mod advice;
pub mod args;
pub mod eval_cli;
pub mod profile;
mod progress;
pub mod report;
pub mod train_cli;
pub mod upscale_cli;
pub mod weights;
