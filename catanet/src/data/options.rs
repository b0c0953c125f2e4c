//! What a loader is to yield.

use std::thread;

use super::degrade::Degrade;

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
    /// Which part of each batch is made, and of how many: `(0, 1)` is all of it. `batch` is that of all parts
    /// together, and is divided evenly.
    pub share: (usize, usize),
    /// Half of the crops are flipped left to right.
    pub hflip: bool,
    /// Half of the crops are flipped top to bottom, and half are transposed: with both, all turns by 90°.
    pub rot: bool,
    /// What becomes of the low-resolution side after it was cut.
    pub degrade: Option<Degrade>,
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

impl Default for LoaderOptions {
    /// ×2, 16 crops of 64×64, in all symmetries.
    fn default() -> Self {
        Self {
            scale: 2,
            patch: 64,
            batch: 16,
            seed: 3407,
            share: (0, 1),
            hflip: true,
            rot: true,
            degrade: None,
            workers: Self::spare_threads(),
            cache_bytes: Self::CACHE_BYTES,
        }
    }
}
