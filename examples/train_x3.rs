//! Trains CATANet ×3: `cargo run --example train_x3` (see --help).

use std::process::ExitCode;

fn main() -> ExitCode {
    catanet_cli::train_cli::main(3)
}
