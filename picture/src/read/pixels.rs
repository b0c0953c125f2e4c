//! From the `image` crate's pictures to ours.

use image::DynamicImage;
use image::metadata::Orientation;

use crate::picture::{Channels, Picture, Samples};
use crate::symmetry::Symmetry;

/// The picture, without metadata.
pub fn picture(image: DynamicImage) -> Picture {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let (channels, samples) = match image {
        DynamicImage::ImageLuma8(image) => (Channels::Gray, Samples::U8(image.into_raw())),
        DynamicImage::ImageLumaA8(image) => (Channels::GrayAlpha, Samples::U8(image.into_raw())),
        DynamicImage::ImageRgb8(image) => (Channels::Rgb, Samples::U8(image.into_raw())),
        DynamicImage::ImageRgba8(image) => (Channels::Rgba, Samples::U8(image.into_raw())),
        DynamicImage::ImageLuma16(image) => (Channels::Gray, Samples::U16(image.into_raw())),
        DynamicImage::ImageLumaA16(image) => (Channels::GrayAlpha, Samples::U16(image.into_raw())),
        DynamicImage::ImageRgb16(image) => (Channels::Rgb, Samples::U16(image.into_raw())),
        DynamicImage::ImageRgba16(image) => (Channels::Rgba, Samples::U16(image.into_raw())),
        DynamicImage::ImageRgb32F(image) => (Channels::Rgb, Samples::F32(image.into_raw())),
        DynamicImage::ImageRgba32F(image) => (Channels::Rgba, Samples::F32(image.into_raw())),
        // The crate's list may grow.
        other => (Channels::Rgba, Samples::U16(other.into_rgba16().into_raw())),
    };
    Picture::new(width, height, channels, samples)
}

/// Turns floats of linear light into what sRGB's curve makes of them (IEC 61966-2-1), which goes on above 1
/// and below 0.
pub fn encode(picture: &mut Picture) {
    let count = picture.channels.count();
    let has_alpha = picture.channels.has_alpha();
    let Samples::F32(values) = &mut picture.samples else {
        return;
    };
    for (i, v) in values.iter_mut().enumerate() {
        let is_alpha = has_alpha && i % count == count - 1;
        if !is_alpha {
            let size = v.abs();
            let curved = if size <= 0.003_130_8 {
                12.92 * size
            } else {
                1.055 * size.powf(1.0 / 2.4) - 0.055
            };
            *v = curved.copysign(*v);
        }
    }
}

/// Divides colours by alpha, which some files have them multiplied by.
pub fn straighten(picture: &mut Picture) {
    fn divide<T: Copy + Into<f64>>(
        numbers: &mut [T],
        count: usize,
        white: f64,
        number: impl Fn(f64) -> T,
    ) {
        for pixel in numbers.chunks_exact_mut(count) {
            let alpha: f64 = pixel[count - 1].into();
            if alpha > 0.0 {
                for v in &mut pixel[..count - 1] {
                    *v = number((*v).into() * white / alpha);
                }
            }
        }
    }
    let count = picture.channels.count();
    if !picture.channels.has_alpha() {
        return;
    }
    match &mut picture.samples {
        Samples::U8(v) => divide(v, count, 255.0, |v| v.round().min(255.0) as u8),
        Samples::U16(v) => divide(v, count, 65535.0, |v| v.round().min(65535.0) as u16),
        Samples::F32(v) => divide(v, count, 1.0, |v| v as f32),
    }
}

/// The picture turned and mirrored as an orientation asks.
pub fn turn(picture: Picture, orientation: Orientation) -> Picture {
    let (flip_x, flip_y, transpose) = match orientation {
        Orientation::NoTransforms => return picture,
        Orientation::FlipHorizontal => (true, false, false),
        Orientation::Rotate180 => (true, true, false),
        Orientation::FlipVertical => (false, true, false),
        Orientation::Rotate90FlipH => (false, false, true),
        Orientation::Rotate90 => (false, true, true),
        Orientation::Rotate270FlipH => (true, true, true),
        Orientation::Rotate270 => (true, false, true),
    };
    let symmetry = Symmetry {
        flip_x,
        flip_y,
        transpose,
    };
    let (height, width, count) = (picture.height, picture.width, picture.channels.count());
    let samples = match &picture.samples {
        Samples::U8(v) => Samples::U8(symmetry.apply(v, height, width, count)),
        Samples::U16(v) => Samples::U16(symmetry.apply(v, height, width, count)),
        Samples::F32(v) => Samples::F32(symmetry.apply(v, height, width, count)),
    };
    let (height, width) = symmetry.size(height, width);
    Picture::new(width, height, picture.channels, samples)
}

/// The picture with one channel of colour, if its colours are gray everywhere.
pub fn as_gray(picture: Picture) -> Picture {
    let Samples::U8(pixels) = &picture.samples else {
        return picture;
    };
    let count = picture.channels.count();
    if count < 3
        || !pixels
            .chunks_exact(count)
            .all(|p| p[0] == p[1] && p[1] == p[2])
    {
        return picture;
    }
    let gray = pixels.chunks_exact(count);
    let (channels, samples) = match picture.channels.has_alpha() {
        true => (
            Channels::GrayAlpha,
            gray.flat_map(|p| [p[0], p[3]]).collect(),
        ),
        false => (Channels::Gray, gray.map(|p| p[0]).collect()),
    };
    let mut gray = Picture::new(
        picture.width,
        picture.height,
        channels,
        Samples::U8(samples),
    );
    gray.metadata = picture.metadata;
    gray
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_turned_as_the_image_crate_turns_them() {
        let pixels = (0..5 * 3 * 3).collect::<Vec<u8>>();
        let image = image::RgbImage::from_raw(5, 3, pixels).expect("45 numbers");
        for number in 1..=8 {
            let orientation = Orientation::from_exif(number).expect("one of eight");
            let mut turned = DynamicImage::from(image.clone());
            let ours = turn(picture(turned.clone()), orientation);
            turned.apply_orientation(orientation);
            assert_eq!(ours, picture(turned), "{number}");
        }
    }
}
