//! What a loader is to yield.

use std::thread;

/// What a [`Loader`](super::Loader) is to yield, and by what means.
#[derive(Clone, Debug)]
pub struct LoaderOptions {
    /// The factor s between the two sides.
    pub scale: usize,
    /// Side p of the low-resolution crop.
    pub patch: usize,
    /// Pairs B in a batch.
    pub batch: usize,
    /// Everything random follows from it.
    pub seed: u64,
    /// Threads (at least 1); their number does not change the batches.
    pub workers: usize,
    /// Bytes of decoded images to keep; [`LoaderOptions::CACHE_BYTES`] holds about 130 photographs of DIV2K
    /// or 2400 tiles of 384×384. What does not fit is decoded each time it is wanted.
    pub cache_bytes: usize,
}

impl LoaderOptions {
    /// The customary size of the cache: 1 GiB.
    pub const CACHE_BYTES: usize = 1 << 30;

    /// As many threads as the machine has to spare: one is left to the consumer.
    pub fn spare_threads() -> usize {
        thread::available_parallelism().map_or(1, |n| n.get().saturating_sub(1).clamp(1, 8))
    }
}
