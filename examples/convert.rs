//! Turns weights from one format into another:
//! `cargo run --example convert -- catanet_x4.pth catanet_x4.safetensors [--f16]`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use catanet_cli::report;
use clap::Parser;
use nn::checkpoint::{Precision, load, save_pth, save_safetensors};

/// Turns weights into PyTorch's format (a name that ends in .pth) or safetensors (any other).
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Weights to read, .pth or safetensors
    input: PathBuf,
    /// File to write
    output: PathBuf,
    /// Store 16 bits a number; safetensors only
    #[arg(long)]
    f16: bool,
}

fn main() -> ExitCode {
    report::exit(convert(&Cli::parse()))
}

fn convert(cli: &Cli) -> Result<()> {
    let weights = load(&cli.input)?;
    let pth = cli.output.extension().is_some_and(|e| e == "pth");
    ensure!(
        !(pth && cli.f16),
        "--f16 is for safetensors; leave it out, or name another output"
    );
    match (pth, cli.f16) {
        (true, _) => save_pth(&cli.output, &weights)?,
        (false, true) => save_safetensors(&cli.output, &weights, Precision::F16)?,
        (false, false) => save_safetensors(&cli.output, &weights, Precision::F32)?,
    }
    println!("{}: {} arrays", cli.output.display(), weights.arrays.len());
    Ok(())
}
