//! PNG: its chunks, whether they are whole, what they say of colours, and what can be saved of a damaged one.

use std::io::Cursor;

use png::{BitDepth, ColorType};

use crate::metadata::{Metadata, Resolution, Unit};
use crate::picture::{Channels, Picture, Samples};

/// One chunk.
pub struct Chunk<'a> {
    pub kind: [u8; 4],
    pub content: &'a [u8],
}

/// All chunks, up to the end or to where the file is damaged, and what is wrong there.
pub fn chunks(bytes: &[u8]) -> (Vec<Chunk<'_>>, Result<(), String>) {
    let mut found: Vec<Chunk> = Vec::new();
    let mut rest = bytes.get(8..).unwrap_or_default();
    loop {
        let parts = || {
            let (length, rest) = rest.split_first_chunk::<4>()?;
            let (kind, rest) = rest.split_first_chunk::<4>()?;
            let (content, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            let (check, rest) = rest.split_first_chunk::<4>()?;
            Some((*kind, content, u32::from_be_bytes(*check), rest))
        };
        let Some((kind, content, check, behind)) = parts() else {
            return (found, Err("it is cut off".to_owned()));
        };
        // What is not critical does not matter so much; transparency does.
        let matters = kind[0].is_ascii_uppercase() || &kind == b"tRNS";
        if matters {
            let mut hasher = crc32fast::Hasher::new();
            hasher.update(&kind);
            hasher.update(content);
            if hasher.finalize() != check {
                return (found, Err("a checksum is wrong".to_owned()));
            }
        }
        found.push(Chunk { kind, content });
        if &kind == b"IEND" {
            return (found, Ok(()));
        }
        rest = behind;
    }
}

/// Width and height as the first chunk has them.
pub fn size(bytes: &[u8]) -> Option<[u64; 2]> {
    let side = |at: usize| Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
    Some([side(16)?.into(), side(20)?.into()])
}

/// What chunks say of colours and of the resolution.
pub fn describe(chunks: &[Chunk], metadata: &mut Metadata) {
    let content = |kind: &[u8; 4]| chunks.iter().find(|c| &c.kind == kind).map(|c| c.content);
    let number = |content: &[u8], i: usize| {
        content
            .get(4 * i..)
            .and_then(|c| c.first_chunk())
            .map(|b| u32::from_be_bytes(*b))
    };
    metadata.gamma = content(b"gAMA").and_then(|c| number(c, 0));
    metadata.srgb_intent = content(b"sRGB").and_then(|c| c.first().copied());
    metadata.cicp = content(b"cICP").and_then(|c| c.first_chunk().copied());
    metadata.chromaticities = content(b"cHRM").and_then(|c| {
        let all: Vec<u32> = (0..8).map(|i| number(c, i)).collect::<Option<_>>()?;
        all.try_into().ok()
    });
    // The decoder has read up to the pixels; these may stand behind them.
    metadata.exif = content(b"eXIf").map(<[u8]>::to_vec);
    let xmp = chunks.iter().filter(|c| &c.kind == b"iTXt").find_map(|c| {
        let rest = c.content.strip_prefix(b"XML:com.adobe.xmp\0\0\0")?; // not compressed
        let mut parts = rest.splitn(3, |&b| b == 0); // language, keyword in it, text
        parts.nth(2).map(<[u8]>::to_vec)
    });
    metadata.xmp = xmp;
    metadata.resolution = content(b"pHYs").and_then(|c| {
        let (x, y) = (number(c, 0)?, number(c, 1)?);
        let unit = if c.get(8) == Some(&1) {
            Unit::Metre
        } else {
            Unit::None
        };
        let says = x > 0 && y > 0;
        says.then_some(Resolution {
            x: x.into(),
            y: y.into(),
            unit,
        })
    });
}

/// The number of frames, where it is animated.
pub fn frames(chunks: &[Chunk]) -> Option<u32> {
    let control = chunks.iter().find(|c| &c.kind == b"acTL")?;
    control
        .content
        .first_chunk()
        .map(|b| u32::from_be_bytes(*b))
}

/// Whether its colours come from a palette.
pub fn has_palette(chunks: &[Chunk]) -> bool {
    chunks.first().is_some_and(|c| c.content.get(9) == Some(&3))
}

/// The rows that can be decoded of a damaged file, the others black or transparent, and the part that is
/// missing; None if there are none, or the file is interlaced.
pub fn salvage(bytes: &[u8], max_bytes: u64) -> Option<(Picture, f64)> {
    let limits = png::Limits {
        bytes: max_bytes as usize,
    };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(png::Transformations::EXPAND);
    decoder.ignore_checksums(true);
    let mut reader = decoder.read_info().ok()?;
    if reader.info().interlaced {
        return None;
    }
    let size = reader.output_buffer_size();
    let size = size.filter(|&n| n as u64 <= max_bytes)?;
    let (width, height) = reader.info().size();
    let (kind, depth) = reader.output_color_type();
    let channels = match kind {
        ColorType::Grayscale => Channels::Gray,
        ColorType::GrayscaleAlpha => Channels::GrayAlpha,
        ColorType::Rgb => Channels::Rgb,
        ColorType::Rgba => Channels::Rgba,
        ColorType::Indexed => return None, // expanded, in fact
    };
    let mut numbers = Vec::with_capacity(size);
    let mut rows = 0;
    while rows < height
        && let Ok(Some(row)) = reader.next_row()
    {
        numbers.extend_from_slice(row.data());
        rows += 1;
    }
    if rows == 0 {
        return None;
    }
    numbers.resize(size, 0);
    let samples = match depth {
        BitDepth::Sixteen => {
            let pairs = numbers.as_chunks::<2>().0;
            Samples::U16(pairs.iter().map(|&pair| u16::from_be_bytes(pair)).collect())
        }
        _ => Samples::U8(numbers),
    };
    let missing = f64::from(height - rows) / f64::from(height);
    let picture = Picture::new(width as usize, height as usize, channels, samples);
    Some((picture, missing))
}
