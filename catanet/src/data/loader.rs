//! Batches, prepared by worker threads ahead of the consumer.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use tensor::{Device, Tensor};

use super::check::pixels;
use super::options::LoaderOptions;
use super::sampler::{Images, Origin, Sampler};
use super::source::Source;
use crate::error::{Error, Result};

/// Batches a worker may have waiting: enough to bridge one slow decode, little memory.
const AHEAD: usize = 2;

/// What a [`Loader`] yields: `B` training pairs.
#[derive(Clone, PartialEq, Debug)]
pub struct Batch {
    /// Its number k in the stream: step k + 1 learns from it.
    pub number: u64,
    /// What each pair was cut from.
    pub origins: Vec<Origin>,
    /// Low-resolution crops, `[B, p, p, 3]`.
    pub lq: Crops,
    /// High-resolution crops, `[B, p·s, p·s, 3]`.
    pub gt: Crops,
}

/// Square crops of one side, RGB in `[0, 1]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Crops {
    /// Crop by crop, row by row.
    pub values: Vec<f32>,
    /// `[B, side, side, 3]`
    pub shape: [usize; 4],
}

impl Crops {
    /// Crops of so many pixels a side.
    ///
    /// # Panics
    /// When `values` is no whole number of them.
    #[track_caller]
    pub fn new(values: Vec<f32>, side: usize) -> Self {
        let count = values.len() / (side * side * 3);
        assert_eq!(
            count * side * side * 3,
            values.len(),
            "Crops::new: not [B, {side}, {side}, 3]"
        );
        Self {
            values,
            shape: [count, side, side, 3],
        }
    }

    /// The crops on a device.
    pub fn to_tensor(&self, device: &Device) -> Tensor {
        Tensor::new(device, &self.values, &self.shape)
    }
}

/// An endless iterator of batches, in order; it ends only after an error.
///
/// Batch k is a function of the source, the options and k alone: the same on any number of threads, and the same
/// whether the loader started at 0 or at k. Dropping the loader stops its threads.
pub struct Loader {
    images: Arc<Images>,
    workers: Vec<Worker>,
    next: u64,
    stop: Arc<AtomicBool>,
}

struct Worker {
    batches: Receiver<Result<Batch>>,
    thread: JoinHandle<()>,
}

impl Loader {
    /// Files that take more than this decoded are not decoded before the first batch: 10 GiB. DIV2K with its
    /// ×2 side takes 8 GiB.
    pub const MOST_DECODED: u64 = 10 << 30;

    /// Starts the threads; the first batch yielded is number `first`.
    ///
    /// # Errors
    /// All images that cannot be opened, are smaller than the crop or do not fit their partners, in one error.
    /// (One that fails to decode later is reported by the batch that needs it: [`Error::BadBatch`].)
    ///
    /// # Panics
    /// When scale, patch or batch is 0, the source has no images, or the batch does not divide into its shares.
    #[track_caller]
    pub fn new(source: Source, options: LoaderOptions, first: u64) -> Result<Self> {
        assert!(
            options.scale > 0 && options.patch > 0 && options.batch > 0,
            "Loader::new: {options:?}"
        );
        let (part, parts) = options.share;
        assert!(
            part < parts && options.batch.is_multiple_of(parts),
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
            let stop = stop.clone();
            let numbers = (first + w as u64..).step_by(count);
            let thread = thread::spawn(move || work(&mut sampler, numbers, &sender, &stop));
            Worker { batches, thread }
        };
        Ok(Self {
            workers: (0..count).map(start).collect(),
            images,
            next: 0,
            stop,
        })
    }

    /// Decodes every file once, telling how many are done, of how many: a file that is cut off has a sound
    /// header. What fits into the cache stays there, so for a set that fits it takes no time in the end. It ends
    /// early where `go_on` answers false.
    ///
    /// False: nothing was done, since the files take more than [`Loader::MOST_DECODED`].
    ///
    /// # Errors
    /// All images that cannot be decoded or do not fit their partners, in one error.
    pub fn decode_all(&self, go_on: &mut dyn FnMut(usize, usize) -> bool) -> Result<bool> {
        match &*self.images {
            Images::Photos(_, bytes) if *bytes > Self::MOST_DECODED => Ok(false),
            Images::Photos(cache, _) => pixels(cache, go_on).map(|()| true),
            Images::DeadLeaves => Ok(true),
        }
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
    numbers: impl Iterator<Item = u64>,
    sender: &SyncSender<Result<Batch>>,
    stop: &AtomicBool,
) {
    for k in numbers {
        let batch = make_batch(sampler, k, stop);
        let failed = batch.is_err();
        if sender.send(batch).is_err() || failed {
            return;
        }
    }
}

fn make_batch(sampler: &mut Sampler, k: u64, stop: &AtomicBool) -> Result<Batch> {
    let &LoaderOptions {
        scale,
        patch,
        batch,
        share: (part, parts),
        ..
    } = sampler.options();
    let (size, part) = ((batch / parts) as u64, part as u64);
    let first = k * batch as u64 + part * size;
    let (mut lq, mut gt, mut origins) = (Vec::new(), Vec::new(), Vec::new());
    for n in first..first + size {
        if stop.load(Ordering::Relaxed) {
            break; // nobody will take the batch
        }
        let sample = sampler.sample(n).map_err(|source| Error::BadBatch {
            number: k,
            source: Box::new(source),
        })?;
        lq.extend(sample.lr.to_f32());
        gt.extend(sample.hr.to_f32());
        origins.push(sample.origin);
    }
    Ok(Batch {
        number: k,
        origins,
        lq: Crops::new(lq, patch),
        gt: Crops::new(gt, patch * scale),
    })
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
pub(super) mod tests;
