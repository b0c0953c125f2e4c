//! A network from a file of weights, and back.

use std::collections::BTreeMap;
use std::path::Path;

use nn::checkpoint::{Precision, StateDict, load as read, save_pth, save_safetensors};
use nn::{load_state_dict, state_dict};
use tensor::Device;

use crate::config::DIM;
use crate::error::{Error, Result};
use crate::model::CATANet;

/// Short notes that travel with weights (`iterations`, `trained_on`, …). A `.pth` carries none.
pub type Notes = BTreeMap<String, String>;

/// The network whose weights `path` holds (`.pth` or safetensors), and the notes with them. Its
/// scale is found from the arrays.
///
/// # Errors
/// A file that cannot be read, holds other arrays than CATANet's, or weights of another scale than
/// `wanted`.
pub fn load(device: &Device, path: &Path, wanted: Option<usize>) -> Result<(CATANet, Notes)> {
    let file = read(path).map_err(nn::Error::from)?;
    let misfit = |source| Error::WrongWeights {
        path: path.to_owned(),
        source,
    };
    let scale = scale_of(&file).map_err(misfit)?;
    if let Some(wanted) = wanted.filter(|&wanted| wanted != scale) {
        return Err(Error::WrongScale {
            path: path.to_owned(),
            found: scale,
            wanted,
        });
    }
    let net = CATANet::new(device, scale, 0);
    load_state_dict(&net, &file, |_| true).map_err(misfit)?;
    Ok((net, file.metadata))
}

/// Gives `net` all weights of `path` but those of the upsampler, which stay: ×3 and ×4 are trained
/// from ×2 so.
///
/// # Errors
/// A file that cannot be read or holds other arrays than CATANet's; `net` is unchanged then.
pub fn load_body(net: &CATANet, path: &Path) -> Result<()> {
    let file = read(path).map_err(nn::Error::from)?;
    load_state_dict(net, &file, |name| !name.starts_with("upconv")).map_err(|source| {
        Error::WrongWeights {
            path: path.to_owned(),
            source,
        }
    })
}

/// Writes the weights of `net`, atomically: where `path` ends in `.pth` as PyTorch does, in 32 bits
/// and without notes, else as safetensors.
///
/// # Errors
/// The device failed, or the file cannot be written.
pub fn save(net: &CATANet, path: &Path, precision: Precision, notes: Notes) -> Result<()> {
    let mut state = state_dict(net)?;
    state.metadata = notes;
    let written = match path.extension().is_some_and(|e| e == "pth") {
        true => save_pth(path, &state),
        false => save_safetensors(path, &state, precision),
    };
    Ok(written.map_err(nn::Error::from)?)
}

/// The scale that the upsampler is made for; what else is amiss, `load_state_dict` tells.
fn scale_of(file: &StateDict) -> std::result::Result<usize, nn::Error> {
    if file.arrays.keys().any(|name| name.starts_with("upconv1.")) {
        return Ok(4);
    }
    let Some((name, upconv)) = file.arrays.iter().find(|(n, _)| n.starts_with("upconv.")) else {
        return Ok(1);
    };
    let outputs = upconv.shape.first().copied().unwrap_or(1);
    [2, 3]
        .into_iter()
        .find(|s| DIM * s * s == outputs)
        .ok_or_else(|| {
            let shape = &upconv.shape;
            nn::Error::Mismatch(format!("`{name}` has shape {shape:?}, of no known scale"))
        })
}
