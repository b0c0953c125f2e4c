//! Turns weights from one format into another:
//! `cargo run --example convert -- catanet_x4.pth catanet_x4.safetensors [--f16]`.

use std::process::ExitCode;

use catanet_cli::{convert_cli, report};
use clap::Parser;

fn main() -> ExitCode {
    report::exit(convert_cli::run(&convert_cli::Cli::parse()))
}
