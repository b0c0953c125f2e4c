//! A network from a file of weights, and back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use nn::checkpoint::{
    Checkpoint, CheckpointError, Precision, Problem, StateDict, parse, read, save_pth,
    save_safetensors,
};
use nn::{Module, load_state_dict, state_dict};
use tensor::Device;

#[cfg(test)]
mod tests;

use crate::config::DIM;
use crate::error::{Error, Result};
use crate::model::CATANet;

/// Short notes that travel with weights (`iterations`, `trained_on`, …). A `.pth` carries none.
pub type Notes = BTreeMap<String, String>;

/// The network whose weights `path` holds, and the notes with them: a PyTorch or safetensors file
/// with the network's arrays in any dictionary and behind any prefix. Others are passed over. The
/// scale is found from the arrays.
///
/// # Errors
/// A file that cannot be read, lacks arrays of CATANet's, or weights of another scale than
/// `wanted`.
pub fn load(device: &Device, path: &Path, wanted: Option<usize>) -> Result<(CATANet, Notes)> {
    load_key(device, path, None, wanted)
}

/// As [`load`], from the dictionary `key` where the file has the network's arrays in one of that name
/// (BasicSR's `params` and `params_ema`), else from any.
///
/// # Errors
/// As [`load`].
pub fn load_key(
    device: &Device,
    path: &Path,
    key: Option<&str>,
    wanted: Option<usize>,
) -> Result<(CATANet, Notes)> {
    let bytes = read(path).map_err(nn::Error::from)?;
    take(device, &bytes, path, key, wanted)
}

/// As [`load`], from the bytes of a file. Errors call it `name`.
///
/// # Errors
/// As [`load`].
pub fn load_bytes(
    device: &Device,
    bytes: &[u8],
    name: &Path,
    wanted: Option<usize>,
) -> Result<(CATANet, Notes)> {
    take(device, bytes, name, None, wanted)
}

fn take(
    device: &Device,
    bytes: &[u8],
    name: &Path,
    key: Option<&str>,
    wanted: Option<usize>,
) -> Result<(CATANet, Notes)> {
    let file = parse(bytes).map_err(|problem| unusable(name, problem))?;
    let mut net = CATANet::new(device, wanted.unwrap_or(2), 0);
    let prefix = match key.and_then(|key| prefix_under(&file, key)) {
        Some(prefix) => prefix,
        None => {
            let found = file.prefix_for(&body(&net));
            found.map_err(|problem| unusable(name, problem))?
        }
    };
    let arrays = |net: &CATANet| {
        let all = names(net).into_iter().chain(upsamplers());
        let all = all.collect::<BTreeSet<_>>();
        let arrays = file.arrays(&prefix, all.iter().map(String::as_str));
        arrays.map_err(|problem| unusable(name, problem))
    };
    let misfit = |source| misfit(name, source);
    let mut state = arrays(&net)?;
    let scale = scale_of(&state).map_err(misfit)?;
    if let Some(wanted) = wanted.filter(|&wanted| wanted != scale) {
        return Err(Error::WrongScale {
            path: name.to_owned(),
            found: scale,
            wanted,
        });
    }
    if scale != net.scale() {
        net = CATANet::new(device, scale, 0);
    }
    let known = names(&net);
    state.arrays.retain(|name, _| known.contains(name));
    load_state_dict(&net, &state, |_| true).map_err(misfit)?;
    Ok((net, state.metadata))
}

/// Gives `net` all weights of `path` but those of the upsampler, which stay: ×3 and ×4 are trained
/// from ×2 so.
///
/// # Errors
/// A file that cannot be read or lacks arrays of CATANet's; `net` is unchanged then.
pub fn load_body(net: &CATANet, path: &Path) -> Result<()> {
    let bytes = read(path).map_err(nn::Error::from)?;
    take_body(net, &bytes, path)
}

/// As [`load_body`], from the bytes of a file.
///
/// # Errors
/// As [`load_body`].
pub fn load_body_bytes(net: &CATANet, bytes: &[u8]) -> Result<()> {
    take_body(net, bytes, Path::new("weights"))
}

fn take_body(net: &CATANet, bytes: &[u8], name: &Path) -> Result<()> {
    let unusable = |problem| unusable(name, problem);
    let file = parse(bytes).map_err(unusable)?;
    let wanted = body(net);
    let prefix = file.prefix_for(&wanted).map_err(unusable)?;
    let state = file.arrays(&prefix, wanted.iter().map(String::as_str));
    let state = state.map_err(unusable)?;
    load_state_dict(net, &state, in_body).map_err(|source| misfit(name, source))
}

/// What stands before the names of CATANet's arrays in the dictionary `key` of a file, if there is one.
fn prefix_under(file: &Checkpoint, key: &str) -> Option<String> {
    let wrapped = ["", "module.", "_orig_mod."].map(|wrapper| format!("{key}.{wrapper}"));
    let holds = |prefix: &&String| file.names(prefix).any(|name| name == "first_conv.weight");
    wrapped.iter().find(holds).cloned()
}

/// Where a file has CATANet's arrays: what stands there before their names. None where it has
/// other arrays, or not all that every CATANet has.
pub fn prefix_in(file: &Checkpoint) -> Option<String> {
    let ends = [
        "first_conv.weight",
        "first_conv.bias",
        "last_conv.weight",
        "last_conv.bias",
    ];
    let prefix = file.prefix_for(&ends.map(str::to_owned)).ok()?;
    let there = file.names(&prefix).collect::<BTreeSet<_>>();
    ends.iter()
        .all(|name| there.contains(name))
        .then_some(prefix)
}

fn unusable(name: &Path, problem: Problem) -> Error {
    let path = name.to_owned();
    nn::Error::from(CheckpointError { path, problem }).into()
}

fn misfit(name: &Path, source: nn::Error) -> Error {
    Error::WrongWeights {
        path: name.to_owned(),
        source,
    }
}

fn names(net: &CATANet) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    net.visit("", &mut |name, _| _ = names.insert(name));
    names
}

/// The names of what every scale has.
fn body(net: &CATANet) -> Vec<String> {
    names(net)
        .into_iter()
        .filter(|name| in_body(name))
        .collect()
}

fn in_body(name: &str) -> bool {
    !name.starts_with("upconv")
}

/// The upsamplers' arrays at all scales, by which these are told apart.
fn upsamplers() -> impl Iterator<Item = String> {
    ["upconv", "upconv1", "upconv2"]
        .into_iter()
        .flat_map(|layer| ["weight", "bias"].map(|part| format!("{layer}.{part}")))
}

/// Whether a file of this name is PyTorch's: it ends in `.pth`, `.pt`, `.ckpt` or `.bin`, in
/// whatever case.
pub fn is_pytorch_name(path: &Path) -> bool {
    let ends = ["pth", "pt", "ckpt", "bin"];
    let extension = path.extension().unwrap_or_default();
    ends.iter().any(|end| extension.eq_ignore_ascii_case(end))
}

/// Writes the weights of `net`, atomically: where `path` is PyTorch's by name, in 32 bits and
/// without notes, else as safetensors.
///
/// # Errors
/// The device failed, or the file cannot be written.
pub fn save(net: &CATANet, path: &Path, precision: Precision, notes: Notes) -> Result<()> {
    let mut state = state_dict(net)?;
    state.metadata = notes;
    let written = match is_pytorch_name(path) {
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
