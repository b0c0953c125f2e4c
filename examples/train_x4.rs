//! Trains CATANet ×4: `cargo run --example train_x4` (see --help).

fn main() -> anyhow::Result<()> {
    catanet_cli::train_cli::main(4)
}
