//! PSNR and SSIM on luma, as super-resolution papers print them, in both protocols.
//!
//! Y = 65.481 R + 128.553 G + 24.966 B + 16 with RGB in `[0, 1]` (BT.601), `border` pixels cut from every edge, all
//! sums in f64. The RAW protocol takes the network's float output as it is; the 8-BIT protocol clamps and rounds
//! it first. CATANet's own tables are raw, most others' 8-bit.

mod basicsr;

use rayon::prelude::*;

pub use basicsr::{Measure, Metric};

use crate::image::Image;

/// The figures of one image (or, through [`Quality::mean`], of a set), PSNR in dB.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Quality {
    /// PSNR, raw protocol.
    pub psnr: f64,
    /// SSIM, raw protocol.
    pub ssim: f64,
    /// PSNR of the output clamped and rounded to 8 bits.
    pub psnr_8bit: f64,
    /// SSIM of the output clamped and rounded to 8 bits.
    pub ssim_8bit: f64,
}

impl Quality {
    /// Compares `output` with `reference`, both `[height, width, 3]` RGB. `None` when a side is below
    /// 2·`border` + 11: SSIM's Gaussian does not fit between the borders.
    ///
    /// # Panics
    /// When a slice has another length.
    #[track_caller]
    pub fn of(
        output: &[f32],
        reference: &[f32],
        height: usize,
        width: usize,
        border: usize,
    ) -> Option<Self> {
        let rounded = Image::from_f32(output, width, height).to_f32();
        Some(Self {
            psnr: psnr_y(output, reference, height, width, border)?,
            ssim: ssim_y(output, reference, height, width, border)?,
            psnr_8bit: psnr_y(&rounded, reference, height, width, border)?,
            ssim_8bit: ssim_y(&rounded, reference, height, width, border)?,
        })
    }

    /// The mean of each figure over images, as sets are reported; `None` for no images.
    pub fn mean(images: &[Self]) -> Option<Self> {
        let n = images.len() as f64;
        let mean = |figure: fn(&Self) -> f64| images.iter().map(figure).sum::<f64>() / n;
        (!images.is_empty()).then(|| Self {
            psnr: mean(|q| q.psnr),
            ssim: mean(|q| q.ssim),
            psnr_8bit: mean(|q| q.psnr_8bit),
            ssim_8bit: mean(|q| q.ssim_8bit),
        })
    }
}

/// PSNR on Y in dB: 10·log₁₀(1 / (mse + 1e-8)), Y scaled to `[0, 1]`; equal images give 80 dB.
/// `a`, `b`: `[height, width, 3]`. `None` when the borders leave nothing.
///
/// # Panics
/// When a slice has another length.
#[track_caller]
pub fn psnr_y(a: &[f32], b: &[f32], height: usize, width: usize, border: usize) -> Option<f64> {
    let plane = |rgb| Plane::luma(rgb, height, width, border);
    Some(-10.0 * (mean_square(&plane(a)?, &plane(b)?) + 1e-8).log10())
}

/// The mean square of the difference, for a range of 1.
fn mean_square(a: &Plane, b: &Plane) -> f64 {
    let pairs = a.values.iter().zip(&b.values);
    let squares: f64 = pairs.map(|(a, b)| ((a - b) / 255.0).powi(2)).sum();
    squares / a.values.len() as f64
}

/// Mean SSIM on Y with Wang's 11×11 Gaussian (σ 1.5), valid region only, K = 0.01, 0.03, range 255.
/// `a`, `b`: `[height, width, 3]`. `None` when a side is below 2·`border` + 11.
///
/// # Panics
/// When a slice has another length.
#[track_caller]
pub fn ssim_y(a: &[f32], b: &[f32], height: usize, width: usize, border: usize) -> Option<f64> {
    let plane = |rgb| Plane::luma(rgb, height, width, border);
    ssim(&plane(a)?, &plane(b)?)
}

