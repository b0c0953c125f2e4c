//! Low-resolution images made worse, as compression, noise and soft lenses make them: a network that has seen
//! that enlarges real photographs without enlarging their faults.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use jpeg_encoder::{ColorType, Encoder};
use serde::{Deserialize, Serialize};

use super::rng::{Rng, Stream};
use crate::error::{Error, Result};
use crate::image::Image;

/// What is done to low-resolution crops: first blur, then noise, then JPEG, each by an amount drawn anew for
/// every crop, uniformly from a range.
///
/// Its text form, in option files and on command lines, is `jpeg=60..95,noise=0..8,blur=0..1.2`; a part may be
/// left out, and a range may be one number. The amounts and the noise follow from (seed, number of the sample).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Degrade {
    jpeg: Option<[f32; 2]>,
    noise: Option<[f32; 2]>,
    blur: Option<[f32; 2]>,
}

/// The parts of the text form, the order being that of what is stored; and the least and the largest number.
const PARTS: [(&str, f32, f32); 3] = [
    ("jpeg", 1.0, 100.0),  // quality; chroma is halved below 90, as most programs do
    ("noise", 0.0, 128.0), // standard deviation in levels of 8 bits, on each channel by itself
    ("blur", 0.0, 8.0),    // standard deviation of the Gaussian in pixels
];

/// A side of JPEG's blocks where chroma is halved.
const BLOCK: usize = 16;
/// Pixels beyond a crop that the decoder's smooth chroma may look at.
const CHROMA_REACH: usize = 2;

impl Degrade {
    fn ranges(&self) -> [Option<[f32; 2]>; 3] {
        [self.jpeg, self.noise, self.blur]
    }

    /// Pixels that the widest blur looks at to each side.
    fn radius(&self) -> usize {
        self.blur.map_or(0, |[_, high]| radius(high))
    }

    /// Pixels around a crop that its degraded pixels depend on, at most.
    pub(super) fn reach(&self) -> usize {
        match self.jpeg {
            Some(_) => self.radius() + CHROMA_REACH + BLOCK,
            None => self.radius(),
        }
    }

    /// Where a generated crop lies within JPEG's blocks, in each direction.
    pub(super) fn offset(&self, seed: u64, n: u64) -> [usize; 2] {
        let mut rng = Rng::new(seed, Stream::Offset, n);
        match self.jpeg {
            Some(_) => [rng.below(BLOCK), rng.below(BLOCK)],
            None => [0, 0],
        }
    }

    /// The crop `x`, `y` of an image of `size`, degraded as sample `n`: as if cut from the whole image after
    /// that was degraded (but for the noise, which is the sample's own). `cut` gives any part of the image.
    pub(super) fn crop(
        &self,
        size: (usize, usize),
        x: Range<usize>,
        y: Range<usize>,
        (seed, n): (u64, u64),
        cut: impl Fn(Range<usize>, Range<usize>) -> Image,
    ) -> Result<Image> {
        let blocks = [self.blocks(&x, size.0), self.blocks(&y, size.1)];
        let around = [
            self.around(&blocks[0], size.0),
            self.around(&blocks[1], size.1),
        ];
        let [columns, rows] = around.clone();
        let mut rng = Rng::new(seed, Stream::Degrade, n);
        // Always all three, in this order: one part changes nothing of another.
        let [blur, noise, quality] = [self.blur, self.noise, self.jpeg].map(|range| {
            let share = rng.uniform();
            range.map(|[low, high]| low + (high - low) * share)
        });
        let image = cut(columns, rows);
        let mut plane = Plane::of(&image);
        plane.blur(blur.unwrap_or(0.0));
        let plane = plane.crop(
            blocks[0].start - around[0].start,
            blocks[1].start - around[1].start,
            blocks[0].len(),
            blocks[1].len(),
        );
        let image = plane.with_noise(noise.unwrap_or(0.0), &mut rng);
        let image = match quality {
            Some(quality) => through_jpeg(&image, quality.round() as u8)?,
            None => image,
        };
        let (left, top) = (x.start - blocks[0].start, y.start - blocks[1].start);
        Ok(image.crop(left, top, x.len(), y.len()))
    }

