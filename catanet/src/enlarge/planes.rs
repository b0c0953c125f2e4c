//! A picture as the network sees it, and back.

use picture::{Channels, Picture, Samples};

/// A picture's colours and its transparency, as floats.
pub struct Planes {
    /// Three channels, 0 to 1. Gray is three times the same.
    pub rgb: Vec<f32>, // [H, W, 3]
    /// Where the picture has such a channel and is not opaque all over: 0 to 1.
    pub alpha: Option<Vec<f32>>, // [H, W]
    channels: Channels,
    gray: bool, // everywhere, whatever the channels
    depth: Depth,
    clipped: usize, // numbers below 0, or none at all
}

#[derive(Clone, Copy)]
enum Depth {
    U8,
    U16,
    /// What stands for 1 in `rgb`: floats go beyond white, and highlights are to survive.
    F32 {
        white: f32,
    },
}

impl Planes {
    pub fn of(picture: &Picture) -> Planes {
        let channels = picture.channels;
        let mut clipped = 0;
        let (values, depth): (Vec<f32>, Depth) = match &picture.samples {
            Samples::U8(v) => (v.iter().map(|&v| f32::from(v) / 255.0).collect(), Depth::U8),
            Samples::U16(v) => (
                v.iter().map(|&v| f32::from(v) / 65535.0).collect(),
                Depth::U16,
            ),
            Samples::F32(v) => {
                let largest = v
                    .iter()
                    .copied()
                    .filter(|v| v.is_finite())
                    .fold(1.0, f32::max);
                let mut scaled = |&v: &f32| {
                    clipped += usize::from(!(v >= 0.0 && v.is_finite()));
                    // NaN becomes 0, infinity the largest there is.
                    if v.is_nan() {
                        0.0
                    } else {
                        v.clamp(0.0, largest) / largest
                    }
                };
                let values = v.iter().map(&mut scaled).collect();
                (values, Depth::F32 { white: largest })
            }
        };
        let count = channels.count();
        let white = match depth {
            Depth::F32 { white } => white, // alpha's 1 is 1
            _ => 1.0,
        };
        let alpha = channels.has_alpha().then(|| -> Vec<f32> {
            let last = values.iter().skip(count - 1).step_by(count);
            last.map(|&a| (a * white).min(1.0)).collect()
        });
        let alpha = alpha.filter(|alpha| alpha.iter().any(|&a| a < 1.0));
        let rgb = match channels {
            Channels::Rgb => values,
            _ => {
                let colours = if channels.is_gray() {
                    [0; 3]
                } else {
                    [0, 1, 2]
                };
                let pixels = values.chunks_exact(count);
                pixels.flat_map(|pixel| colours.map(|c| pixel[c])).collect()
            }
        };
        let gray = rgb.chunks_exact(3).all(|p| p[0] == p[1] && p[1] == p[2]);
        Planes {
            rgb,
            alpha,
            channels,
            gray,
            depth,
            clipped,
        }
    }

    /// What was changed, as clauses.
    pub fn notes(&self) -> Vec<String> {
        let note = |n| format!("{n} numbers below 0 or not finite were clipped");
        (self.clipped > 0)
            .then(|| note(self.clipped))
            .into_iter()
            .collect()
    }

    /// The numbers of a picture like this one, of these colours `[H, W, 3]` and this alpha `[H, W]`
    /// (without it: opaque).
    pub fn samples(&self, rgb: &[f32], alpha: Option<&[f32]>) -> Samples {
        match self.depth {
            // Ties to even, as NumPy's `round` has it. Casts of floats saturate, and NaN becomes 0.
            Depth::U8 => Samples::U8(self.interleave(rgb, alpha, |v| {
                (v.clamp(0.0, 1.0) * 255.0).round_ties_even() as u8
            })),
            Depth::U16 => Samples::U16(self.interleave(rgb, alpha, |v| {
                (v.clamp(0.0, 1.0) * 65535.0).round_ties_even() as u16
            })),
            Depth::F32 { white } => {
                let scaled: Vec<f32> = rgb.iter().map(|&v| v.max(0.0) * white).collect();
                Samples::F32(self.interleave(&scaled, alpha, |v| v))
            }
        }
    }

    fn interleave<T>(
        &self,
        rgb: &[f32],
        alpha: Option<&[f32]>,
        number: impl Fn(f32) -> T,
    ) -> Vec<T> {
        let mut samples = Vec::with_capacity(rgb.len() / 3 * self.channels.count());
        for (i, pixel) in rgb.chunks_exact(3).enumerate() {
            let gray = luma(pixel);
            match (self.channels.is_gray(), self.gray) {
                (true, _) => samples.push(number(gray)),
                (false, true) => samples.extend([gray; 3].map(&number)), // no tint
                (false, false) => samples.extend(pixel.iter().map(|&v| number(v))),
            }
            if self.channels.has_alpha() {
                samples.push(number(alpha.map_or(1.0, |alpha| alpha[i])));
            }
        }
        samples
    }
}

/// Gray of a colour, by the weights of Rec. 601: the Y that networks are scored on.
fn luma(pixel: &[f32]) -> f32 {
    0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]
}
