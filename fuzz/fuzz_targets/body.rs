//! What every target for pictures does; the seeds make the difference.

use picture::{ReadOptions, dimensions, read};

const MOST: u64 = 16 << 20;

/// Reads with and without salvage: no panic, and no more memory than allowed.
pub fn body(bytes: &[u8]) {
    let _ = dimensions(bytes);
    for salvage in [false, true] {
        let options = ReadOptions {
            salvage,
            max_bytes: MOST,
        };
        if let Ok(reading) = read(bytes, &options) {
            assert!(reading.picture.samples.len() as u64 <= MOST);
        }
    }
}
