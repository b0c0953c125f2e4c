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
    pub used_bytes: u64, // in use
    pub peak_allocated_bytes: u64,
    pub peak_used_bytes: u64,
    /// The most to hold.
    pub bound: Option<u64>,
}

impl Pool {
    /// A free buffer of exactly this class.
    pub fn take(&mut self, class: u64) -> Option<wgpu::Buffer> {
        let buffer = self.free.get_mut(&class)?.pop()?;
        self.count_used(class);
        Some(buffer)
    }

    /// Whether another buffer of this class is within the bound.
    pub fn has_room(&self, class: u64) -> bool {
        self.bound
            .is_none_or(|bound| self.allocated_bytes + class <= bound)
    }

    /// Counts a buffer of this class that the driver has made, and that is in use.
    pub fn count_new(&mut self, class: u64) {
        self.allocated_bytes += class;
        self.allocated_buffers += 1;
        self.peak_allocated_bytes = self.peak_allocated_bytes.max(self.allocated_bytes);
        self.count_used(class);
    }

    fn count_used(&mut self, class: u64) {
        self.used_bytes += class;
        self.peak_used_bytes = self.peak_used_bytes.max(self.used_bytes);
    }

    /// Lets the peaks start anew from what there is now.
    pub fn reset_peaks(&mut self) {
        self.peak_allocated_bytes = self.allocated_bytes;
        self.peak_used_bytes = self.used_bytes;
    }

    pub fn put(&mut self, buffer: wgpu::Buffer) {
        self.used_bytes -= buffer.size();
        self.free.entry(buffer.size()).or_default().push(buffer);
    }

    /// Gives all free buffers back to the driver.
    pub fn trim(&mut self) {
        for (class, buffers) in self.free.drain() {
            self.allocated_bytes -= class * buffers.len() as u64;
            self.allocated_buffers -= buffers.len() as u64;
            // A browser would free what is dropped some time later.
            #[cfg(target_arch = "wasm32")]
            buffers.iter().for_each(wgpu::Buffer::destroy);
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
