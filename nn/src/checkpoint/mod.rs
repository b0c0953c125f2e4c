//! Named arrays in files: safetensors both ways, PyTorch `.pth` both ways, and PyTorch's format
//! from before version 1.6 read.
//!
//! A checkpoint is untrusted input. Reading one builds arrays and nothing else, checks every
//! offset, length and stride against the bytes that are really there, and runs no code that the
//! file names. Writing is atomic: the bytes go to a temporary file in the same folder, which takes
//! the target's name only once it is whole.
//!
//! ```no_run
//! use nn::checkpoint::{Precision, load, save_safetensors};
//! let weights = load("catanet_x4.pth")?;
//! println!("{:?}", weights.arrays["first_conv.weight"].shape); // [40, 3, 3, 3]
//! save_safetensors("catanet_x4.safetensors", &weights, Precision::F16)?;
//! # Ok::<(), nn::checkpoint::CheckpointError>(())
//! ```

mod archive;
mod atomic;
mod contents;
mod legacy;
mod objects;
mod opcode;
mod pickle;
mod pth_read;
mod pth_write;
mod safetensors;
#[cfg(test)]
mod tests;
mod value;
mod view;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use ::safetensors::Dtype;
use half::{bf16, f16};

pub use atomic::{check_writable, write_atomically};
pub use contents::Checkpoint;
pub use pth_write::save_pth;
pub use safetensors::{Precision, save_safetensors};

/// An array on the host: row-major and contiguous, `data` as long as the product of `shape` (1 for
/// a scalar's `[]`).
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Sizes of the axes, outermost first, in the order of the framework that wrote the file.
    pub shape: Vec<usize>,
    /// The elements.
    pub data: Data,
}

/// The elements of an [`Array`].
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// Every floating type: f16 and bf16 are widened, f64 is narrowed on reading.
    F32(Vec<f32>),
    /// Booleans.
    Bool(Vec<bool>),
    /// Every integer type but the unsigned of 64 bits.
    I64(Vec<i64>),
}

impl Data {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Data::F32(v) => v.len(),
            Data::Bool(v) => v.len(),
            Data::I64(v) => v.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Arrays by parameter name, with whatever short notes travel with them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateDict {
    /// The arrays.
    pub arrays: BTreeMap<String, Array>,
    /// safetensors' `__metadata__` (scale, iteration, seed, …). A `.pth` carries none.
    pub metadata: BTreeMap<String, String>,
}

/// Why a checkpoint could not be read or written: where, what, and what to do, in one line.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` {problem}")]
pub struct CheckpointError {
    /// The file.
    pub path: PathBuf,
    /// What is the matter with it.
    pub problem: Problem,
}

/// What is the matter with a file. The texts name the array where there is one.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The system refused to read it.
    #[error("cannot be read: {0}; check the path and its permissions")]
    Unreadable(io::Error),
    /// The system refused to write it. What stood there before is untouched.
    #[error("cannot be written: {0}; check that the folder exists, may be written to and has room")]
    Unwritable(io::Error),
    /// Its bytes contradict themselves, or end too early.
    #[error("is damaged: {0}; copy or download it again")]
    Damaged(String),
    /// It may be sound, but is of a kind that is not read or written here.
    #[error("cannot be used: {0}")]
    Unsupported(String),
}

impl Problem {
    fn damaged(what: impl AsRef<str>) -> Self {
        Problem::Damaged(printable(what.as_ref()))
    }

    fn unsupported(what: impl AsRef<str>) -> Self {
        Problem::Unsupported(printable(what.as_ref()))
    }

    fn at(self, path: &Path) -> CheckpointError {
        CheckpointError {
            path: path.to_path_buf(),
            problem: self,
        }
    }
}

/// Texts quote names out of the file, which shall not steer a terminal.
fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// Reads the arrays of the largest dictionary in a PyTorch or safetensors file; its content decides
/// which it is, not its name. `module.` and `_orig_mod.`, which PyTorch's wrappers put before all
/// names, are taken off. Weights may be NaN or infinite.
///
/// (For the weights of a certain network among other things, see [`Checkpoint::prefix_for`].)
///
/// # Errors
/// When the file cannot be read, is of neither format, is damaged or contradicts itself, or holds
/// an array of a type that is not read.
pub fn load(path: impl AsRef<Path>) -> Result<StateDict, CheckpointError> {
    let path = path.as_ref();
    let bytes = read(path)?;
    main_arrays(&bytes).map_err(|problem| problem.at(path))
}

fn main_arrays(bytes: &[u8]) -> Result<StateDict, Problem> {
    let checkpoint = parse(bytes)?;
    let prefix = checkpoint.largest()?;
    checkpoint.arrays(&prefix, checkpoint.names(&prefix))
}