    /// The whole blocks that pixels of `range` come from, in an image of `side` pixels.
    fn blocks(&self, range: &Range<usize>, side: usize) -> Range<usize> {
        if self.jpeg.is_none() {
            return range.clone();
        }
        let start = range.start.saturating_sub(CHROMA_REACH) / BLOCK * BLOCK;
        let end = (range.end + CHROMA_REACH).next_multiple_of(BLOCK);
        start..end.min(side)
    }

    /// What the blur of `range` looks at.
    fn around(&self, range: &Range<usize>, side: usize) -> Range<usize> {
        let radius = self.radius();
        range.start.saturating_sub(radius)..(range.end + radius).min(side)
    }
}

/// Beyond three standard deviations a Gaussian has 0.3% of its weight.
fn radius(sigma: f32) -> usize {
    (3.0 * sigma).ceil() as usize
}

/// An image in floats, 0 to 255, `[H, W, 3]`.
struct Plane {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

impl Plane {
    fn of(image: &Image) -> Plane {
        Plane {
            width: image.width,
            height: image.height,
            values: image.data.iter().map(|&v| f32::from(v)).collect(),
        }
    }

    /// A Gaussian blur; beyond its border the image goes on with the border's pixels.
    fn blur(&mut self, sigma: f32) {
        if radius(sigma) == 0 {
            return;
        }
        let weights = gaussian(sigma);
        let Plane { width, height, .. } = *self;
        self.pass(&weights, |x, y, shift| (shifted(x, shift, width), y));
        self.pass(&weights, |x, y, shift| (x, shifted(y, shift, height)));
    }

    fn pass(&mut self, weights: &[f32], place: impl Fn(usize, usize, isize) -> (usize, usize)) {
        let radius = (weights.len() / 2) as isize;
        let mut values = Vec::with_capacity(self.values.len());
        for (y, x) in (0..self.height).flat_map(|y| (0..self.width).map(move |x| (y, x))) {
            let mut rgb = [0.0; 3];
            for (shift, weight) in (-radius..).zip(weights) {
                let (x, y) = place(x, y, shift);
                let pixel = &self.values[(y * self.width + x) * 3..][..3];
                for (sum, value) in rgb.iter_mut().zip(pixel) {
                    *sum += weight * value;
                }
            }
            values.extend(rgb);
        }
        self.values = values;
    }

    fn crop(&self, x: usize, y: usize, width: usize, height: usize) -> Plane {
        let row = |y: usize| &self.values[(y * self.width + x) * 3..][..width * 3];
        Plane {
            width,
            height,
            values: (y..y + height).flat_map(row).copied().collect(),
        }
    }

