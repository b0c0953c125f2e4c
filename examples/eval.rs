//! Scores CATANet on benchmark sets: `cargo run --example eval -- --scale 3` (see --help).

use std::process::ExitCode;

use catanet_cli::{args, eval_cli, report};
use clap::Parser;

fn main() -> ExitCode {
    let cli = eval_cli::Cli::parse_from(args::command_line());
    report::exit(eval_cli::run(&cli))
}
