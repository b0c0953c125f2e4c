//! Scores CATANet on benchmark sets: `cargo run --example eval -- --scale 3` (see --help).

use std::process::ExitCode;

use catanet_cli::{eval_cli, report};
use clap::Parser;

fn main() -> ExitCode {
    report::exit(eval_cli::run(&eval_cli::Cli::parse()))
}
