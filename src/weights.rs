//! Which weights a command takes, and what it says of them.

use std::path::PathBuf;

use anyhow::{Result, bail};
use catanet::CATANet;
use catanet::train::weights_file;
use catanet::weights::{Notes, load_bytes, load_key};
use clap::Args;
use tensor::Device;

use crate::args::experiment;
use crate::terminal::{self, shown};

/// Which network enlarges, and how.
#[derive(Args, Debug, Clone)]
pub struct NetworkArgs {
    /// Weights, .safetensors or PyTorch's [default: those that the program carries]
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Folder of a training run whose weights are taken
    #[arg(long, value_name = "DIR", conflicts_with = "weights")]
    pub run: Option<PathBuf>,
    /// Factor to enlarge by, 1 to 4 [default: that of --weights, else 2]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=4))]
    pub scale: Option<u8>,
    /// Average the outputs for all 8 flips and transposes of an image: better, 8 times slower
    #[arg(short = 'x', long)]
    pub self_ensemble: bool,
    /// Store features as 16-bit floats, in half the memory; weights and arithmetic stay 32-bit
    #[arg(long)]
    pub half: bool,
    /// The dictionary in the file of weights; None: any.
    #[arg(skip)]
    pub key: Option<String>,
}

impl NetworkArgs {
    /// The network, and a line on where its weights come from.
    ///
    /// # Errors
    /// There are no weights for the scale, or they do not load.
    pub fn open(&self, device: &Device) -> Result<(CATANet, String)> {
        let scale = self.scale.map(usize::from);
        let (net, origin, notes) = match self.file() {
            Some(path) => {
                let (net, notes) = load_key(device, &path, self.key.as_deref(), scale)?;
                (net, shown(&path), notes)
            }
            None => open_shipped(device, scale.unwrap_or(2))?,
        };
        let mut net = net;
        if self.half && !net.store_half(true) {
            terminal::err(format_args!(
                "note: {} has no 16-bit floats; --half is ignored",
                device.name()
            ));
        }
        Ok((net, format!("{origin}{}", describe(&notes))))
    }

    /// The file of weights that is named, if one is.
    pub fn file(&self) -> Option<PathBuf> {
        let of_run = || self.run.as_deref().map(weights_file);
        self.weights.clone().or_else(of_run)
    }

    /// A line on a training run in ./experiments that is not what is taken, if there is one.
    pub fn passed_over(&self) -> Option<String> {
        let run = experiment(usize::from(self.scale.unwrap_or(2)));
        let there = self.file().is_none() && weights_file(&run).is_file();
        there.then(|| {
            format!(
                "the training run in {0} is passed over; --run {0} takes it",
                shown(&run)
            )
        })
    }
}

/// The weights that the program carries, as files of safetensors.
const SHIPPED: [(usize, &[u8]); 3] = [
    (2, include_bytes!("../weights/catanet_x2.safetensors")),
    (3, include_bytes!("../weights/catanet_x3.safetensors")),
    (4, include_bytes!("../weights/catanet_x4.safetensors")),
];

/// The weights for `scale` that the program carries.
///
/// # Errors
/// It carries none.
pub fn shipped(scale: usize) -> Result<&'static [u8]> {
    match SHIPPED.iter().find(|(s, _)| *s == scale) {
        Some((_, bytes)) => Ok(bytes),
        None => bail!(
            "the program carries weights for ×2, ×3 and ×4, none for ×{scale}; name a file with --weights"
        ),
    }
}

/// How those weights are called in options.
pub fn shipped_name(scale: usize) -> PathBuf {
    PathBuf::from(format!("shipped_x{scale}"))
}

fn open_shipped(device: &Device, scale: usize) -> Result<(CATANet, String, Notes)> {
    let name = format!("catanet_x{scale} as shipped");
    let (net, notes) = load_bytes(device, shipped(scale)?, name.as_ref(), Some(scale))?;
    Ok((net, name, notes))
}

fn describe(notes: &Notes) -> String {
    let note = |key: &str, before: &str, after: &str| {
        notes
            .get(key)
            .map(|value| format!("{before}{value}{after}"))
    };
    let parts = [
        note("iterations", "", " iterations"),
        note("trained_on", "trained on ", ""),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    match parts.is_empty() {
        true => String::new(),
        false => format!(" ({})", parts.join("; ")),
    }
}
