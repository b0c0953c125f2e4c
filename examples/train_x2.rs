//! Trains CATANet ×2: `cargo run --example train_x2` (see --help).

fn main() -> anyhow::Result<()> {
    catanet_cli::train_cli::main(2)
}
