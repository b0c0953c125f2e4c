//! TIFF: every depth and every kind of channels.

use std::io::Cursor;

use tiff::TiffResult;
use tiff::encoder::colortype::ColorType;
use tiff::encoder::{
    Compression, DeflateLevel, Predictor, Rational, TiffEncoder, TiffKind, TiffKindBig,
    TiffKindStandard, TiffValue,
};
use tiff::tags::{PhotometricInterpretation, ResolutionUnit, SampleFormat, Tag};

use crate::metadata::Unit;
use crate::picture::{Channels, Samples};

use super::exif::{Raw, UNDEFINED};
use super::kept::Kept;
use super::pixels::Pixels;
use super::resolution::fractions;

/// A file with more bytes of pixels than this, before compression, counts in 64 bits (BigTIFF). The rest of
/// the 4 GiB that 32 bits count is for what goes with them.
const MOST_STANDARD: u64 = 2_000_000_000;

pub(super) fn encode(pixels: &Pixels, kept: &Kept) -> Result<Vec<u8>, String> {
    let sample_bytes = match &*pixels.samples {
        Samples::U8(_) => 1,
        Samples::U16(_) => 2,
        Samples::F32(_) => 4,
    };
    let bytes = pixels.samples.len() as u64 * sample_bytes;
    let written = if bytes > MOST_STANDARD {
        of_kind::<TiffKindBig>(pixels, kept)
    } else {
        of_kind::<TiffKindStandard>(pixels, kept)
    };
    written.map_err(|e| e.to_string())
}

fn of_kind<K: TiffKind>(pixels: &Pixels, kept: &Kept) -> TiffResult<Vec<u8>> {
    use Channels::{Gray, GrayAlpha, Rgb, Rgba};
    match (pixels.channels, &*pixels.samples) {
        (Gray, Samples::U8(v)) => of_colours::<K, Numbers<u8, 1>>(pixels, v, kept),
        (GrayAlpha, Samples::U8(v)) => of_colours::<K, Numbers<u8, 2>>(pixels, v, kept),
        (Rgb, Samples::U8(v)) => of_colours::<K, Numbers<u8, 3>>(pixels, v, kept),
        (Rgba, Samples::U8(v)) => of_colours::<K, Numbers<u8, 4>>(pixels, v, kept),
        (Gray, Samples::U16(v)) => of_colours::<K, Numbers<u16, 1>>(pixels, v, kept),
        (GrayAlpha, Samples::U16(v)) => of_colours::<K, Numbers<u16, 2>>(pixels, v, kept),
        (Rgb, Samples::U16(v)) => of_colours::<K, Numbers<u16, 3>>(pixels, v, kept),
        (Rgba, Samples::U16(v)) => of_colours::<K, Numbers<u16, 4>>(pixels, v, kept),
        (Gray, Samples::F32(v)) => of_colours::<K, Numbers<f32, 1>>(pixels, v, kept),
        (GrayAlpha, Samples::F32(v)) => of_colours::<K, Numbers<f32, 2>>(pixels, v, kept),
        (Rgb, Samples::F32(v)) => of_colours::<K, Numbers<f32, 3>>(pixels, v, kept),
        (Rgba, Samples::F32(v)) => of_colours::<K, Numbers<f32, 4>>(pixels, v, kept),
    }
}

