//! Pictures in files: any kind in, the same kind out.
//!
//! [`read`] makes a [`Picture`] of a file's bytes, whatever kind it is of; [`write()`] makes bytes of a
//! picture in a [`Format`]. Both are functions of bytes alone: no file is opened here.
//! What a picture is beside its pixels (its colours' description, how it was taken, its resolution)
//! is its [`Metadata`] and goes along. What is lost on the way is never lost in silence: it comes as notes.

mod error;
mod format;
mod metadata;
mod picture;
mod read;
mod symmetry;
mod write;

pub use error::{ReadError, WriteError};
pub use format::Format;
pub use metadata::{Metadata, Resolution, Unit};
pub use picture::{Channels, Picture, Samples};
pub use read::{ReadOptions, Reading, dimensions, read};
pub use symmetry::Symmetry;
pub use write::{WriteOptions, Written, write};
