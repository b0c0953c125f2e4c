//! Trains CATANet ×4: `cargo run --example train_x4` (see --help).

use std::process::ExitCode;

fn main() -> ExitCode {
    catanet_cli::train_cli::main(4)
}
