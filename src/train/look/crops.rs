//! Pictures of a run, small and few: what the network makes of the same crops over the course of training.

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use catanet::image::Image;
use catanet::imresize::upscale;
use picture::Picture;
use serde::{Deserialize, Serialize};

use crate::page::{png, seen};

/// The most pictures of a crop over the course of training.
const MOST_STAGES: usize = 8;

/// A small picture, and what the network made of it over the course of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Crop {
    /// What it shows.
    pub name: String,
    /// Its width, enlarged.
    pub width: usize,
    /// Its height, enlarged.
    pub height: usize,
    /// Enlarged by bicubic interpolation.
    pub bicubic: Png,
    /// As it is, where that is known.
    pub original: Option<Png>,
    stages: Vec<(u64, Png)>,
}

/// A file of PNG; base64 in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Png(pub Vec<u8>);

impl From<Png> for String {
    fn from(png: Png) -> String {
        STANDARD.encode(png.0)
    }
}

impl TryFrom<String> for Png {
    type Error = base64::DecodeError;
    fn try_from(text: String) -> Result<Png, base64::DecodeError> {
        STANDARD.decode(text).map(Png)
    }
}

impl Crop {
    /// A crop `[H, W]`, to be enlarged by `scale`, and the original `[H·s, W·s]`. Sides of 48 to 96 pixels are
    /// seen well, and keep the page small.
    ///
    /// # Errors
    /// They do not fit into memory as PNGs, say.
    pub fn new(
        name: &str,
        low: &Picture,
        scale: usize,
        original: Option<&Picture>,
    ) -> Result<Crop> {
        Ok(Crop {
            name: name.to_owned(),
            width: low.width * scale,
            height: low.height * scale,
            bicubic: Png(png(&upscale(&seen(low), scale))?),
            original: original
                .map(|picture| png(&seen(picture)))
                .transpose()?
                .map(Png),
            stages: Vec::new(),
        })
    }

    /// What the network makes of it after `step`. Of more than eight steps those are kept that lie most evenly,
    /// always the first and the last.
    ///
    /// # Errors
    /// As [`Crop::new`].
    pub fn stage(&mut self, step: u64, enlarged: &Picture) -> Result<()> {
        let picture = Png(png(&seen(enlarged))?);
        self.stages.retain(|stage| stage.0 < step);
        self.stages.push((step, picture));
        if self.stages.len() > MOST_STAGES {
            // Without it, the gap is the least.
            let gap = |i: &usize| self.stages[i + 1].0 - self.stages[i - 1].0;
            if let Some(i) = (1..self.stages.len() - 1).min_by_key(gap) {
                self.stages.remove(i);
            }
        }
        Ok(())
    }

    /// Forgets what came after `step`.
    pub fn rewind(&mut self, step: u64) {
        self.stages.retain(|stage| stage.0 <= step);
    }

    /// The steps and what the network had made of it then.
    pub fn stages(&self) -> &[(u64, Png)] {
        &self.stages
    }
}

/// Pictures of one height side by side, as a PNG: for TensorBoard, before, after and the original. Width, height,
/// file.
///
/// # Errors
/// They do not fit into memory as a PNG, say.
pub fn beside(pictures: &[&Picture]) -> Result<(usize, usize, Png)> {
    let images: Vec<_> = pictures.iter().map(|picture| seen(picture)).collect();
    let height = images.iter().map(|image| image.height).min().unwrap_or(0);
    let width: usize = images.iter().map(|image| image.width).sum();
    let row = |y: usize| {
        let images = images.iter();
        images.flat_map(move |image| &image.data[y * image.width * 3..(y + 1) * image.width * 3])
    };
    let data = (0..height).flat_map(row).copied().collect();
    Ok((width, height, Png(png(&Image::new(width, height, data))?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gray(side: usize) -> Picture {
        Image::new(side, side, vec![128; side * side * 3]).to_picture()
    }

    #[test]
    fn a_crop_keeps_eight_stages_with_the_first_and_the_last() {
        let mut crop = Crop::new("a", &gray(8), 2, None).expect("a crop");
        for step in (0..=100).map(|n| n * 100) {
            crop.stage(step, &gray(16)).expect("a stage");
        }
        let steps: Vec<_> = crop.stages().iter().map(|stage| stage.0).collect();
        assert_eq!(steps.len(), MOST_STAGES);
        assert_eq!((steps[0], steps[7]), (0, 10_000));
        let mut gaps = steps.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.all(|gap| (100..=3200).contains(&gap)), "{steps:?}");
    }

    #[test]
    fn pictures_stand_side_by_side() {
        let (width, height, png) = beside(&[&gray(4), &gray(4), &gray(4)]).expect("a PNG");
        assert_eq!((width, height), (12, 4));
        assert_eq!(picture::dimensions(&png.0).expect("a PNG"), (12, 4));
    }
}
