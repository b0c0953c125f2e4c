//! Trains CATANet ×3: `cargo run --example train_x3` (see --help).

fn main() -> anyhow::Result<()> {
    catanet_cli::train_cli::main(3)
}
