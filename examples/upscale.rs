//! Enlarges image files: `cargo run --example upscale -- photo.jpg --scale 3` (see --help).

use std::process::ExitCode;

use catanet_cli::upscale_cli;
use clap::Parser;

fn main() -> ExitCode {
    upscale_cli::main(&upscale_cli::Cli::parse())
}
