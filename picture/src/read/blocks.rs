//! Formats that are a row of blocks: GIF, WebP and ICO. Whether all of them are there, and how many frames.
//! And what a BMP's header says.

use crate::metadata::{Resolution, Unit};

/// Walks a GIF to its trailer and counts its frames.
///
/// # Errors
/// It ends before, as a clause.
pub fn gif_frames(bytes: &[u8]) -> Result<u32, String> {
    let cut = || "it is cut off".to_owned();
    let byte = |at: usize| bytes.get(at).copied().ok_or_else(cut);
    let table = |flags: u8| {
        if flags & 0x80 != 0 {
            3 << ((flags & 7) + 1)
        } else {
            0
        }
    };
    // A chain of sub-blocks, each with its length before it, up to an empty one.
    let behind_chain = |mut at: usize| -> Result<usize, String> {
        loop {
            let length = usize::from(byte(at)?);
            at += 1 + length;
            if length == 0 {
                return Ok(at);
            }
        }
    };
    let mut at = 13 + table(byte(10)?);
    let mut frames = 0;
    loop {
        match byte(at)? {
            0x3b => return Ok(frames),
            0x21 => at = behind_chain(at + 2)?,
            0x2c => {
                frames += 1;
                at = behind_chain(at + 10 + table(byte(at + 9)?) + 1)?;
            }
            0 => at += 1, // padding that some writers leave
            _ => return Err("its blocks make no sense".to_owned()),
        }
    }
}

/// Looks whether a WebP is as long as it says, and counts its frames.
///
/// # Errors
/// It is shorter, as a clause.
pub fn webp_frames(bytes: &[u8]) -> Result<u32, String> {
    let cut = || "it is cut off".to_owned();
    let number = |at: usize| -> Result<usize, String> {
        let bytes = bytes
            .get(at..at + 4)
            .and_then(|b| b.first_chunk())
            .ok_or_else(cut)?;
        Ok(u32::from_le_bytes(*bytes) as usize)
    };
    let end = 8 + number(4)?;
    // The byte that makes the last chunk even is left out by some.
    if bytes.len() + 1 < end {
        return Err(cut());
    }
    let mut at = 12;
    let mut frames = 0;
    while at + 8 <= end.min(bytes.len()) {
        let length = number(at + 4)?;
        if at + 8 + length > bytes.len() {
            return Err(cut());
        }
        frames += u32::from(bytes.get(at..at + 4) == Some(b"ANMF"));
        at += 8 + length + length % 2;
    }
    Ok(frames)
}

/// The largest picture of an ICO, if it is a PNG: a file of its own.
///
/// # Errors
/// A picture does not lie in the file, as a clause.
pub fn largest_of_ico(bytes: &[u8]) -> Result<Option<&[u8]>, String> {
    let cut = || "it is cut off".to_owned();
    let count = bytes.get(4..).and_then(|b| b.first_chunk::<2>());
    let count = u16::from_le_bytes(*count.ok_or_else(cut)?);
    let mut largest = (0, None);
    for entry in (0..usize::from(count)).map(|i| 6 + 16 * i) {
        let number = |at: usize| {
            let bytes = bytes.get(entry + at..)?.first_chunk::<4>()?;
            Some(u32::from_le_bytes(*bytes) as usize)
        };
        let (length, start) = (number(8).ok_or_else(cut)?, number(12).ok_or_else(cut)?);
        let content = bytes.get(start..).and_then(|b| b.get(..length));
        let content = content.ok_or_else(cut)?;
        let side = match bytes[entry] {
            0 => 256,
            side => u32::from(side),
        };
        if side > largest.0 {
            let png = content.starts_with(b"\x89PNG\r\n\x1a\n");
            largest = (side, png.then_some(content));
        }
    }
    Ok(largest.1)
}

/// The resolution in a BMP's header.
pub fn bmp_resolution(bytes: &[u8]) -> Option<Resolution> {
    let number = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let has_it = number(14)? >= 40;
    let (x, y) = (number(38)?, number(42)?);
    let sane = |n: u32| 0 < n && n < i32::MAX as u32;
    (has_it && sane(x) && sane(y)).then_some(Resolution {
        x: x.into(),
        y: y.into(),
        unit: Unit::Metre,
    })
}
