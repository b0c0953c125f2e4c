//! The command line of CATANet on wgpu: the program `catanet`, and what it shares with the examples.

mod advice;
pub mod args;
pub mod convert_cli;
pub mod eval_cli;
mod eval_options;
mod explain;
pub mod explain_cli;
mod graph;
pub mod graph_cli;
mod interrupt;
mod memory;
pub mod page;
pub mod prepare_cli;
pub mod profile;
pub mod program;
mod progress;
pub mod report;
pub mod terminal;
pub mod train;
pub mod train_cli;
pub mod upscale;
pub mod upscale_cli;
pub mod weights;
