//! safetensors: an 8-byte length, a JSON header of names, types, shapes and offsets, then the raw
//! arrays.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use ::safetensors::Dtype;
use ::safetensors::tensor::{Metadata, View, serialize};
use half::f16;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::contents::{Checkpoint, Names, Storages};
use super::view::{Element, Storage, TensorView, strides};
use super::{
    Array, CheckpointError, Data, Problem, StateDict, assert_consistent, element_count,
    write_atomically,
};

const LENGTH: usize = size_of::<u64>();
const METADATA: &str = "__metadata__";

/// How [`save_safetensors`] stores floats. Bools and integers keep their type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Bit-exact.
    F32,
    /// Half the size; rounded to nearest, ties to even.
    F16,
}

/// Writes `state` atomically, metadata included; the same state gives the same bytes.
///
/// # Errors
/// When the system refuses, or a finite float is too large for f16.
///
/// # Panics
/// When an array's length differs from its shape.
#[track_caller]
pub fn save_safetensors(
    path: impl AsRef<Path>,
    state: &StateDict,
    precision: Precision,
) -> Result<(), CheckpointError> {
    assert_consistent(state);
    let path = path.as_ref();
    to_bytes(state, precision)
        .and_then(|bytes| write_atomically(path, &bytes).map_err(Problem::Unwritable))
        .map_err(|problem| problem.at(path))
}

pub(super) fn to_bytes(state: &StateDict, precision: Precision) -> Result<Vec<u8>, Problem> {
    let mut encoded = Vec::with_capacity(state.arrays.len());
    for (name, array) in &state.arrays {
        if name == METADATA {
            return Err(Problem::unsupported(format!(
                "safetensors keeps the name `{METADATA}` to itself; rename that array"
            )));
        }
        encoded.push((name, encode(name, array, precision)?));
    }
    let plain = serialize(encoded, None).map_err(unwritable)?;
    if state.metadata.is_empty() {
        return Ok(plain);
    }
    // The crate keeps metadata in a hash map, whose order changes from run to run: put it into the
    // header here, sorted.
    let (header, data) = split(&plain)?;
    let mut header: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(header).map_err(unwritable)?;
    header.insert(METADATA.into(), serde_json::json!(state.metadata));
    let mut header = serde_json::to_vec(&header).map_err(unwritable)?;
    header.resize(header.len().next_multiple_of(LENGTH), b' '); // keeps the arrays aligned
    Ok([&(header.len() as u64).to_le_bytes(), &header[..], data].concat())
}

fn unwritable(error: impl std::fmt::Display) -> Problem {
    Problem::unsupported(format!("safetensors cannot express these arrays: {error}"))
}

/// An array in the form in which it is stored.
struct Encoded<'a> {
    dtype: Dtype,
    shape: &'a [usize],
    bytes: Vec<u8>,
}

impl View for Encoded<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

fn encode<'a>(name: &str, array: &'a Array, precision: Precision) -> Result<Encoded<'a>, Problem> {
    let (dtype, bytes) = match (&array.data, precision) {
        (Data::F32(v), Precision::F32) => {
            (Dtype::F32, v.iter().flat_map(|x| x.to_le_bytes()).collect())
        }
        (Data::F32(v), Precision::F16) => {
            // Turned into an infinity, one weight would silently spoil the whole network.
            if let Some(x) = v
                .iter()
                .find(|x| x.is_finite() && f16::from_f32(**x).is_infinite())
            {
                return Err(Problem::unsupported(format!(
                    "`{name}` holds {x}, beyond the largest f16, 65504; save it with 32-bit floats"
                )));
            }
            let halves = v.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes());
            (Dtype::F16, halves.collect())
        }
        (Data::Bool(v), _) => (Dtype::BOOL, v.iter().map(|&b| b.into()).collect()),
        (Data::I64(v), _) => (Dtype::I64, v.iter().flat_map(|x| x.to_le_bytes()).collect()),
    };
    Ok(Encoded {
        dtype,
        shape: &array.shape,
        bytes,
    })
}

/// The JSON header and the arrays' bytes.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), Problem> {
    bytes
        .split_first_chunk::<LENGTH>()
        .and_then(|(length, rest)| {
            let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
            rest.split_at_checked(length)
        })
        .ok_or_else(|| Problem::damaged("its header is cut off"))
}

pub(super) fn read(bytes: &[u8]) -> Result<Checkpoint<'_>, Problem> {
    let (header, data) = split(bytes)?;
    let contradicts = |error| Problem::damaged(format!("its header contradicts itself: {error}"));
    let Keys(count) = serde_json::from_slice(header).map_err(contradicts)?;
    // `Metadata` checks that the arrays follow each other without gap or overlap and fit their
    // shapes. `SafeTensors` would add up the file's length without a check for overflow, so that is
    // compared here.
    let header: Metadata = serde_json::from_slice(header).map_err(contradicts)?;
    if header.data_len() != data.len() {
        return Err(Problem::damaged(format!(
            "its header speaks of {} bytes of arrays, {} are there",
            header.data_len(),
            data.len()
        )));
    }
    // Of two arrays of one name it keeps the last.
    let known = header.tensors().len() + usize::from(header.metadata().is_some());
    if count > known {
        return Err(Problem::damaged("its header has a name twice"));
    }
    let mut names = Names::default();
    let mut storages = HashMap::new();
    for (name, info) in header.tensors() {
        let (start, end) = info.data_offsets;
        let (count, bytes) = element_count(&info.shape)
            .zip(data.get(start..end))
            .ok_or_else(|| {
                let (shape, length) = (&info.shape, end - start);
                Problem::damaged(format!(
                    "its header gives `{name}` the shape {shape:?} in {length} bytes"
                ))
            })?;
        storages.insert(name.clone(), bytes);
        let view = TensorView {
            storage: Storage {
                element: Element::Known(info.dtype),
                key: name.clone().into(),
                count,
            },
            offset: 0,
            strides: strides(&info.shape),
            shape: info.shape.clone(),
        };
        names.add(name, 0, Ok(view))?;
    }
    Ok(Checkpoint {
        names,
        storages: Storages::Slices(storages),
        metadata: header
            .metadata()
            .clone()
            .unwrap_or_default()
            .into_iter()
            .collect(),
        length: bytes.len(),
    })
}

/// How many keys an object of JSON has, repeated ones counted anew.
struct Keys(usize);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Keys(0))
    }
}

impl<'de> Visitor<'de> for Keys {
    type Value = Keys;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Keys, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            self.0 += 1;
        }
        Ok(self)
    }
}
