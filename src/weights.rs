//! Which weights a command takes, and what it says of them.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use catanet::CATANet;
use catanet::train::weights_file;
use catanet::weights::{Notes, load};
use clap::Args;
use tensor::Device;

use crate::args::experiment;

/// Which network enlarges, and how.
#[derive(Args, Debug, Clone)]
pub struct NetworkArgs {
    /// Weights, .safetensors or .pth [default: those of the last training run in ./experiments, or
    /// those that come with the project where they are newer]
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Factor to enlarge by, 1 to 4 [default: that of --weights, else 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=4))]
    pub scale: Option<u8>,
    /// Average the outputs for all 8 flips and transposes of an image: better, 8 times slower
    #[arg(long)]
    pub self_ensemble: bool,
    /// Store features as 16-bit floats, in half the memory; weights and arithmetic stay 32-bit
    #[arg(long)]
    pub half: bool,
}

impl NetworkArgs {
    /// The network, and a line on where its weights come from.
    ///
    /// # Errors
    /// There are no weights for the scale, or they do not load.
    pub fn open(&self, device: &Device) -> Result<(CATANet, String)> {
        let scale = self.scale.map(usize::from);
        let (path, origin) = match (&self.weights, scale.unwrap_or(2)) {
            (Some(path), _) => (path.clone(), "given by --weights"),
            (None, scale) => choose(scale).with_context(|| {
                format!(
                    "there are no weights for ×{scale}, neither {} nor weights/{}; train some \
                     with `cargo run --example train_x2` (train_x3, train_x4), or name a file \
                     with --weights",
                    weights_file(&experiment(scale)).display(),
                    shipped_name(scale)
                )
            })?,
        };
        // A file given without a scale tells its own.
        let wanted = match self.weights {
            Some(_) => scale,
            None => Some(scale.unwrap_or(2)),
        };
        let (mut net, notes) = load(device, &path, wanted)?;
        if self.half && !net.store_half(true) {
            eprintln!(
                "note: {} has no 16-bit floats; --half is ignored",
                device.name()
            );
        }
        let notes = describe(&notes);
        Ok((net, format!("{} ({origin}{notes})", path.display())))
    }
}

/// The weights for `scale` that are taken where none are named, if there are any.
pub fn default_weights(scale: usize) -> Option<PathBuf> {
    choose(scale).map(|(path, _)| path)
}

fn shipped_name(scale: usize) -> String {
    format!("catanet_x{scale}.safetensors")
}

fn choose(scale: usize) -> Option<(PathBuf, &'static str)> {
    let source_tree = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shipped = [Path::new("weights"), &source_tree.join("weights")]
        .map(|folder| folder.join(shipped_name(scale)))
        .into_iter()
        .find(|path| path.is_file());
    newer(weights_file(&experiment(scale)), shipped)
}

/// A training run's weights, unless those that come with the project were replaced since.
fn newer(trained: PathBuf, shipped: Option<PathBuf>) -> Option<(PathBuf, &'static str)> {
    let written = |path: &Path| -> Option<SystemTime> { path.metadata().ok()?.modified().ok() };
    let trained_at = written(&trained);
    match (trained_at, shipped) {
        (Some(at), Some(shipped)) if written(&shipped) > Some(at) => Some((
            shipped,
            "come with the project, newer than the last training run",
        )),
        (Some(_), _) => Some((trained, "of the last training run")),
        (None, shipped) => Some((shipped?, "come with the project")),
    }
}

fn describe(notes: &Notes) -> String {
    let note = |key: &str, before: &str, after: &str| match notes.get(key) {
        Some(value) => format!("; {before}{value}{after}"),
        None => String::new(),
    };
    note("iterations", "", " iterations") + &note("trained_on", "trained on ", "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::Duration;

    #[test]
    fn a_training_run_goes_before_the_shipped_weights_unless_those_are_newer() {
        let folder = tempfile::tempdir().expect("a folder");
        let [trained, shipped] = ["trained", "shipped"].map(|name| folder.path().join(name));
        let touch = |path: &Path, seconds| {
            let file = fs::File::create(path).expect("a file");
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            file.set_modified(time).expect("a time");
        };
        let chosen = || {
            newer(trained.clone(), Some(shipped.clone()))
                .expect("there is one")
                .0
        };
        touch(&shipped, 1_000);
        assert_eq!(chosen(), shipped, "the only ones");
        touch(&trained, 2_000);
        assert_eq!(chosen(), trained, "the newer ones");
        touch(&shipped, 3_000);
        assert_eq!(chosen(), shipped, "replaced since");
        assert_eq!(newer(folder.path().join("nothing"), None), None);
    }
}
