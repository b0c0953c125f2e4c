//! Options that several examples take, with the same names everywhere.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use tensor::Device;

use crate::profile::profiled;

/// Which adapter computes, and whether its time is accounted for.
#[derive(Args, Debug, Clone)]
pub struct AdapterArgs {
    /// Adapter to compute on, by number or part of its name [default: the best there is]
    #[arg(long, value_name = "NAME", env = "CATANET_ADAPTER")]
    pub adapter: Option<String>,
    /// List the adapters of this machine and stop
    #[arg(long)]
    pub list_adapters: bool,
    /// Tell at the end where the adapter's time went, kernel by kernel; with a name, write every
    /// dispatch into that file too (JSON, for ui.perfetto.dev or chrome://tracing)
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    pub profile: Option<Option<PathBuf>>,
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

    /// Runs `f`, which computes on `device`, with the profile that is asked for, if one is.
    ///
    /// # Errors
    /// Those of [`profiled`].
    pub fn profiled<T>(&self, device: &Device, f: impl FnOnce() -> Result<T>) -> Result<T> {
        profiled(device, self.profile.as_ref(), f)
    }
}

/// The default output folder of a scale, with BasicSR's names inside.
pub fn experiment(scale: usize) -> PathBuf {
    PathBuf::from(format!("experiments/train_catanet_x{scale}"))
}
