//! The metrics that option files name, as BasicSR's `metrics/psnr_ssim.py` defines them.

use serde::{Deserialize, Serialize};

use super::{Plane, Quality, mean_square, ssim};
use crate::image::Image;

/// What is measured, by BasicSR's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Measure {
    /// PSNR in dB of the output clamped and rounded to 8 bits, 10·log₁₀(255² / mse); infinite for equal images.
    #[serde(rename = "calculate_psnr")]
    Psnr,
    /// PSNR in dB of the output as it is, 10·log₁₀(1 / (mse + 1e-8)).
    #[default]
    #[serde(rename = "calculate_psnr_pt")]
    PsnrPt,
    /// SSIM of the output clamped and rounded to 8 bits.
    #[serde(rename = "calculate_ssim")]
    Ssim,
    /// SSIM of the output as it is.
    #[serde(rename = "calculate_ssim_pt")]
    SsimPt,
}

/// A metric with its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Metric {
    /// What is measured.
    pub measure: Measure,
    /// Pixels that are cut from every edge.
    pub crop_border: usize,
    /// On Y instead of the three colours.
    pub test_y_channel: bool,
}

impl Metric {
    /// Compares `output` with `reference`, both `[height, width, 3]` RGB in `[0, 1]`. None where too little is
    /// left between the borders: for SSIM, less than 11 pixels a side.
    ///
    /// # Panics
    /// When a slice has another length.
    #[track_caller]
    pub fn of(
        &self,
        output: &[f32],
        reference: &[f32],
        height: usize,
        width: usize,
    ) -> Option<f64> {
        let rounded;
        let output = match self.measure {
            Measure::Psnr | Measure::Ssim => {
                rounded = Image::from_f32(output, width, height).to_f32();
                &rounded
            }
            Measure::PsnrPt | Measure::SsimPt => output,
        };
        let planes = |rgb: &[f32]| self.planes(rgb, height, width);
        let (a, b) = (planes(output)?, planes(reference)?);
        let pairs = || a.iter().zip(&b);
        let count = a.len() as f64;
        match self.measure {
            Measure::Psnr | Measure::PsnrPt => {
                let square = pairs().map(|(a, b)| mean_square(a, b)).sum::<f64>() / count;
                let floor = match self.measure {
                    Measure::PsnrPt => 1e-8,
                    _ => 0.0,
                };
                Some(-10.0 * (square + floor).log10())
            }
            Measure::Ssim | Measure::SsimPt => {
                let sum: Option<f64> = pairs().map(|(a, b)| ssim(a, b)).sum();
                Some(sum? / count)
            }
        }
    }

    /// The figure where `quality`, measured with this `border`, has it already.
    pub(crate) fn among(&self, quality: &Quality, border: usize) -> Option<f64> {
        let same = self.test_y_channel && self.crop_border == border;
        match self.measure {
            Measure::PsnrPt if same => Some(quality.psnr),
            Measure::SsimPt if same => Some(quality.ssim),
            Measure::Ssim if same => Some(quality.ssim_8bit),
            _ => None, // of equal images `Psnr` is infinite
        }
    }

    /// What is compared: Y, or the three colours.
    #[track_caller]
    fn planes(&self, rgb: &[f32], height: usize, width: usize) -> Option<Vec<Plane>> {
        let border = self.crop_border;
        if self.test_y_channel {
            return Some(vec![Plane::luma(rgb, height, width, border)?]);
        }
        let colour = |c: usize| Plane::new(rgb, height, width, border, |p| f64::from(p[c]) * 255.0);
        (0..3).map(colour).collect()
    }
}
