//! What can go wrong with a checkpoint or on the way to the device.

use crate::checkpoint::CheckpointError;

/// A failure of the environment: each says what, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of weights could not be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The device failed.
    #[error(transparent)]
    Device(#[from] tensor::Error),
    /// The weights are those of another network.
    #[error("the weights do not fit this network: {0}")]
    Mismatch(String),
}
