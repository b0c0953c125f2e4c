//! Whether this machine has room for an enlargement: where it has not, the system ends the program.

use anyhow::{Result, ensure};
use picture::Picture;

use crate::memory;

/// Below it nobody asks: it takes a moment to know what is free.
const SMALL: u64 = 1 << 30;

/// Fails where enlarging this picture would take more memory than is free.
///
/// # Errors
/// It would; the error says how much of how much.
pub fn check(picture: &Picture, scale: usize) -> Result<()> {
    let needed = bytes(picture.width, picture.height, scale);
    if needed < SMALL {
        return Ok(());
    }
    let free = memory::free();
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    ensure!(
        needed <= free,
        "{}×{} pixels enlarged ×{scale} take about {:.1} GB of memory, and {:.1} are free; use a smaller --scale, or cut the picture",
        picture.width,
        picture.height,
        gigabytes(needed),
        gigabytes(free)
    );
    Ok(())
}

/// What the program holds at its peak: three floats a pixel before and twice after (tiles are put together
/// beside what the adapter gives), the output's numbers, and its file.
fn bytes(width: usize, height: usize, scale: usize) -> u64 {
    let pixels = width as u64 * height as u64;
    let enlarged = pixels.saturating_mul((scale * scale) as u64);
    pixels
        .saturating_mul(32)
        .saturating_add(enlarged.saturating_mul(2 * 12 + 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_that_no_machine_has_room_for_needs_more_than_it_has() {
        assert!(bytes(19_000, 19_000, 4) > 150 << 30);
        assert!(bytes(1000, 1000, 4) < SMALL);
    }
}
