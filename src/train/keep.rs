//! Crops of validated images over the course of training.

use anyhow::Result;
use catanet::data::benchmark::Pair;
use catanet::image::Image;

use super::look::crops::{Crop, Png, beside};
use super::look::story::RunStory;

/// How many crops are kept, and the side that they have at most, enlarged.
const CROPS: usize = 4;
const SIDE: usize = 160;

/// A crop that was kept.
pub struct Kept {
    /// Whether it is of the first image.
    pub first: bool,
    /// What the network made of it beside the original: width, height, file.
    pub beside: (usize, usize, Png),
}

/// Keeps in `story` the middle of an image as it is after `step`, if it is one of the first ones.
///
/// # Errors
/// It does not fit into memory as a PNG, say.
pub fn keep(
    story: &mut RunStory,
    step: u64,
    name: &str,
    pair: &Pair,
    output: &Image,
) -> Result<Option<Kept>> {
    let known = story.crops.iter().position(|crop| crop.name == name);
    if known.is_none() && story.crops.len() >= CROPS {
        return Ok(None);
    }
    let scale = story.scale;
    let side = |n: usize| n.min(SIDE / scale);
    let (width, height) = (side(pair.lr.width), side(pair.lr.height));
    let (x, y) = ((pair.lr.width - width) / 2, (pair.lr.height - height) / 2);
    let cut = |image: &Image, s: usize| {
        let part = image.crop(x * s, y * s, width * s, height * s);
        part.to_picture()
    };
    let [enlarged, original] = [output, &pair.hr].map(|image| cut(image, scale));
    let number = match known {
        Some(number) => number,
        None => {
            let crop = Crop::new(name, &cut(&pair.lr, 1), scale, Some(&original))?;
            story.crops.push(crop);
            story.crops.len() - 1
        }
    };
    story.crops[number].stage(step, &enlarged)?;
    Ok(Some(Kept {
        first: number == 0,
        beside: beside(&[&enlarged, &original])?,
    }))
}