/// [`ssim_y`] of any planes of one size.
fn ssim(a: &Plane, b: &Plane) -> Option<f64> {
    let (rows, columns) = (
        a.height.checked_sub(TAPS - 1)?,
        a.width.checked_sub(TAPS - 1)?,
    );
    if rows == 0 || columns == 0 {
        return None;
    }
    // Strips keep the blurred rows in cache; their sums are added in order, so the result does not depend on
    // the number of threads.
    let strips = rows.div_ceil(STRIP);
    let sums: Vec<f64> = (0..strips)
        .into_par_iter()
        .map(|s| ssim_sum(a, b, s * STRIP, STRIP.min(rows - s * STRIP), columns))
        .collect();
    Some(sums.iter().sum::<f64>() / (rows * columns) as f64)
}

/// Side of SSIM's Gaussian.
const TAPS: usize = 11;
const STRIP: usize = 32;

/// Sum of SSIM over output rows `top .. top + rows`: the Gaussian is separable, across first, then down.
fn ssim_sum(a: &Plane, b: &Plane, top: usize, rows: usize, columns: usize) -> f64 {
    const C1: f64 = (0.01 * 255.0) * (0.01 * 255.0);
    const C2: f64 = (0.03 * 255.0) * (0.03 * 255.0);
    let gaussian = gaussian();
    let mut across = Vec::with_capacity((rows + TAPS - 1) * columns); // [rows + 10, columns] of 5 moments
    for row in top..top + rows + TAPS - 1 {
        let moments: Vec<[f64; 5]> = a
            .row(row)
            .iter()
            .zip(b.row(row))
            .map(|(&a, &b)| [a, b, a * a, b * b, a * b])
            .collect();
        across.extend(
            moments
                .windows(TAPS)
                .map(|run| weighted(&gaussian, run.iter())),
        );
    }
    let mut sum = 0.0;
    for row in 0..rows {
        for column in 0..columns {
            let down = across[row * columns + column..].iter().step_by(columns);
            let [ma, mb, aa, bb, ab] = weighted(&gaussian, down);
            let (va, vb, cov) = (aa - ma * ma, bb - mb * mb, ab - ma * mb);
            sum += (2.0 * ma * mb + C1) * (2.0 * cov + C2)
                / ((ma * ma + mb * mb + C1) * (va + vb + C2));
        }
    }
    sum
}

fn weighted<'a>(weights: &[f64; TAPS], values: impl Iterator<Item = &'a [f64; 5]>) -> [f64; 5] {
    let mut sum = [0.0; 5];
    for (w, value) in weights.iter().zip(values) {
        for (s, v) in sum.iter_mut().zip(value) {
            *s += w * v;
        }
    }
    sum
}

fn gaussian() -> [f64; TAPS] {
    let g: [f64; TAPS] =
        std::array::from_fn(|i| (-((i as f64 - 5.0).powi(2)) / (2.0 * 1.5 * 1.5)).exp());
    let sum: f64 = g.iter().sum();
    g.map(|v| v / sum)
}

/// One number a pixel, up to 255, without the borders.
struct Plane {
    height: usize,
    width: usize,
    values: Vec<f64>, // [height, width]
}

impl Plane {
    /// `of` every pixel of `[height, width, 3]`; None when the borders leave nothing.
    #[track_caller]
    fn new(
        rgb: &[f32],
        height: usize,
        width: usize,
        border: usize,
        of: impl Fn(&[f32]) -> f64,
    ) -> Option<Self> {
        assert_eq!(
            rgb.len(),
            height * width * 3,
            "metrics: {} values for [{height}, {width}, 3]",
            rgb.len()
        );
        let (h, w) = (
            height.checked_sub(2 * border)?,
            width.checked_sub(2 * border)?,
        );
        if h == 0 || w == 0 {
            return None;
        }
        let row = |y: usize| rgb[(y * width + border) * 3..][..w * 3].chunks_exact(3);
        Some(Self {
            height: h,
            width: w,
            values: (border..border + h).flat_map(row).map(of).collect(),
        })
    }

    /// Y in `[16, 235]`.
    #[track_caller]
    fn luma(rgb: &[f32], height: usize, width: usize, border: usize) -> Option<Self> {
        Self::new(rgb, height, width, border, |p| {
            65.481 * f64::from(p[0]) + 128.553 * f64::from(p[1]) + 24.966 * f64::from(p[2]) + 16.0
        })
    }

    fn row(&self, y: usize) -> &[f64] {
        &self.values[y * self.width..][..self.width]
    }
}

#[cfg(test)]
mod tests;
