//! Training sample n: which image, which crop, which symmetry. A pure function of (seed, n).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cache::Cache;
use super::dead_leaves::scene;
use super::folder::{images_below, images_in, low_resolution_file};
use super::options::LoaderOptions;
use super::rng::{Rng, Stream};
use crate::error::{Error, Result};
use crate::image::{Image, Symmetry};
use crate::imresize::downscale_region;

/// Low-resolution pixels around a generated crop that its bicubic kernel (two pixels to each side) can reach:
/// the scene is that much larger, so the crop is as if cut from a large picture.
const MARGIN: usize = 2;

/// Where training images come from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Source {
    /// Files: the high-resolution image and, where it exists, its low-resolution one (otherwise made on the fly).
    #[serde(rename = "photographs")]
    Photos(#[serde(skip)] Vec<(PathBuf, Option<PathBuf>)>),
    /// Generated scenes, each used once.
    #[serde(rename = "generated scenes")]
    DeadLeaves,
}

impl Source {
    /// Opens `folder`: with `HR/` in it the images there, paired with `LR_bicubic/X{scale}/NAMEx{scale}.png` where
    /// that exists (BasicSR's layout); otherwise every image in it, searched recursively.
    ///
    /// # Errors
    /// A missing folder, a folder without images.
    pub fn open(folder: &Path, scale: usize) -> Result<Self> {
        let hr = folder.join("HR");
        let files = if hr.is_dir() {
            images_in(&hr)?
                .into_iter()
                .map(|hr| (hr.clone(), low_resolution_file(&hr, scale)))
                .collect()
        } else {
            images_below(folder)?
                .into_iter()
                .map(|hr| (hr, None))
                .collect()
        };
        Ok(Self::Photos(files))
    }
}

/// What the worker threads share.
pub(super) enum Images {
    Photos(Cache),
    DeadLeaves,
}

impl Images {
    /// Checks, by their headers, that all files are images large enough: a run should not end at its first epoch's
    /// last image.
    pub fn new(source: Source, options: &LoaderOptions) -> Result<Self> {
        let Source::Photos(files) = source else {
            return Ok(Self::DeadLeaves);
        };
        let needed = options.patch * options.scale;
        for (hr, _) in &files {
            let size = Image::size_on_disk(hr)?;
            if size.0.min(size.1) < needed {
                return Err(Error::TooSmall {
                    path: hr.clone(),
                    size,
                    needed,
                    what: "the training crop",
                });
            }
        }
        Ok(Self::Photos(Cache::new(
            files,
            options.scale,
            options.cache_bytes,
        )))
    }
}

/// Makes samples; each worker thread has its own.
pub(super) struct Sampler {
    images: Arc<Images>,
    options: LoaderOptions,
    order: Option<(u64, Vec<usize>)>, // the epoch last asked for, and its permutation of the images
}

impl Sampler {
    pub fn new(images: Arc<Images>, options: LoaderOptions) -> Self {
        Self {
            images,
            options,
            order: None,
        }
    }

    pub fn options(&self) -> &LoaderOptions {
        &self.options
    }

    /// Sample `n`: (low-resolution, high-resolution) crop, flipped and transposed with p = 0.5 each.
    pub fn sample(&mut self, n: u64) -> Result<(Image, Image)> {
        let mut rng = Rng::new(self.options.seed, Stream::Crop, n);
        let symmetry = Symmetry::ALL[rng.below(8)];
        let images = self.images.clone();
        let (lr, hr) = match &*images {
            Images::Photos(cache) => self.photo(cache, n, &mut rng)?,
            Images::DeadLeaves => self.leaves(n),
        };
        Ok((lr.transformed(symmetry), hr.transformed(symmetry)))
    }

    /// A crop of a photograph. Without a low-resolution file only the part of it is made that is cut out, equal to
    /// the bit to shrinking the whole image.
    fn photo(&mut self, cache: &Cache, n: u64, rng: &mut Rng) -> Result<(Image, Image)> {
        let LoaderOptions { scale, patch, .. } = self.options;
        let photo = cache.get(self.image_of(n, cache.len()))?;
        let x = rng.below(photo.hr.width / scale - patch + 1);
        let y = rng.below(photo.hr.height / scale - patch + 1);
        let lr = match &photo.lr {
            Some(lr) => lr.crop(x, y, patch, patch),
            None => downscale_region(&photo.hr, scale, x..x + patch, y..y + patch),
        };
        Ok((
            lr,
            photo
                .hr
                .crop(x * scale, y * scale, patch * scale, patch * scale),
        ))
    }

    fn leaves(&self, n: u64) -> (Image, Image) {
        let LoaderOptions {
            scale, patch, seed, ..
        } = self.options;
        let side = (patch + 2 * MARGIN) * scale;
        let hr = scene(seed, n, side, side);
        let inside = MARGIN..MARGIN + patch;
        let lr = downscale_region(&hr, scale, inside.clone(), inside);
        (
            lr,
            hr.crop(MARGIN * scale, MARGIN * scale, patch * scale, patch * scale),
        )
    }

    /// Samples go through the images in epochs, every epoch in another order.
    fn image_of(&mut self, n: u64, images: usize) -> usize {
        let (epoch, position) = (n / images as u64, n % images as u64);
        if self.order.as_ref().is_none_or(|(at, _)| *at != epoch) {
            let order = Rng::new(self.options.seed, Stream::Order, epoch).permutation(images);
            self.order = Some((epoch, order));
        }
        self.order
            .as_ref()
            .map_or(0, |(_, order)| order[position as usize])
    }
}
