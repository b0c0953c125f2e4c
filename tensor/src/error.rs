//! What the environment can do wrong.

/// The result of anything that depends on the environment.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure of the environment: each says what, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No adapter at all was found.
    #[error(
        "no Vulkan, Metal or DX12 adapter found; install a graphics driver, or a software \
         Vulkan driver such as lavapipe (scripts/with-vulkan does so on Linux)"
    )]
    NoAdapter,
    /// Adapters exist, but none has the wanted name.
    #[error(
        "no adapter matches `{wanted}`; there are: {available}. Choose one by a part of its name \
         or by its number, or give none for the best"
    )]
    UnknownAdapter {
        /// What was asked for.
        wanted: String,
        /// What there is.
        available: String,
    },
    /// An environment variable says what there is not.
    #[error("the environment variable {name} is `{value}`; it may be {wanted}")]
    Setting {
        /// The variable.
        name: String,
        /// What it is.
        value: String,
        /// What it may be.
        wanted: &'static str,
    },
    /// The adapter was found but would not open.
    #[error(
        "adapter `{adapter}` could not be opened: {reason}. Choose another, or update its driver"
    )]
    Open {
        /// Its name.
        adapter: String,
        /// The driver's words.
        reason: String,
    },
    /// A tensor is larger than the adapter lets a kernel bind.
    #[error(
        "a tensor of shape {shape:?} takes {bytes} bytes, and adapter `{adapter}` binds at most \
         {limit}; use a smaller image, crop or batch, or another adapter"
    )]
    TooLarge {
        /// The tensor's shape.
        shape: Vec<usize>,
        /// Its size.
        bytes: u64,
        /// What fits.
        limit: u64,
        /// The adapter's name.
        adapter: String,
    },
    /// The device has no memory left.
    #[error(
        "out of memory on adapter `{adapter}` while allocating {bytes} bytes; use a smaller image, \
         crop or batch, or close other programs"
    )]
    OutOfMemory {
        /// Its size.
        bytes: u64,
        /// The adapter's name.
        adapter: String,
    },
    /// The driver dropped the device.
    #[error(
        "adapter `{adapter}` was lost: {reason}. Start again from what was saved last; if it happens \
         again, try a smaller batch or update the driver"
    )]
    Lost {
        /// The adapter's name.
        adapter: String,
        /// The driver's words.
        reason: String,
    },
}
