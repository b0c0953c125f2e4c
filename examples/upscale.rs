//! Enlarges image files: `cargo run --example upscale -- photo.jpg --scale 3` (see --help).

use std::process::ExitCode;

use catanet_cli::{report, upscale_cli};
use clap::Parser;

fn main() -> ExitCode {
    report::exit(upscale_cli::run(&upscale_cli::Cli::parse()))
}
