//! WebP without loss: 8 bits, colour with or without alpha.

use image_webp::{ColorType, WebPEncoder};

use crate::picture::Channels;

use super::kept::Kept;
use super::pixels::Pixels;

pub(super) fn encode(pixels: &Pixels, kept: &Kept) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut encoder = WebPEncoder::new(&mut bytes);
    let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec).unwrap_or_default();
    encoder.set_icc_profile(owned(kept.icc));
    encoder.set_exif_metadata(owned(kept.exif));
    encoder.set_xmp_metadata(owned(kept.xmp));
    let colours = match pixels.channels {
        Channels::Gray => ColorType::L8,
        Channels::GrayAlpha => ColorType::La8,
        Channels::Rgb => ColorType::Rgb8,
        Channels::Rgba => ColorType::Rgba8,
    };
    let (width, height) = (pixels.width as u32, pixels.height as u32);
    encoder
        .encode(pixels.eight()?, width, height, colours)
        .map_err(|e| e.to_string())?;
    Ok(bytes)
}
