//! Buffers that come back.
//!
//! Creating a buffer costs a millisecond where recording a dispatch costs microseconds, and a
//! training step asks for the same few hundred sizes every time. So a dropped buffer goes into the
//! pool and the next request of its size class takes it. That is safe at once, without waiting for
//! the GPU: work runs in the order it was recorded, so whoever writes the buffer next does so
//! after its last reader.

use std::collections::HashMap;

#[derive(Default)]
pub(crate) struct Pool {
    free: HashMap<u64, Vec<wgpu::Buffer>>, // by size class, in bytes
    pub allocated_bytes: u64,              // in use and free
    pub allocated_buffers: u64,
}

impl Pool {
    /// A free buffer of exactly this class.
    pub fn take(&mut self, class: u64) -> Option<wgpu::Buffer> {
        self.free.get_mut(&class)?.pop()
    }

    pub fn put(&mut self, buffer: wgpu::Buffer) {
        self.free.entry(buffer.size()).or_default().push(buffer);
    }

    /// Gives all free buffers back to the driver.
    pub fn trim(&mut self) {
        for (class, buffers) in self.free.drain() {
            self.allocated_bytes -= class * buffers.len() as u64;
            self.allocated_buffers -= buffers.len() as u64;
        }
    }
}

/// The size that a request is rounded up to: one of eight steps per power of two, so at most an
/// eighth is wasted and images of slightly different size share buffers.
pub(crate) fn size_class(bytes: u64) -> u64 {
    let bytes = bytes.max(256);
    let step = (bytes.next_power_of_two() / 16).max(256);
    bytes.div_ceil(step) * step
}

#[cfg(test)]
mod tests {
    use super::size_class;

    #[test]
    fn size_classes_hold_the_request_and_waste_at_most_an_eighth() {
        for bytes in (1..100_000).chain([1 << 27, (1 << 27) + 1]) {
            let class = size_class(bytes);
            assert!(class >= bytes && class.is_multiple_of(4));
            assert!(class <= bytes + (bytes / 8).max(256), "{bytes} → {class}");
            assert_eq!(size_class(class), class);
        }
    }
}
