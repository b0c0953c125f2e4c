//! Reading PyTorch's `.pth`: an uncompressed zip of a pickle, which describes the tensors, and one
//! raw storage per entry `data/{key}`.

use std::collections::HashMap;
use std::io::{Cursor, Read};

use zip::{CompressionMethod, ZipArchive};

use super::value::TensorView;
use super::{Array, Problem, StateDict, decode, element_count, pickle};

type Zip<'a> = ZipArchive<Cursor<&'a [u8]>>;

pub(super) fn read(bytes: &[u8]) -> Result<StateDict, Problem> {
    let mut zip = open(bytes)?;
    let root = root(&zip)?;
    if let Some(order) = entry(&mut zip, &format!("{root}byteorder"))?
        && order != b"little"
    {
        return Err(Problem::unsupported(
            "its numbers are big-endian; save it anew on a little-endian machine",
        ));
    }
    let program = required(&mut zip, &format!("{root}data.pkl"))?;
    let tensors = pickle::tensors(&program)?;

    // Views may share a storage, or repeat an element by a stride of zero; without a bound on the
    // elements of all of them together, a short file could ask for any amount of memory.
    let mut room = bytes.len();
    let mut storages = HashMap::new();
    let mut state = StateDict::default();
    for (name, view) in tensors {
        let count = element_count(&view.shape);
        room = count
            .and_then(|count| room.checked_sub(count))
            .ok_or_else(|| {
                Problem::unsupported(format!(
                    "by `{name}`, its tensors claim more elements than the file has bytes; \
                     save them anew as contiguous copies"
                ))
            })?;
        let key = view.storage.key;
        if !storages.contains_key(key) {
            storages.insert(key, required(&mut zip, &format!("{root}data/{key}"))?);
        }
        let array = gather(&view, &storages[key])
            .map_err(|what| Problem::damaged(format!("`{name}` {what}")))?;
        let name = name.strip_prefix("module.").unwrap_or(name);
        if state.arrays.insert(name.into(), array).is_some() {
            return Err(Problem::damaged(format!(
                "it holds `{name}` both with and without `module.` before it"
            )));
        }
    }
    Ok(state)
}

fn open(bytes: &[u8]) -> Result<Zip<'_>, Problem> {
    let damaged = |error| Problem::damaged(format!("its zip is not whole ({error})"));
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    if zip.has_duplicate_names() || zip.has_overlapping_entries().map_err(damaged)? {
        return Err(Problem::damaged(
            "its zip holds two entries in one place or of one name",
        ));
    }
    Ok(zip)
}

/// The folder, with its slash, in which torch puts everything.
fn root(zip: &Zip) -> Result<String, Problem> {
    let mut roots = zip
        .file_names()
        .filter_map(|name| Some(name.ok()?.strip_suffix("data.pkl")?.to_owned()))
        .filter(|root| root.is_empty() || root.ends_with('/'));
    match (roots.next(), roots.next()) {
        (Some(root), None) => Ok(root),
        _ => Err(Problem::unsupported(
            "it is a zip, but not one of torch.save, which holds one data.pkl; name a .pth file",
        )),
    }
}

fn required(zip: &mut Zip, name: &str) -> Result<Vec<u8>, Problem> {
    entry(zip, name)?.ok_or_else(|| Problem::damaged(format!("its zip lacks `{name}`")))
}

/// The content of an entry, its checksum verified; `None` when there is no such entry.
fn entry(zip: &mut Zip, name: &str) -> Result<Option<Vec<u8>>, Problem> {
    let damaged = |what: &dyn std::fmt::Display| {
        Problem::damaged(format!("`{name}` in its zip cannot be read ({what})"))
    };
    let Some(index) = zip.index_for_name_raw(name.as_bytes()) else {
        return Ok(None);
    };
    let info = zip.by_index_raw(index).map_err(|e| damaged(&e))?;
    if info.compression() != CompressionMethod::Stored || info.encrypted() {
        return Err(Problem::unsupported(
            "its zip is compressed or encrypted; save it anew with torch.save, which does neither",
        ));
    }
    // Stored as it is, so both are the length of what `open` found to lie in the file.
    let (size, stored) = (info.size(), info.compressed_size());
    if size != stored {
        return Err(damaged(&format!(
            "{size} bytes are claimed, {stored} stored"
        )));
    }
    drop(info);
    let mut content = Vec::new();
    zip.by_index(index)
        .map_err(|e| damaged(&e))?
        .read_to_end(&mut content)
        .map_err(|e| damaged(&e))?;
    if content.len() as u64 != size {
        return Err(damaged(&format!(
            "{size} bytes are claimed, {} are there",
            content.len()
        )));
    }
    Ok(Some(content))
}

/// Copies a strided view out of its storage, row-major. An error completes "`name` …".
fn gather(view: &TensorView, storage: &[u8]) -> Result<Array, String> {
    let TensorView {
        storage: described,
        offset,
        shape,
        strides,
    } = view;
    let size = described.dtype.bitsize() / 8;
    if described.count.checked_mul(size) != Some(storage.len()) {
        let (count, dtype, found) = (described.count, described.dtype, storage.len());
        return Err(format!(
            "needs a storage of {count} {dtype}, which has {found} bytes instead"
        ));
    }
    let outside =
        || format!("of shape {shape:?} and strides {strides:?} reaches outside its storage");
    if shape.len() != strides.len() {
        return Err(outside());
    }
    // An axis of one element never steps, so its stride, whatever it claims, says nothing.
    let strides: Vec<_> = shape
        .iter()
        .zip(strides)
        .map(|(&d, &s)| if d == 1 { 0 } else { s })
        .collect();
    let count = element_count(shape).ok_or_else(outside)?;
    let mut bytes = Vec::with_capacity(count * size); // `read` bounds the count
    if count > 0 {
        let last = shape
            .iter()
            .zip(&strides)
            .try_fold(*offset, |at, (&d, &stride)| {
                at.checked_add((d - 1).checked_mul(stride)?)
            });
        if last.is_none_or(|last| last >= described.count) {
            return Err(outside());
        }
        let mut at = *offset;
        let mut index = vec![0; shape.len()];
        for _ in 0..count {
            bytes.extend_from_slice(&storage[at * size..][..size]);
            // An odometer: the last axis turns fastest; one that overflows goes back to zero.
            for axis in (0..shape.len()).rev() {
                at += strides[axis];
                index[axis] += 1;
                if index[axis] < shape[axis] {
                    break;
                }
                at -= index[axis] * strides[axis];
                index[axis] = 0;
            }
        }
    }
    let data = decode(described.dtype, &bytes).ok_or("is of a type that is not read")?;
    Ok(Array {
        shape: shape.clone(),
        data,
    })
}
