//! The page: one file with all data in it.

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use catanet::config::BLOCKS;
use catanet::image::Image;
use catanet::imresize::upscale;
use serde::Serialize;

use super::{ATTENTION, Explained, pictures};
use crate::page::{address, escaped, fill, png};

/// What the page's script reads. Bytes are base64.
#[derive(Serialize)]
struct Data {
    width: usize,
    height: usize,
    scale: usize,
    square: String, // addresses of pictures
    enlarged: String,
    bicubic: String,
    blocks: Vec<Block>,
    asked: Vec<usize>, // tokens
    attention: Vec<Attention>,
    parts: Vec<(String, f64)>,
    attribution: Option<Found>,
}

#[derive(Serialize)]
struct Block {
    groups: String, // addresses of pictures
    channels: String,
    window: usize,
    group: usize,
    centres: usize,
    used: usize, // centres that have a token
    owner: String,
}

/// The weights of one block: for every token that is asked all tokens' shares, 255 being the largest.
#[derive(Serialize)]
struct Attention {
    block: usize,
    place: String,
    content: String,
}

#[derive(Serialize)]
struct Found {
    patch: [usize; 3], // column, row, side
    picture: String,
    index: f64,
}

impl Explained {
    /// The page as HTML, with facts on what made it.
    ///
    /// # Errors
    /// A picture does not fit into memory as PNG, say.
    pub fn html(&self, facts: &[(String, String)]) -> Result<String> {
        let facts = facts.iter().map(|(what, value)| {
            format!("<dt>{}</dt><dd>{}</dd>\n", escaped(what), escaped(value))
        });
        // Within a script, `</` could end it.
        let data = serde_json::to_string(&self.data()?)?.replace("</", "<\\/");
        let style = [include_str!("../page/style.css"), include_str!("page.css")].concat();
        Ok(fill(
            include_str!("page.html"),
            &[
                ("facts", facts.collect()),
                ("style", style),
                ("data", data),
                ("script", include_str!("page.js").to_owned()),
            ],
        ))
    }

    fn data(&self) -> Result<Data> {
        let picture = |image: &Image| Ok::<_, anyhow::Error>(address(&png(image)?));
        let asked = self.asked();
        let mut blocks = Vec::new();
        for (i, block) in self.blocks.iter().enumerate() {
            let mut used = block.owners().to_vec();
            used.sort_unstable();
            used.dedup();
            // At most 128 centres.
            let owner: Vec<u8> = block.owners().iter().map(|owner| *owner as u8).collect();
            blocks.push(Block {
                groups: picture(&pictures::groups(&self.square, block.owners()))?,
                channels: picture(&pictures::channels(&self.square, &self.features[i]))?,
                window: BLOCKS[i].window,
                group: BLOCKS[i].group,
                centres: BLOCKS[i].centres,
                used: used.len(),
                owner: STANDARD.encode(owner),
            });
        }
        let attention = ATTENTION.map(|number| {
            let block = &self.blocks[number];
            let all = |weights: &dyn Fn(usize) -> Vec<f32>| {
                let maps = asked.iter().flat_map(|&token| shares(&weights(token)));
                STANDARD.encode(maps.collect::<Vec<u8>>())
            };
            Attention {
                block: number,
                place: all(&|token| block.in_windows(token)),
                content: all(&|token| block.in_group(token)),
            }
        });
        let attribution = self.attribution.as_ref().map(|(patch, found)| {
            Ok::<_, anyhow::Error>(Found {
                patch: [patch.x, patch.y, patch.side],
                picture: picture(&pictures::attribution(&self.square, found))?,
                index: found.diffusion_index(),
            })
        });
        Ok(Data {
            width: self.square.width,
            height: self.square.height,
            scale: self.enlarged.width / self.square.width,
            square: picture(&self.square)?,
            enlarged: picture(&self.enlarged)?,
            bicubic: picture(&upscale(
                &self.square,
                self.enlarged.width / self.square.width,
            ))?,
            blocks,
            asked,
            attention: attention.into(),
            parts: self.parts.clone(),
            attribution: attribution.transpose()?,
        })
    }
}

/// Weights as bytes, the largest being 255: `[H·W]`
fn shares(weights: &[f32]) -> Vec<u8> {
    let most = weights
        .iter()
        .fold(f32::MIN_POSITIVE, |most, w| most.max(*w));
    let share = |weight: &f32| match *weight > 0.0 {
        true => (weight / most * 255.0).round().max(1.0) as u8, // what counts at all is seen
        false => 0,
    };
    weights.iter().map(share).collect()
}
