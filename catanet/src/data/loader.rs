//! Batches, prepared by worker threads ahead of the consumer.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use super::sampler::{Images, Sampler, Source};
use crate::error::Result;

/// Batches a worker may have waiting: enough to bridge one slow decode, little memory.
const AHEAD: usize = 2;

/// What a [`Loader`] yields: `B` training pairs, RGB in `[0, 1]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Batch {
    /// Low-resolution crops.
    pub lq: Vec<f32>, // [B, p, p, 3]
    /// High-resolution crops.
    pub gt: Vec<f32>, // [B, p·s, p·s, 3]
}

/// What a [`Loader`] is to yield, and by what means.
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

/// An endless iterator of batches, in order; it ends only after an error.
///
/// Batch k is a function of the source, the options and k alone: the same on any number of threads, and the same
/// whether the loader started at 0 or at k. Dropping the loader stops its threads.
pub struct Loader {
    workers: Vec<Worker>,
    next: u64,
    stop: Arc<AtomicBool>,
}

struct Worker {
    batches: Receiver<Result<Batch>>,
    thread: JoinHandle<()>,
}

impl Loader {
    /// Starts the threads; the first batch yielded is number `first`.
    ///
    /// # Errors
    /// An image that cannot be opened or is smaller than the crop. (One that fails to decode is reported by the
    /// batch that needs it.)
    ///
    /// # Panics
    /// When scale, patch or batch is 0, or the source has no images.
    #[track_caller]
    pub fn new(source: Source, options: LoaderOptions, first: u64) -> Result<Self> {
        assert!(
            options.scale > 0 && options.patch > 0 && options.batch > 0,
            "Loader::new: {options:?}"
        );
        assert!(
            !matches!(&source, Source::Photos(files) if files.is_empty()),
            "Loader::new: no images"
        );
        let images = Arc::new(Images::new(source, &options)?);
        let stop = Arc::new(AtomicBool::new(false));
        let count = options.workers.max(1);
        // Worker w makes batches w, w + count, …: taken in turn, they are in order without a lock.
        let start = |w: usize| {
            let (sender, batches) = sync_channel(AHEAD);
            let mut sampler = Sampler::new(images.clone(), options.clone());
            let (stop, size) = (stop.clone(), options.batch);
            let numbers = (first + w as u64..).step_by(count);
            let thread = thread::spawn(move || work(&mut sampler, size, numbers, &sender, &stop));
            Worker { batches, thread }
        };
        Ok(Self {
            workers: (0..count).map(start).collect(),
            next: 0,
            stop,
        })
    }

    fn shut_down(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // All receivers go first, or a thread could wait for room for ever.
        let threads: Vec<_> = self.workers.drain(..).map(|worker| worker.thread).collect();
        for thread in threads {
            // A panic that nobody met no longer matters.
            let _ = thread.join();
        }
    }
}

/// Sends the batches of the given numbers until an error, or until nobody listens.
fn work(
    sampler: &mut Sampler,
    size: usize,
    numbers: impl Iterator<Item = u64>,
    sender: &SyncSender<Result<Batch>>,
    stop: &AtomicBool,
) {
    for k in numbers {
        let batch = make_batch(sampler, k, size, stop);
        let failed = batch.is_err();
        if sender.send(batch).is_err() || failed {
            return;
        }
    }
}

fn make_batch(sampler: &mut Sampler, k: u64, size: usize, stop: &AtomicBool) -> Result<Batch> {
    let mut batch = Batch {
        lq: Vec::new(),
        gt: Vec::new(),
    };
    for n in k * size as u64..(k + 1) * size as u64 {
        if stop.load(Ordering::Relaxed) {
            break; // nobody will take the batch
        }
        let (lr, hr) = sampler.sample(n)?;
        batch.lq.extend(lr.to_f32());
        batch.gt.extend(hr.to_f32());
    }
    Ok(batch)
}

impl Iterator for Loader {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.workers.is_empty() {
            return None; // ended by an error
        }
        let turn = (self.next % self.workers.len() as u64) as usize;
        self.next += 1;
        match self.workers[turn].batches.recv() {
            Ok(Ok(batch)) => Some(Ok(batch)),
            Ok(Err(error)) => {
                self.shut_down();
                Some(Err(error))
            }
            // Only a panic ends a worker without a word: pass it on.
            Err(_) => match self.workers.swap_remove(turn).thread.join() {
                Err(panic) => resume_unwind(panic),
                Ok(()) => None,
            },
        }
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.shut_down();
    }
}

#[cfg(test)]
mod tests;
