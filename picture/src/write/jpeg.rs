//! JPEG: gray or YCbCr of 8 bits, its chroma as fine as its luma.

use jpeg_encoder::SamplingFactor;
use jpeg_encoder::{ColorType, Encoder, EncodingError, PixelDensity, PixelDensityUnit};

use crate::metadata::Unit;
use crate::picture::Channels;

use super::kept::{JPEG_EXIF, JPEG_XMP, Kept};
use super::pixels::Pixels;

/// With `quality` from 1 to 100.
pub(super) fn encode(pixels: &Pixels, kept: &Kept, quality: u8) -> Result<Vec<u8>, String> {
    let samples = pixels.eight()?;
    encoded(pixels, samples, kept, quality).map_err(|e| e.to_string())
}

fn encoded(
    pixels: &Pixels,
    samples: &[u8],
    kept: &Kept,
    quality: u8,
) -> Result<Vec<u8>, EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(SamplingFactor::R_4_4_4);
    if let Some(density) = kept.density {
        encoder.set_density(PixelDensity {
            density: (density.x as u16, density.y as u16),
            unit: match density.unit {
                Unit::Inch => PixelDensityUnit::Inches,
                Unit::Centimetre => PixelDensityUnit::Centimeters,
                _ => PixelDensityUnit::PixelAspectRatio,
            },
        });
    }
    if let Some(exif) = kept.exif {
        encoder.add_app_segment(1, [JPEG_EXIF, exif].concat())?;
    }
    if let Some(xmp) = kept.xmp {
        encoder.add_app_segment(1, [JPEG_XMP, xmp].concat())?;
    }
    if let Some(icc) = kept.icc {
        encoder.add_icc_profile(icc)?;
    }
    let colours = match pixels.channels {
        Channels::Gray => ColorType::Luma,
        _ => ColorType::Rgb,
    };
    encoder.encode(samples, pixels.width as u16, pixels.height as u16, colours)?;
    Ok(bytes)
}