fn of_colours<K: TiffKind, C: ColorType>(
    pixels: &Pixels,
    samples: &[C::Inner],
    kept: &Kept,
) -> TiffResult<Vec<u8>>
where
    [C::Inner]: TiffValue,
{
    let mut bytes = Cursor::new(Vec::new());
    let predictor = match C::SAMPLE_FORMAT {
        [SampleFormat::Uint, ..] => Predictor::Horizontal,
        _ => Predictor::None,
    };
    let mut file = TiffEncoder::<_, K>::new_generic(&mut bytes)?
        .with_compression(Compression::Deflate(DeflateLevel::Balanced))
        .with_predictor(predictor);
    // Inner directories come before the picture's, which points at them.
    let pointers = match &kept.exif_fields {
        Some(exif) => exif.write_inner(&mut file)?,
        None => Vec::new(),
    };
    let mut image = file.new_image::<C>(pixels.width as u32, pixels.height as u32)?;
    if let Some((x, y, unit)) = kept.resolution.as_ref().and_then(fractions) {
        image.x_resolution(Rational { n: x[0], d: x[1] });
        image.y_resolution(Rational { n: y[0], d: y[1] });
        image.resolution_unit(match unit {
            Unit::None => ResolutionUnit::None,
            Unit::Inch => ResolutionUnit::Inch,
            _ => ResolutionUnit::Centimeter,
        });
    }
    let directory = image.encoder();
    directory.write_tag(Tag::Orientation, 1u16)?;
    if pixels.channels.has_alpha() {
        const STRAIGHT_ALPHA: u16 = 2;
        directory.write_tag(Tag::ExtraSamples, STRAIGHT_ALPHA)?;
    }
    if let Some(icc) = kept.icc {
        directory.write_tag(Tag::IccProfile, Raw::<UNDEFINED>(icc))?;
    }
    if let Some(xmp) = kept.xmp {
        directory.write_tag(Tag::Unknown(700), xmp)?;
    }
    if let Some(exif) = &kept.exif_fields {
        exif.write_fields(pointers, directory)?;
    }
    image.write_data(samples)?;
    Ok(bytes.into_inner())
}

/// Pixels of `N` numbers, the first three of them or the first one colours. (The crate's own kinds have no
/// gray with alpha.)
struct Numbers<T, const N: usize>(T);

const fn photometric(numbers: usize) -> PhotometricInterpretation {
    if numbers < 3 {
        PhotometricInterpretation::BlackIsZero
    } else {
        PhotometricInterpretation::RGB
    }
}

/// Every number less that of the pixel before, `n` numbers back; the first pixel as it is.
fn predict<T: Copy>(row: &[T], n: usize, result: &mut Vec<T>, less: fn(T, T) -> T) {
    result.extend_from_slice(&row[..n]);
    let pairs = row[n..].iter().zip(row);
    result.extend(pairs.map(|(&v, &left)| less(v, left)));
}

impl<const N: usize> ColorType for Numbers<u8, N> {
    type Inner = u8;
    const TIFF_VALUE: PhotometricInterpretation = photometric(N);
    const BITS_PER_SAMPLE: &'static [u16] = &[8; N];
    const SAMPLE_FORMAT: &'static [SampleFormat] = &[SampleFormat::Uint; N];

    fn horizontal_predict(row: &[u8], result: &mut Vec<u8>) {
        predict(row, N, result, u8::wrapping_sub);
    }
}

impl<const N: usize> ColorType for Numbers<u16, N> {
    type Inner = u16;
    const TIFF_VALUE: PhotometricInterpretation = photometric(N);
    const BITS_PER_SAMPLE: &'static [u16] = &[16; N];
    const SAMPLE_FORMAT: &'static [SampleFormat] = &[SampleFormat::Uint; N];

    fn horizontal_predict(row: &[u16], result: &mut Vec<u16>) {
        predict(row, N, result, u16::wrapping_sub);
    }
}

impl<const N: usize> ColorType for Numbers<f32, N> {
    type Inner = f32;
    const TIFF_VALUE: PhotometricInterpretation = photometric(N);
    const BITS_PER_SAMPLE: &'static [u16] = &[32; N];
    const SAMPLE_FORMAT: &'static [SampleFormat] = &[SampleFormat::IEEEFP; N];

    /// The crate does not predict floats.
    fn horizontal_predict(row: &[f32], result: &mut Vec<f32>) {
        result.extend_from_slice(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Picture;

    #[test]
    fn a_big_tiff_has_the_same_pixels() {
        let samples = Samples::U16((0..600).map(|i| i * 100).collect());
        let picture = Picture::new(20, 10, Channels::Rgb, samples);
        let (pixels, kept) = (Pixels::of(&picture), Kept::default());
        let bytes = of_kind::<TiffKindBig>(&pixels, &kept).unwrap();
        assert_eq!(bytes[2], 43, "the version of files that count in 64 bits");
        let found = image::load_from_memory_with_format(&bytes, image::ImageFormat::Tiff);
        let found = found.unwrap().into_rgb16();
        assert_eq!(Samples::U16(found.into_raw()), picture.samples);
    }
}
