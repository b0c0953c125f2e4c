//! Writing PyTorch's `.pth`, which `torch.load` reads with `weights_only=True`.

use std::io::{Cursor, Write};
use std::path::Path;

use zip::result::ZipResult;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::view::strides;
use super::{
    CheckpointError, Data, Problem, StateDict, assert_consistent, opcode as op, write_atomically,
};

/// Writes `{'params': OrderedDict}` atomically; the same state gives the same bytes. Metadata is
/// not written: the format has no place for it.
///
/// # Errors
/// When the system refuses.
///
/// # Panics
/// When an array's length differs from its shape.
#[track_caller]
pub fn save_pth(path: impl AsRef<Path>, state: &StateDict) -> Result<(), CheckpointError> {
    assert_consistent(state);
    let path = path.as_ref();
    to_bytes(state)
        .map_err(std::io::Error::from)
        .and_then(|bytes| write_atomically(path, &bytes))
        .map_err(|error| Problem::Unwritable(error).at(path))
}

pub(super) fn to_bytes(state: &StateDict) -> ZipResult<Vec<u8>> {
    let storages = state.arrays.values().map(|array| match &array.data {
        Data::F32(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Data::I64(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Data::Bool(v) => v.iter().map(|&b| b.into()).collect(),
    });
    archive(&pickle(state), storages)
}

/// The zip around a pickle and the storages of keys 0, 1, ….
pub(super) fn archive(
    pickle: &[u8],
    storages: impl IntoIterator<Item = Vec<u8>>,
) -> ZipResult<Vec<u8>> {
    // torch maps storages into memory where they lie, so it wants them aligned; a fixed time keeps
    // the bytes the same from run to run.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .with_alignment(64);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut add = |name: &str, bytes: &[u8]| -> ZipResult<()> {
        let zip64 = bytes.len() >= u32::MAX as usize;
        zip.start_file(format!("archive/{name}"), options.large_file(zip64))?;
        Ok(zip.write_all(bytes)?)
    };
    add("data.pkl", pickle)?;
    add("byteorder", b"little")?;
    for (key, bytes) in storages.into_iter().enumerate() {
        add(&format!("data/{key}"), &bytes)?;
    }
    add("version", b"3\n")?;
    Ok(zip.finish()?.into_inner())
}

fn pickle(state: &StateDict) -> Vec<u8> {
    let mut out = Pickle::new();
    out.0.push(op::EMPTY_DICT);
    out.text("params");
    out.empty_ordered_dict();
    out.0.push(op::MARK);
    for (key, (name, array)) in state.arrays.iter().enumerate() {
        let kind = match array.data {
            Data::F32(_) => "FloatStorage",
            Data::Bool(_) => "BoolStorage",
            Data::I64(_) => "LongStorage",
        };
        let (shape, count) = (&array.shape, array.data.len());
        out.text(name);
        out.tensor((kind, &key.to_string(), count), 0, shape, &strides(shape));
    }
    out.0.extend([op::SETITEMS, op::SETITEM, op::STOP]);
    out.0
}

/// A pickle of protocol 2, without a memo: what occurs twice is written twice.
pub(super) struct Pickle(pub Vec<u8>);

impl Pickle {
    pub fn new() -> Self {
        Pickle(vec![op::PROTO, 2])
    }

    /// A view of the storage (type, key, elements).
    pub fn tensor(
        &mut self,
        (kind, key, count): (&str, &str, usize),
        offset: usize,
        shape: &[usize],
        strides: &[usize],
    ) {
        self.global("torch._utils", "_rebuild_tensor_v2");
        self.0.extend([op::MARK, op::MARK]);
        self.text("storage");
        self.global("torch", kind);
        self.text(key);
        self.text("cpu");
        self.int(count);
        self.0.extend([op::TUPLE, op::BINPERSID]);
        self.int(offset);
        self.ints(shape);
        self.ints(strides);
        self.0.push(op::NEWFALSE); // requires_grad
        self.empty_ordered_dict(); // hooks
        self.0.extend([op::TUPLE, op::REDUCE]);
    }

    pub fn text(&mut self, text: &str) {
        self.0.push(op::BINUNICODE);
        self.0.extend((text.len() as u32).to_le_bytes());
        self.0.extend(text.as_bytes());
    }

    pub fn global(&mut self, module: &str, name: &str) {
        self.0.push(op::GLOBAL);
        self.0.extend(format!("{module}\n{name}\n").as_bytes());
    }

    pub fn empty_ordered_dict(&mut self) {
        self.global("collections", "OrderedDict");
        self.0.extend([op::EMPTY_TUPLE, op::REDUCE]);
    }

    fn int(&mut self, n: usize) {
        if let Ok(n) = i32::try_from(n) {
            self.0.push(op::BININT);
            self.0.extend(n.to_le_bytes());
        } else {
            self.0.extend([op::LONG1, 8]);
            self.0.extend((n as u64).to_le_bytes()); // fewer than 2⁶³, so the sign is clear
        }
    }

    fn ints(&mut self, numbers: &[usize]) {
        self.0.push(op::MARK);
        for &n in numbers {
            self.int(n);
        }
        self.0.push(op::TUPLE);
    }
}
