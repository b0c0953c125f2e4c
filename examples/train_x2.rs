//! Trains CATANet ×2: `cargo run --example train_x2` (see --help).

use std::process::ExitCode;

fn main() -> ExitCode {
    catanet_cli::train_cli::main(2)
}
