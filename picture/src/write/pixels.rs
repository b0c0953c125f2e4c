//! The same pixels in fewer bits, without alpha, or in three channels.

use std::borrow::Cow;

use crate::picture::{Channels, Picture, Samples};

/// The bits of a number, in order of what they can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Depth {
    Eight,
    Sixteen,
    Float,
}

impl Depth {
    /// "16" or "32-bit floats".
    pub(super) fn words(self) -> &'static str {
        match self {
            Depth::Eight => "8",
            Depth::Sixteen => "16",
            Depth::Float => "32-bit floats",
        }
    }
}

/// Pixels on their way into a file. They are the picture's own as long as nothing is changed.
pub(super) struct Pixels<'a> {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) channels: Channels,
    pub(super) samples: Cow<'a, Samples>, // [H, W, C]
}

impl<'a> Pixels<'a> {
    pub(super) fn of(picture: &'a Picture) -> Pixels<'a> {
        Pixels {
            width: picture.width,
            height: picture.height,
            channels: picture.channels,
            samples: Cow::Borrowed(&picture.samples),
        }
    }

    pub(super) fn depth(&self) -> Depth {
        match *self.samples {
            Samples::U8(_) => Depth::Eight,
            Samples::U16(_) => Depth::Sixteen,
            Samples::F32(_) => Depth::Float,
        }
    }

    /// The samples of a picture of 8 bits.
    pub(super) fn eight(&self) -> Result<&[u8], String> {
        match &*self.samples {
            Samples::U8(samples) => Ok(samples),
            _ => Err("its samples have more than 8 bits".to_owned()),
        }
    }

    /// Numbers to a row.
    pub(super) fn row(&self) -> usize {
        self.width * self.channels.count()
    }

    /// Whether nothing shines through.
    pub(super) fn is_opaque(&self) -> bool {
        fn all<T: Copy>(samples: &[T], count: usize, opaque: impl Fn(T) -> bool) -> bool {
            samples
                .iter()
                .skip(count - 1)
                .step_by(count)
                .all(|&a| opaque(a))
        }
        let count = self.channels.count();
        match &*self.samples {
            _ if !self.channels.has_alpha() => true,
            Samples::U8(v) => all(v, count, |a| a == u8::MAX),
            Samples::U16(v) => all(v, count, |a| a == u16::MAX),
            Samples::F32(v) => all(v, count, |a| a >= 1.0),
        }
    }

    /// Whether some number is below black, above white or none at all.
    pub(super) fn is_outside(&self) -> bool {
        match &*self.samples {
            Samples::F32(v) => v.iter().any(|v| !(0.0..=1.0).contains(v)),
            _ => false,
        }
    }

    /// Laid on a colour, in the picture's own numbers. Gray stays gray on gray, and where nothing shines
    /// through.
    pub(super) fn laid_on(self, background: [u8; 3]) -> Pixels<'a> {
        let [red, green, blue] = background;
        let gray = self.channels.is_gray() && ((red == green && green == blue) || self.is_opaque());
        let channels = if gray { Channels::Gray } else { Channels::Rgb };
        let (from, to) = (self.channels.count(), channels.count());
        let samples = match &*self.samples {
            Samples::U8(v) => Samples::U8(lay(v, from, to, |colour, alpha, i| {
                let (alpha, behind) = (u32::from(alpha), u32::from(background[i]));
                ((u32::from(colour) * alpha + behind * (255 - alpha) + 127) / 255) as u8
            })),
            Samples::U16(v) => Samples::U16(lay(v, from, to, |colour, alpha, i| {
                let (alpha, behind) = (u32::from(alpha), u32::from(background[i]) * 257);
                ((u32::from(colour) * alpha + behind * (65535 - alpha) + 32767) / 65535) as u16
            })),
            Samples::F32(v) => Samples::F32(lay(v, from, to, |colour, alpha, i| {
                let behind = f32::from(background[i]) / 255.0;
                // What cannot be seen does not count, even if it is infinite or none at all.
                if alpha >= 1.0 {
                    colour
                } else if alpha > 0.0 {
                    colour * alpha + behind * (1.0 - alpha)
                } else {
                    behind
                }
            })),
        };
        self.with(channels, samples)
    }

    /// In fewer bits, rounded; floats are cut to 0 and 1 by that, and none at all is 0.
    pub(super) fn at(self, depth: Depth) -> Pixels<'a> {
        let samples = match (&*self.samples, depth) {
            (Samples::U16(v), Depth::Eight) => Samples::U8(
                v.iter()
                    .map(|&v| ((u32::from(v) + 128) / 257) as u8)
                    .collect(),
            ),
            (Samples::F32(v), Depth::Eight) => {
                Samples::U8(v.iter().map(|&v| (v * 255.0).round() as u8).collect())
            }
            (Samples::F32(v), Depth::Sixteen) => {
                Samples::U16(v.iter().map(|&v| (v * 65535.0).round() as u16).collect())
            }
            _ => return self,
        };
        let channels = self.channels;
        self.with(channels, samples)
    }

    /// Gray in three equal channels; alpha stays.
    pub(super) fn in_colour(self) -> Pixels<'a> {
        let (channels, from) = match self.channels {
            Channels::Gray => (Channels::Rgb, 1),
            Channels::GrayAlpha => (Channels::Rgba, 2),
            Channels::Rgb | Channels::Rgba => return self,
        };
        let samples = match &*self.samples {
            Samples::U8(v) => Samples::U8(tripled(v, from)),
            Samples::U16(v) => Samples::U16(tripled(v, from)),
            Samples::F32(v) => Samples::F32(tripled(v, from)),
        };
        self.with(channels, samples)
    }

    fn with(self, channels: Channels, samples: Samples) -> Pixels<'a> {
        Pixels {
            channels,
            samples: Cow::Owned(samples),
            ..self
        }
    }
}

/// Pixels of `from` channels, the last of them alpha, as pixels of `to` colours: `mix` makes colour `i` of
/// the pixel's and alpha.
fn lay<T: Copy>(samples: &[T], from: usize, to: usize, mix: impl Fn(T, T, usize) -> T) -> Vec<T> {
    let mut laid = Vec::with_capacity(samples.len() / from * to);
    for pixel in samples.chunks_exact(from) {
        let (colours, alpha) = (from - 1, pixel[from - 1]);
        laid.extend((0..to).map(|i| mix(pixel[i % colours], alpha, i)));
    }
    laid
}

/// Pixels of `from` channels with the first of them three times.
fn tripled<T: Copy>(samples: &[T], from: usize) -> Vec<T> {
    let mut tripled = Vec::with_capacity(samples.len() / from * (from + 2));
    for pixel in samples.chunks_exact(from) {
        tripled.extend_from_slice(&[pixel[0]; 3]);
        tripled.extend_from_slice(&pixel[1..]);
    }
    tripled
}
