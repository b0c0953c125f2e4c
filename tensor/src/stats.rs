//! Counters.

/// Counters since the device was opened, and the pool's size now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Kernels recorded.
    pub dispatches: u64,
    /// Kernels that did not compile on this driver and were replaced by their plain form, each time.
    pub replaced: u64,
    /// Copies between buffers recorded, those of read-backs included.
    pub copies: u64,
    /// Batches submitted to the queue.
    pub submits: u64,
    /// Times the host waited for data.
    pub read_backs: u64,
    /// Bytes held by the pool, in use or free.
    pub pool_bytes: u64,
    /// Buffers held by the pool, in use or free.
    pub pool_buffers: u64,
    /// Bytes in buffers that tensors hold now.
    pub used_bytes: u64,
    /// The most that `pool_bytes` has been since
    /// [`Device::reset_peaks`](crate::Device::reset_peaks): what the driver was asked for.
    pub peak_pool_bytes: u64,
    /// The most that `used_bytes` has been since then: what the work needs at least.
    pub peak_used_bytes: u64,
}