    /// The image in 8 bits, with noise of this standard deviation.
    fn with_noise(&self, sigma: f32, rng: &mut Rng) -> Image {
        let to_u8 = |v: f32| v.round() as u8; // what is outside of 0 to 255 becomes the nearer end
        let values = self.values.iter();
        let data = match sigma > 0.0 {
            true => values.map(|v| to_u8(v + sigma * rng.normal())).collect(),
            false => values.map(|&v| to_u8(v)).collect(),
        };
        Image::new(self.width, self.height, data)
    }
}

fn shifted(at: usize, shift: isize, side: usize) -> usize {
    at.saturating_add_signed(shift).min(side - 1)
}

/// The weights of a Gaussian, of sum 1.
fn gaussian(sigma: f32) -> Vec<f32> {
    let radius = radius(sigma) as i32;
    let sigma = f64::from(sigma);
    let weight = |i: i32| exp_minus(f64::from(i * i) / (2.0 * sigma * sigma));
    let sum: f64 = (-radius..=radius).map(weight).sum();
    (-radius..=radius)
        .map(|i| (weight(i) / sum) as f32)
        .collect()
}

/// e⁻ˣ for x ≥ 0, from + and × and ÷ alone: a library's differs between machines.
fn exp_minus(x: f64) -> f64 {
    if x > 64.0 {
        return 0.0;
    }
    let small = x / 128.0;
    let mut value = 1.0;
    for i in (1..=12).rev() {
        value = 1.0 - small * value / f64::from(i);
    }
    for _ in 0..7 {
        value *= value;
    }
    value
}

/// The image as it comes back from a JPEG of this quality.
fn through_jpeg(image: &Image, quality: u8) -> Result<Image> {
    let failed = |what: String| Error::NotDegraded { what };
    let mut bytes = Vec::new();
    let sides = [image.width, image.height].map(u16::try_from);
    let [Ok(width), Ok(height)] = sides else {
        let (width, height) = (image.width, image.height);
        return Err(failed(format!(
            "a JPEG cannot have {width}×{height} pixels"
        )));
    };
    Encoder::new(&mut bytes, quality)
        .encode(&image.data, width, height, ColorType::Rgb)
        .map_err(|error| failed(error.to_string()))?;
    let read = picture::read(&bytes, &picture::ReadOptions::default());
    let reading = read.map_err(|error| failed(error.to_string()))?;
    Ok(Image::from_picture(&reading.picture))
}

impl fmt::Display for Degrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = PARTS.iter().zip(self.ranges());
        let part = |((name, ..), range): (&(&str, f32, f32), Option<[f32; 2]>)| {
            let [low, high] = range?;
            Some(match low == high {
                true => format!("{name}={low}"),
                false => format!("{name}={low}..{high}"),
            })
        };
        let parts: Vec<_> = parts.filter_map(part).collect();
        f.write_str(&parts.join(","))
    }
}

impl FromStr for Degrade {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let mut ranges = [None; 3];
        for part in text.split(',') {
            let (name, range) = part.split_once('=').unwrap_or((part, ""));
            let (name, range) = (name.trim(), range.trim());
            let known = PARTS.iter().position(|(known, ..)| *known == name);
            let Some(i) = known else {
                return Err(format!(
                    "{name:?} is none of jpeg, noise and blur; like {EXAMPLE}"
                ));
            };
            if ranges[i].is_some() {
                return Err(format!("{name} is given twice"));
            }
            ranges[i] = Some(parse_range(range, PARTS[i])?);
        }
        let [jpeg, noise, blur] = ranges;
        Ok(Degrade { jpeg, noise, blur })
    }
}

const EXAMPLE: &str = "jpeg=60..95,noise=0..8,blur=0..1.2";

fn parse_range(
    text: &str,
    (name, least, most): (&str, f32, f32),
) -> std::result::Result<[f32; 2], String> {
    let wrong = || {
        let kind = if name == "jpeg" {
            "whole numbers"
        } else {
            "numbers"
        };
        format!("{name}={text}: two {kind} from {least} to {most} are wanted, like {EXAMPLE}")
    };
    let (low, high) = text.split_once("..").unwrap_or((text, text));
    let number = |text: &str| text.trim().parse::<f32>().map_err(|_| wrong());
    let range @ [low, high] = [number(low)?, number(high)?];
    let whole = name != "jpeg" || range.iter().all(|v| v.fract() == 0.0);
    // A number that is none is not within.
    let within = range.iter().all(|v| (least..=most).contains(v));
    match whole && within {
        true if low > high => Err(format!("{name}={text}: the smaller number comes first")),
        true => Ok(range),
        false => Err(wrong()),
    }
}

impl TryFrom<String> for Degrade {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

impl From<Degrade> for String {
    fn from(degrade: Degrade) -> String {
        degrade.to_string()
    }
}

#[cfg(test)]
pub(super) mod tests;
