//! TIFF: what the `image` crate does not read of it, and what its directory says.

use std::io::Cursor;

use image::metadata::Orientation;
use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;

use crate::metadata::{Metadata, Resolution, Unit};
use crate::picture::{Channels, Picture, Samples};

fn open(bytes: &[u8], max_bytes: u64) -> Result<Decoder<Cursor<&[u8]>>, String> {
    let most = usize::try_from(max_bytes).unwrap_or(usize::MAX);
    let mut limits = Limits::default();
    limits.decoding_buffer_size = most;
    limits.intermediate_buffer_size = most;
    let decoder = Decoder::new(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    Ok(decoder.with_limits(limits))
}

/// What the first directory says beside the pixels, and whether there are more.
pub fn describe(
    bytes: &[u8],
    max_bytes: u64,
    metadata: &mut Metadata,
    notes: &mut Vec<String>,
) -> Orientation {
    let Ok(mut decoder) = open(bytes, max_bytes) else {
        return Orientation::NoTransforms;
    };
    let rational = |decoder: &mut Decoder<_>, tag| {
        let value = decoder.find_tag(tag).ok().flatten()?;
        match value {
            tiff::decoder::ifd::Value::Rational(over, under) if under > 0 => {
                Some(f64::from(over) / f64::from(under))
            }
            _ => None,
        }
    };
    let [x, y] = [Tag::XResolution, Tag::YResolution].map(|tag| rational(&mut decoder, tag));
    if let (Some(x), Some(y)) = (x, y)
        && x > 0.0
        && y > 0.0
    {
        let unit = match decoder.find_tag_unsigned::<u16>(Tag::ResolutionUnit) {
            Ok(Some(1)) => Unit::None,
            Ok(Some(3)) => Unit::Centimetre,
            _ => Unit::Inch,
        };
        // The same both ways without a unit says nothing.
        let says = unit != Unit::None || x != y;
        metadata.resolution = says.then_some(Resolution { x, y, unit });
    }
    metadata.icc = decoder.get_tag_u8_vec(Tag::IccProfile).ok();
    metadata.xmp = decoder.get_tag_u8_vec(Tag::Unknown(700)).ok();
    for (tag, what) in [(34665, "EXIF"), (34853, "the place in EXIF")] {
        if decoder
            .find_tag(Tag::Unknown(tag))
            .is_ok_and(|found| found.is_some())
        {
            notes.push(format!("{what} of the TIFF file was left out"));
        }
    }
    let orientation = decoder
        .find_tag_unsigned::<u16>(Tag::Orientation)
        .ok()
        .flatten();
    if decoder.more_images() {
        notes.push("only the first of several pages was taken".to_owned());
    }
    let orientation = orientation.and_then(|value| Orientation::from_exif(value.try_into().ok()?));
    orientation.unwrap_or(Orientation::NoTransforms)
}

/// Width and height.
///
/// # Errors
/// There is no sound header.
pub fn dimensions(bytes: &[u8]) -> Result<(usize, usize), String> {
    let size = open(bytes, 1 << 30)?
        .dimensions()
        .map_err(|e| e.to_string())?;
    Ok((size.0 as usize, size.1 as usize))
}

/// Whether colours are multiplied by alpha.
pub fn is_premultiplied(bytes: &[u8], max_bytes: u64) -> bool {
    const EXTRA_SAMPLES: Tag = Tag::Unknown(338);
    let extra = open(bytes, max_bytes).ok().and_then(|mut decoder| {
        let by_name = decoder
            .find_tag_unsigned_vec::<u16>(Tag::ExtraSamples)
            .ok()
            .flatten();
        by_name.or_else(|| {
            decoder
                .find_tag_unsigned_vec::<u16>(EXTRA_SAMPLES)
                .ok()
                .flatten()
        })
    });
    extra.is_some_and(|extra| extra.first() == Some(&1))
}

/// Kinds that the `image` crate refuses or takes for others: gray with alpha, gray of 2 or 4 bits, and
/// numbers of 32 and 64 bits, which may be whole.
///
/// # Errors
/// It is one, and is damaged.
pub fn other_kinds(bytes: &[u8], max_bytes: u64) -> Result<Option<Picture>, String> {
    let Ok(mut decoder) = open(bytes, max_bytes) else {
        return Ok(None);
    };
    let (Ok((width, height)), Ok(kind)) = (decoder.dimensions(), decoder.colortype()) else {
        return Ok(None);
    };
    let (channels, bits) = match kind {
        ColorType::Gray(bits @ (2 | 4 | 32 | 64)) => (Channels::Gray, bits),
        ColorType::GrayA(bits) => (Channels::GrayAlpha, bits),
        ColorType::Multiband {
            bit_depth,
            num_samples: 2,
        } => (Channels::GrayAlpha, bit_depth),
        ColorType::RGB(bits @ (32 | 64)) => (Channels::Rgb, bits),
        ColorType::RGBA(bits @ (32 | 64)) => (Channels::Rgba, bits),
        _ => return Ok(None),
    };
    let (width, height) = (width as usize, height as usize);
    let count = width as u64 * height as u64 * channels.count() as u64;
    if count.saturating_mul(u64::from(bits).div_ceil(8)) > max_bytes {
        return Ok(None); // refused by its size where the header is looked at
    }
    let photometric = decoder.find_tag_unsigned::<u16>(Tag::PhotometricInterpretation);
    let inverted = photometric.ok().flatten() == Some(0);
    let samples = match decoder.read_image().map_err(|e| e.to_string())? {
        DecodingResult::U8(bytes) if bits < 8 => {
            let most = (1u16 << bits) - 1;
            let gray = |v: u8| (u16::from(v) * 255 / most) as u8;
            let gray = unpacked(&bytes, width, bits).into_iter().map(gray);
            Samples::U8(gray.map(|v| if inverted { 255 - v } else { v }).collect())
        }
        DecodingResult::U8(v) => Samples::U8(v),
        DecodingResult::U16(v) => Samples::U16(v),
        DecodingResult::U32(v) => Samples::U16(v.into_iter().map(|v| (v >> 16) as u16).collect()),
        DecodingResult::U64(v) => Samples::U16(v.into_iter().map(|v| (v >> 48) as u16).collect()),
        DecodingResult::F32(v) => Samples::F32(v),
        DecodingResult::F64(v) => Samples::F32(v.into_iter().map(|v| v as f32).collect()),
        _ => return Ok(None),
    };
    match samples.len() == width * height * channels.count() {
        true => Ok(Some(Picture::new(width, height, channels, samples))),
        // Channels one after the other: the image crate puts floats together.
        false if matches!(samples, Samples::F32(_)) => Ok(None),
        false => Err("its data ends too soon, or is of a kind that is not read".to_owned()),
    }
}

/// Numbers of 1, 2 or 4 bits, of which every row begins with a byte of its own; those of 8 as they are.
fn unpacked(bytes: &[u8], width: usize, bits: u8) -> Vec<u8> {
    let per_byte = 8 / usize::from(bits);
    let rows = bytes.chunks(width.div_ceil(per_byte).max(1));
    rows.flat_map(|row| {
        (0..width).map(move |x| {
            let byte = row.get(x / per_byte).copied().unwrap_or(0);
            let shift = 8 - bits * (x % per_byte + 1) as u8;
            byte >> shift & ((1u16 << bits) - 1) as u8
        })
    })
    .collect()
}
