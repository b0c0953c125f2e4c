//! MATLAB's `imresize(image, scale, 'bicubic')` on 8-bit images, antialiasing included: what the low-resolution
//! images and the bicubic rows of the super-resolution literature are made with.
//!
//! An output sample at u (in input pixels) is Σ w(u − i)·input(i), w the cubic kernel with a = −0.5, widened by
//! 1/scale when shrinking and normalised to sum 1; the border is mirrored with the edge pixel repeated. Columns
//! first, then rows; after EACH pass the result is rounded half up and clamped to 8 bits. All sums in f64.

use std::ops::Range;

use crate::image::Image;

/// `image` resized by `scale` to ⌈scale·size⌉ pixels a side.
///
/// # Panics
/// When the image is empty or `scale` is not a positive number.
#[track_caller]
pub fn imresize(image: &Image, scale: f64) -> Image {
    assert!(scale > 0.0 && scale.is_finite(), "imresize: scale {scale}");
    let side = |n: usize| (n as f64 * scale).ceil() as usize;
    region(image, scale, 0..side(image.width), 0..side(image.height))
}

/// `image` shrunk to 1/`scale` of its size.
///
/// # Panics
/// When `scale` does not divide both sides (see [`Image::modcrop`]), or the image is empty.
#[track_caller]
pub fn downscale(image: &Image, scale: usize) -> Image {
    downscale_region(
        image,
        scale,
        0..image.width / scale,
        0..image.height / scale,
    )
}

/// The columns `x` and rows `y` of [`downscale`]`(image, scale)`, to the last bit, at the cost of that part alone.
///
/// # Panics
/// When `scale` does not divide both sides of the image, or the region leaves the shrunk image.
#[track_caller]
pub fn downscale_region(image: &Image, scale: usize, x: Range<usize>, y: Range<usize>) -> Image {
    assert!(
        image.width.is_multiple_of(scale) && image.height.is_multiple_of(scale),
        "downscale: {}×{} is not a multiple of {scale}",
        image.width,
        image.height
    );
    assert!(
        x.end * scale <= image.width && y.end * scale <= image.height,
        "downscale: columns {x:?}, rows {y:?} of an image of {}×{} at scale {scale}",
        image.width,
        image.height
    );
    region(image, 1.0 / scale as f64, x, y)
}

/// `image` enlarged `scale` times.
///
/// # Panics
/// When the image is empty or `scale` is 0.
#[track_caller]
pub fn upscale(image: &Image, scale: usize) -> Image {
    imresize(image, scale as f64)
}

/// Columns `x` and rows `y` of the resized image.
#[track_caller]
fn region(image: &Image, scale: f64, x: Range<usize>, y: Range<usize>) -> Image {
    assert!(
        image.width > 0 && image.height > 0,
        "imresize: the image is empty"
    );
    let (width, height) = (x.len(), y.len());
    let across = Contributions::new(image.width, scale, x);
    let down = Contributions::new(image.height, scale, y);
    // The first pass is needed only where the second will look.
    let (first, last) = across.reach();
    let mut column_sums = vec![0.0; (last + 1 - first) * 3];
    let mut middle = vec![0.0; column_sums.len()];
    let mut data = Vec::with_capacity(width * height * 3);
    for row in 0..height {
        column_sums.fill(0.0);
        for (source, weight) in down.of(row) {
            let pixels = &image.data[(source * image.width + first) * 3..];
            for (sum, &v) in column_sums.iter_mut().zip(pixels) {
                *sum += weight * f64::from(v);
            }
        }
        for (m, &sum) in middle.iter_mut().zip(&column_sums) {
            *m = f64::from(round_to_u8(sum));
        }
        for column in 0..width {
            let mut rgb = [0.0; 3];
            for (source, weight) in across.of(column) {
                let pixel = &middle[(source - first) * 3..][..3];
                rgb[0] += weight * pixel[0];
                rgb[1] += weight * pixel[1];
                rgb[2] += weight * pixel[2];
            }
            data.extend(rgb.map(round_to_u8));
        }
    }
    Image::new(width, height, data)
}

/// Half up; the cast truncates and saturates, which is floor and clamp.
fn round_to_u8(v: f64) -> u8 {
    (v + 0.5) as u8
}

/// Which input samples each output sample takes, and how much of each.
struct Contributions {
    taps: usize,
    index: Vec<usize>, // [outputs, taps]
    weight: Vec<f64>,  // [outputs, taps]
}

impl Contributions {
    /// For the outputs `range` of a line of `n` samples resized by `scale`.
    fn new(n: usize, scale: f64, range: Range<usize>) -> Self {
        let shrink = scale.min(1.0);
        let width = 4.0 / shrink;
        let taps = width.ceil() as usize + 2;
        let (mut index, mut weight) = (Vec::new(), Vec::new());
        for output in range {
            let u = (output + 1) as f64 / scale + 0.5 * (1.0 - 1.0 / scale); // MATLAB counts pixels from 1
            let left = (u - width / 2.0).floor();
            let at = weight.len();
            weight.extend((0..taps).map(|t| shrink * cubic(shrink * (u - (left + t as f64)))));
            let sum: f64 = weight[at..].iter().sum();
            weight[at..].iter_mut().for_each(|w| *w /= sum);
            index.extend((0..taps as i64).map(|t| mirror(left as i64 + t - 1, n)));
        }
        Self {
            taps,
            index,
            weight,
        }
    }

    /// (input sample, weight) of one output, weights of zero left out.
    fn of(&self, output: usize) -> impl Iterator<Item = (usize, f64)> {
        let at = output * self.taps..(output + 1) * self.taps;
        let pairs = self.index[at.clone()]
            .iter()
            .copied()
            .zip(self.weight[at].iter().copied());
        pairs.filter(|&(_, weight)| weight != 0.0)
    }

    /// First and last input sample that any output takes.
    fn reach(&self) -> (usize, usize) {
        let least = self.index.iter().copied().min().unwrap_or(0);
        (least, self.index.iter().copied().max().unwrap_or(0))
    }
}

/// Keys' kernel with a = −0.5.
fn cubic(x: f64) -> f64 {
    let x = x.abs();
    if x <= 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < 2.0 {
        ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    } else {
        0.0
    }
}

/// Position `i` on a line of `n` samples continued … 1 0 | 0 1 … n−1 | n−1 n−2 …
fn mirror(i: i64, n: usize) -> usize {
    let i = i.rem_euclid(2 * n as i64) as usize;
    if i < n { i } else { 2 * n - 1 - i }
}

#[cfg(test)]
mod tests;