/// The bytes of a file that begins as one of weights, for [`parse`]. Another is not read whole: it
/// could be of any length.
///
/// # Errors
/// When the file cannot be read or is of another kind.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<u8>, CheckpointError> {
    let path = path.as_ref();
    let bytes = || {
        let mut file = open(path)?;
        let mut head = Vec::new();
        let length = file.metadata().map_err(Problem::Unreadable)?.len();
        let begin = file.by_ref().take(HEAD).read_to_end(&mut head);
        begin.map_err(Problem::Unreadable)?;
        if let Format::Zip = Format::of(&head, length)? {
            archive::check_end(&mut file, length)?;
        }
        file.rewind().map_err(Problem::Unreadable)?;
        let mut bytes = Vec::new();
        let room = usize::try_from(length).map_err(io::Error::other);
        room.and_then(|room| bytes.try_reserve_exact(room).map_err(io::Error::other))
            .and_then(|()| file.take(length).read_to_end(&mut bytes))
            .map_err(Problem::Unreadable)?;
        Ok(bytes)
    };
    bytes().map_err(|problem: Problem| problem.at(path))
}

fn open(path: &Path) -> Result<File, Problem> {
    // A pipe or a device could go on for ever.
    if !path.metadata().map_err(Problem::Unreadable)?.is_file() {
        return Err(Problem::unsupported(
            "it is not a file; name a file of weights",
        ));
    }
    File::open(path).map_err(Problem::Unreadable)
}

/// What the file of these bytes holds. Nothing in it is run, and the memory used is bounded by its
/// length.
///
/// # Errors
/// When it is of neither format, is damaged or contradicts itself.
pub fn parse(bytes: &[u8]) -> Result<Checkpoint<'_>, Problem> {
    let head = &bytes[..bytes.len().min(HEAD as usize)];
    match Format::of(head, bytes.len() as u64)? {
        Format::Zip => pth_read::read(bytes),
        Format::Legacy => legacy::read(bytes),
        Format::Safetensors => safetensors::read(bytes),
    }
}

/// Bytes that tell what a file is.
const HEAD: u64 = 32;

enum Format {
    Zip,
    Legacy,
    Safetensors,
}

impl Format {
    /// The format of a file of `length` bytes that begins so.
    fn of(head: &[u8], length: u64) -> Result<Self, Problem> {
        if head.is_empty() {
            Err(Problem::damaged("it is empty"))
        } else if head.starts_with(b"PK") {
            Ok(Format::Zip)
        } else if legacy::is_legacy(head) {
            Ok(Format::Legacy)
        } else if let Some((header, [b'{', ..])) = head.split_first_chunk() {
            match u64::from_le_bytes(*header) <= length - 8 {
                true => Ok(Format::Safetensors),
                false => Err(Problem::damaged("its header is cut off")),
            }
        } else if matches!(head, [0x80, 2..=5, ..]) {
            Err(Problem::unsupported(
                "it is a bare pickle; save the weights with torch.save(weights, path)",
            ))
        } else {
            Err(Problem::unsupported(
                "it is neither a PyTorch .pth nor a safetensors file; download the weights \
                 themselves, not the web page or Git LFS pointer that stands for them",
            ))
        }
    }
}

/// Number of elements of a shape; `None` where that, or a stride of an empty array, overflows.
fn element_count(shape: &[usize]) -> Option<usize> {
    let count = shape
        .iter()
        .try_fold(1isize, |n, &d| n.checked_mul(d.max(1).try_into().ok()?))?;
    Some(if shape.contains(&0) {
        0
    } else {
        count as usize
    })
}

/// Turns little-endian `bytes`, a whole number of elements, into [`Data`]; `None` for a type that
/// is not read here.
fn decode(dtype: Dtype, bytes: &[u8]) -> Option<Data> {
    fn each<const N: usize, T>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
        bytes.as_chunks::<N>().0.iter().map(|&b| read(b)).collect()
    }
    Some(match dtype {
        Dtype::F32 => Data::F32(each(bytes, f32::from_le_bytes)),
        Dtype::F16 => Data::F32(each(bytes, |b| f16::from_le_bytes(b).to_f32())),
        Dtype::BF16 => Data::F32(each(bytes, |b| bf16::from_le_bytes(b).to_f32())),
        Dtype::F64 => Data::F32(each(bytes, |b| f64::from_le_bytes(b) as f32)),
        Dtype::BOOL => Data::Bool(each(bytes, |[b]| b != 0)),
        Dtype::I64 => Data::I64(each(bytes, i64::from_le_bytes)),
        Dtype::I32 => Data::I64(each(bytes, |b| i32::from_le_bytes(b).into())),
        Dtype::U8 => Data::I64(each(bytes, |[b]| b.into())),
        Dtype::I8 => Data::I64(each(bytes, |b| i8::from_le_bytes(b).into())),
        Dtype::I16 => Data::I64(each(bytes, |b| i16::from_le_bytes(b).into())),
        Dtype::U16 => Data::I64(each(bytes, |b| u16::from_le_bytes(b).into())),
        Dtype::U32 => Data::I64(each(bytes, |b| u32::from_le_bytes(b).into())),
        _ => return None,
    })
}

/// Panics unless every array is as long as its shape says: such a state was built wrong, not read
/// wrong.
#[track_caller]
fn assert_consistent(state: &StateDict) {
    for (name, array) in &state.arrays {
        assert!(
            element_count(&array.shape) == Some(array.data.len()),
            "checkpoint: `{name}` has shape {:?} but {} elements",
            array.shape,
            array.data.len()
        );
    }
}
