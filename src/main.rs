//! The program `catanet`.

use std::process::ExitCode;

fn main() -> ExitCode {
    catanet_cli::program::main()
}
