//! What `explain` shows: what was read out of the network, as pictures and as a page.

use std::path::Path;

use anyhow::{Context, Result};
use autograd::{Var, no_grad};
use catanet::attribution::{Attribution, Patch};
use catanet::config::BLOCKS;
use catanet::image::Image;
use catanet::look::Look;
use catanet::{CATANet, LeftOut, Mode};
use tensor::Tensor;

use crate::terminal::shown;

mod page;
mod pictures;

/// The blocks whose attention is shown: early, in the middle, last.
const ATTENTION: [usize; 3] = [0, 3, 7];
/// So many tokens a side can be asked for their attention.
const ASKED: usize = 8;

/// What was found out about a square of a picture.
pub struct Explained {
    square: Image,
    enlarged: Image,
    blocks: Vec<Look>,
    /// What comes out of each block. `[H·W, C]`
    features: Vec<Vec<f32>>,
    /// What is left out, and by how many levels of 255 the enlarged square is another without it, on average.
    parts: Vec<(String, f64)>,
    /// The patch of the enlarged square, and what it depends on.
    pub attribution: Option<(Patch, Attribution)>,
}

/// Looks at what the network does with a square.
///
/// # Errors
/// The device failed.
pub fn look(net: &CATANet, square: &Image) -> Result<Explained> {
    let (width, height, scale) = (square.width, square.height, net.scale());
    let x = Tensor::new(net.device(), &square.to_f32(), &[1, height, width, 3]);
    let blocks = (0..BLOCKS.len()).map(|i| pollster::block_on(net.look(&x, i)));
    let blocks = blocks.collect::<tensor::Result<Vec<_>>>()?;
    let x = Var::constant(x);
    let features = no_grad(|| net.features(&x));
    let features = features.iter().map(|f| f.value().to_vec());
    let features = features.collect::<tensor::Result<Vec<_>>>()?;
    let whole = no_grad(|| net.forward(&x, Mode::Eval)).value().to_vec()?;
    let mut asked = vec![("all blocks".to_owned(), LeftOut::Body)];
    for i in 0..blocks.len() {
        let block = i + 1;
        asked.push((format!("block {block}"), LeftOut::Block(i)));
        asked.push((format!("block {block}: token aggregation"), LeftOut::Tab(i)));
        asked.push((format!("block {block}: windows"), LeftOut::Lrsa(i)));
    }
    let mut parts = Vec::new();
    for (name, part) in asked {
        let without = no_grad(|| net.forward_without(&x, part)).value().to_vec()?;
        let differences = whole
            .iter()
            .zip(&without)
            .map(|(a, b)| f64::from((a - b).abs()));
        parts.push((name, differences.sum::<f64>() / whole.len() as f64 * 255.0));
    }
    Ok(Explained {
        square: square.clone(),
        enlarged: Image::from_f32(&whole, width * scale, height * scale),
        blocks,
        features,
        parts,
        attribution: None,
    })
}

impl Explained {
    /// The tokens that can be asked whom they attend to, in rows and columns at even distances.
    fn asked(&self) -> Vec<usize> {
        let (width, height) = (self.square.width, self.square.height);
        let along = |side: usize| (0..ASKED).map(move |i| (2 * i + 1) * side / (2 * ASKED));
        along(height)
            .flat_map(|y| along(width).map(move |x| y * width + x))
            .collect()
    }

    /// Writes the pictures, one file each.
    ///
    /// # Errors
    /// The folder cannot be made, or a file not be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", shown(folder)))?;
        let save = |name: String, image: &Image| {
            Ok::<_, anyhow::Error>(image.save_png(folder.join(name))?)
        };
        save("enlarged.png".to_owned(), &self.enlarged)?;
        for (i, block) in self.blocks.iter().enumerate() {
            let groups = pictures::groups(&self.square, block.owners());
            save(format!("groups_{}.png", i + 1), &groups)?;
            let channels = pictures::channels(&self.square, &self.features[i]);
            save(format!("features_{}.png", i + 1), &channels)?;
        }
        if let Some((_, attribution)) = &self.attribution {
            save(
                "attribution.png".to_owned(),
                &pictures::attribution(&self.square, attribution),
            )?;
        }
        Ok(())
    }
}
