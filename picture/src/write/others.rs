//! BMP, QOI and PNM: formats that hold little beside the pixels.

use std::io::Cursor;

use image::codecs::bmp::BmpEncoder;
use image::codecs::qoi::QoiEncoder;
use image::{ExtendedColorType, ImageEncoder};

use crate::picture::{Channels, Samples};

use super::kept::Kept;
use super::pixels::Pixels;

/// Gray with a palette of grays, colour in 24 bits, with alpha in 32.
pub(super) fn bmp(pixels: &Pixels, kept: &Kept) -> Result<Vec<u8>, String> {
    let mut bytes = Cursor::new(Vec::new());
    by_image(pixels, BmpEncoder::new(&mut bytes))?;
    let mut bytes = bytes.into_inner();
    // The encoder leaves the pixels to a metre at zero: 14 bytes of the file's header, 24 of the picture's.
    if let (Some(density), Some(place)) = (kept.density, bytes.get_mut(38..46)) {
        place[..4].copy_from_slice(&density.x.to_le_bytes());
        place[4..].copy_from_slice(&density.y.to_le_bytes());
    }
    Ok(bytes)
}

pub(super) fn qoi(pixels: &Pixels) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    by_image(pixels, QoiEncoder::new(&mut bytes))?;
    Ok(bytes)
}

fn by_image(pixels: &Pixels, encoder: impl ImageEncoder) -> Result<(), String> {
    let colours = match pixels.channels {
        Channels::Gray => ExtendedColorType::L8,
        Channels::GrayAlpha => ExtendedColorType::La8,
        Channels::Rgb => ExtendedColorType::Rgb8,
        Channels::Rgba => ExtendedColorType::Rgba8,
    };
    let samples = pixels.eight()?;
    let (width, height) = (pixels.width as u32, pixels.height as u32);
    encoder
        .write_image(samples, width, height, colours)
        .map_err(|e| e.to_string())
}

/// PGM, PPM, or with alpha PAM; in 8 or 16 bits. (`image` writes neither PPM nor gray and alpha in 16.)
pub(super) fn pnm(pixels: &Pixels) -> Result<Vec<u8>, String> {
    let Pixels { width, height, .. } = *pixels;
    let (most, sample_bytes) = match &*pixels.samples {
        Samples::U8(_) => (255, 1),
        _ => (65535, 2),
    };
    let pam = |depth: usize, kind: &str| {
        format!(
            "P7\nWIDTH {width}\nHEIGHT {height}\nDEPTH {depth}\nMAXVAL {most}\nTUPLTYPE {kind}\nENDHDR\n"
        )
    };
    let header = match pixels.channels {
        Channels::Gray => format!("P5\n{width} {height}\n{most}\n"),
        Channels::Rgb => format!("P6\n{width} {height}\n{most}\n"),
        Channels::GrayAlpha => pam(2, "GRAYSCALE_ALPHA"),
        Channels::Rgba => pam(4, "RGB_ALPHA"),
    };
    let mut bytes = Vec::with_capacity(header.len() + pixels.samples.len() * sample_bytes);
    bytes.extend_from_slice(header.as_bytes());
    match &*pixels.samples {
        Samples::U8(samples) => bytes.extend_from_slice(samples),
        Samples::U16(samples) => bytes.extend(samples.iter().flat_map(|v| v.to_be_bytes())),
        Samples::F32(_) => return Err("its samples have more than 16 bits".to_owned()),
    }
    Ok(bytes)
}
