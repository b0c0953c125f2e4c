//! The device memory behind a tensor.

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use crate::Error;
use crate::pool::Pool;

/// The device memory behind a tensor, or a part of it. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Buffer {
    memory: Arc<Memory>,
    pub start: u64, // in bytes
    pub bytes: u64, // what the tensor needs; the memory may be larger
    pub half: bool, // its numbers are f16
}

/// One buffer of the driver's; goes back to the pool on drop.
struct Memory {
    raw: Option<wgpu::Buffer>,    // None where the allocation failed
    failed: OnceLock<Arc<Error>>, // why its content is not what was asked for
    limit: Limit,
    pool: Arc<Mutex<Pool>>,
}

/// What a kernel can take at once, and the error that tells so.
pub(crate) struct Limit {
    pub bytes: u64,
    pub error: Option<Arc<Error>>, // None where the whole memory is within
}

impl Buffer {
    /// All of a new piece of memory.
    pub fn new(
        raw: Result<wgpu::Buffer, Error>,
        bytes: u64,
        half: bool,
        limit: Limit,
        pool: Arc<Mutex<Pool>>,
    ) -> Buffer {
        let failed = OnceLock::new();
        let raw = raw.map_err(|e| failed.set(Arc::new(e))).ok();
        Buffer {
            memory: Arc::new(Memory {
                raw,
                failed,
                limit,
                pool,
            }),
            start: 0,
            bytes,
            half,
        }
    }

    /// The driver's buffer, of which this is `bytes` from `start` on; None where there was no memory.
    pub fn raw(&self) -> Option<&wgpu::Buffer> {
        self.memory.raw.as_ref()
    }

    /// A part of it, from byte `start` on.
    pub fn part(&self, start: u64, bytes: u64) -> Buffer {
        debug_assert!(start + bytes <= self.bytes);
        Buffer {
            memory: self.memory.clone(),
            start: self.start + start,
            bytes,
            half: self.half,
        }
    }

    /// Whether both are the same bytes.
    pub fn is(&self, other: &Buffer) -> bool {
        Arc::ptr_eq(&self.memory, &other.memory) && self.start == other.start
    }

    /// Why this buffer's content is not what was asked for, if so.
    pub fn failure(&self) -> Option<&Arc<Error>> {
        self.memory.failed.get()
    }

    /// Why no kernel can take it, if so.
    pub fn unbindable(&self) -> Option<&Arc<Error>> {
        let limit = &self.memory.limit;
        limit.error.as_ref().filter(|_| self.bytes > limit.bytes)
    }

    /// Marks the content as failed; the first cause stays.
    pub fn fail(&self, cause: &Arc<Error>) {
        let _ = self.memory.failed.set(cause.clone());
    }
}

/// The bytes that a copy of it takes: whole words, of which every memory is made.
pub(crate) fn padded(buffer: &Buffer) -> u64 {
    buffer.bytes.next_multiple_of(4)
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Some(raw) = self.raw.take() {
            self.pool.lock().put(raw);
        }
    }
}
