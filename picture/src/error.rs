//! What can be wrong with a file, and what a format cannot hold. Each is a clause, without the file's
//! name, to stand behind "cannot read NAME: ".

use crate::format::Format;

/// Why no picture came out of some bytes.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No known format, or one that is named but not read.
    #[error("{0}")]
    Unknown(String),
    /// A file that is damaged or cut off. `salvageable`: with [`salvage`](crate::ReadOptions::salvage)
    /// some of it can be had.
    #[error("the {format} file is damaged: {what}")]
    Damaged {
        /// What it is.
        format: Format,
        /// What is wrong with it.
        what: String,
        /// Whether some of it can be had.
        salvageable: bool,
    },
    /// A header that claims more pixels than are allowed.
    #[error(
        "its header claims {width}×{height} pixels, {bytes} bytes decoded, and at most {limit} are read"
    )]
    TooLarge {
        /// Pixels across.
        width: u64,
        /// Pixels down.
        height: u64,
        /// What they would take.
        bytes: u64,
        /// What is allowed.
        limit: u64,
    },
}

/// Why a picture was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A format that is read only.
    #[error("{0} is not written")]
    NotWritten(Format),
    /// More pixels than the format counts.
    #[error("{format} holds at most {limit} pixels a side, and the picture has {width}×{height}")]
    TooLarge {
        /// The format.
        format: Format,
        /// Its limit.
        limit: usize,
        /// Pixels across.
        width: usize,
        /// Pixels down.
        height: usize,
    },
    /// What an encoder said.
    #[error("cannot be written as {format}: {what}")]
    Encoder {
        /// The format.
        format: Format,
        /// What it said.
        what: String,
    },
}
