//! The command line of CATANet on wgpu: what the examples share.

pub mod args;
pub mod train_cli;
