//! Options that several examples take, with the same names everywhere.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use tensor::Device;

/// Which adapter computes.
#[derive(Args, Debug, Clone)]
pub struct AdapterArgs {
    /// Adapter to compute on, by number or part of its name [default: the best there is]
    #[arg(long, value_name = "NAME", env = "CATANET_ADAPTER")]
    pub adapter: Option<String>,
    /// List the adapters of this machine and stop
    #[arg(long)]
    pub list_adapters: bool,
}

impl AdapterArgs {
    /// Opens the adapter; None where the adapters were to be listed only, which is done then.
    pub fn open(&self) -> Result<Option<Device>> {
        if self.list_adapters {
            let adapters = tensor::list_adapters();
            if adapters.is_empty() {
                return Err(tensor::Error::NoAdapter.into());
            }
            for (i, a) in adapters.iter().enumerate() {
                println!("{i}: {} ({}, {})", a.name, a.kind, a.backend);
            }
            return Ok(None);
        }
        Ok(Some(Device::open(self.adapter.as_deref())?))
    }
}

/// The default output folder of a scale, with BasicSR's names inside.
pub fn experiment(scale: usize) -> PathBuf {
    PathBuf::from(format!("experiments/train_catanet_x{scale}"))
}
