//! PNG: every depth and every kind of channels but floats, and all the metadata.

use std::borrow::Cow;
use std::io::Write;

use png::chunk::ChunkType;
use png::{BitDepth, ColorType, DeflateCompression, Encoder, EncodingError, Filter, Info};
use png::{PixelDimensions, ScaledFloat, SourceChromaticities, SrgbRenderingIntent};

use crate::metadata::Unit;
use crate::picture::{Channels, Samples};

use super::kept::Kept;
use super::pixels::Pixels;

/// Of an enlarged photograph of 12 megapixels: 4% larger than level 6 in a quarter of the time (1 s, not 4).
const LEVEL: u8 = 3;

/// A chunk of compressed pixels. Readers take each as a whole into memory.
const IDAT_BYTES: usize = 1 << 18;

pub(super) fn encode(pixels: &Pixels, kept: &Kept) -> Result<Vec<u8>, String> {
    encoded(pixels, kept).map_err(|e| e.to_string())
}

fn encoded(pixels: &Pixels, kept: &Kept) -> Result<Vec<u8>, EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::with_info(&mut bytes, info(pixels, kept))?;
    encoder.set_deflate_compression(DeflateCompression::Level(LEVEL));
    encoder.set_filter(Filter::Adaptive);
    let mut writer = encoder.write_header()?;
    // After the header and before the pixels, as the standard asks.
    if let Some(cicp) = kept.cicp {
        writer.write_chunk(ChunkType(*b"cICP"), &cicp)?;
    }
    if let Some(xmp) = kept.xmp {
        writer.write_chunk(ChunkType(*b"iTXt"), &[XMP, xmp].concat())?;
    }
    let mut stream = writer.stream_writer_with_size(IDAT_BYTES)?;
    match &*pixels.samples {
        Samples::U8(samples) => stream.write_all(samples)?,
        Samples::U16(samples) => {
            let mut row = Vec::with_capacity(2 * pixels.row());
            for samples in samples.chunks_exact(pixels.row()) {
                row.clear();
                row.extend(samples.iter().flat_map(|v| v.to_be_bytes()));
                stream.write_all(&row)?;
            }
        }
        Samples::F32(_) => return Err(std::io::Error::other("its samples are floats").into()),
    }
    stream.finish()?;
    writer.finish()?;
    Ok(bytes)
}

/// XMP's keyword; not compressed, in no language, without a translated keyword.
const XMP: &[u8] = b"XML:com.adobe.xmp\0\0\0\0\0";

fn info<'a>(pixels: &Pixels, kept: &Kept<'a>) -> Info<'a> {
    let mut info = Info::with_size(pixels.width as u32, pixels.height as u32);
    info.color_type = match pixels.channels {
        Channels::Gray => ColorType::Grayscale,
        Channels::GrayAlpha => ColorType::GrayscaleAlpha,
        Channels::Rgb => ColorType::Rgb,
        Channels::Rgba => ColorType::Rgba,
    };
    info.bit_depth = match &*pixels.samples {
        Samples::U8(_) => BitDepth::Eight,
        _ => BitDepth::Sixteen,
    };
    info.pixel_dims = kept.density.map(|density| PixelDimensions {
        xppu: density.x,
        yppu: density.y,
        unit: match density.unit {
            Unit::None => png::Unit::Unspecified,
            _ => png::Unit::Meter,
        },
    });
    info.source_gamma = kept.gamma.map(ScaledFloat::from_scaled);
    info.source_chromaticities = kept.chromaticities.map(|c| {
        let [white, red, green, blue] =
            [0, 2, 4, 6].map(|i| [c[i], c[i + 1]].map(ScaledFloat::from_scaled).into());
        SourceChromaticities {
            white,
            red,
            green,
            blue,
        }
    });
    info.srgb = kept.srgb_intent.and_then(|intent| {
        let intents = [
            SrgbRenderingIntent::Perceptual,
            SrgbRenderingIntent::RelativeColorimetric,
            SrgbRenderingIntent::Saturation,
            SrgbRenderingIntent::AbsoluteColorimetric,
        ];
        intents.get(usize::from(intent)).copied()
    });
    info.icc_profile = kept.icc.map(Cow::Borrowed);
    info.exif_metadata = kept.exif.map(Cow::Borrowed);
    info
}
