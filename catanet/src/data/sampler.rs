//! Training sample n: which image, which crop, which symmetry. A pure function of (seed, n).

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::cache::Cache;
use super::check::{headers, too_small};
use super::dead_leaves::scene;
use super::options::LoaderOptions;
use super::place::Place;
use super::rng::{Rng, Stream};
use super::source::Source;
use crate::error::Result;
use crate::image::{Image, Symmetry};
use crate::imresize::downscale_region;

/// Low-resolution pixels around a generated crop that its bicubic kernel (two pixels to each side) can reach:
/// the scene is that much larger, so the crop is as if cut from a large picture.
const MARGIN: usize = 2;

/// What the worker threads share.
pub(super) enum Images {
    /// And what all would take decoded, in bytes.
    Photos(Cache, u64),
    DeadLeaves,
}

impl Images {
    /// Looks at the headers of all files before anything is made of them.
    pub fn new(source: Source, options: &LoaderOptions) -> Result<Self> {
        let Source::Photos(files) = source else {
            return Ok(Self::DeadLeaves);
        };
        let bytes = headers(&files, options)?;
        let cache = Cache::new(files, options.scale, options.cache_bytes);
        Ok(Self::Photos(cache, bytes))
    }
}

/// A training pair.
pub(super) struct Sample {
    pub lr: Image,
    pub hr: Image,
    pub origin: Origin,
}

/// What a training pair was cut from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An image: its high-resolution side.
    Photo(Place),
    /// A generated scene, by its number.
    Scene(u64),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Photo(place) => write!(f, "{}", place.path().display()),
            Origin::Scene(number) => write!(f, "scene {number}"),
        }
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
    pub fn sample(&mut self, n: u64) -> Result<Sample> {
        let mut rng = Rng::new(self.options.seed, Stream::Crop, n);
        let symmetry = self.symmetry(rng.below(8));
        let images = self.images.clone();
        let (lr, hr, origin) = match &*images {
            Images::Photos(cache, _) => self.photo(cache, n, &mut rng)?,
            Images::DeadLeaves => self.leaves(n)?,
        };
        Ok(Sample {
            lr: lr.transformed(symmetry),
            hr: hr.transformed(symmetry),
            origin,
        })
    }

    /// One of the eight, without what is not asked for.
    fn symmetry(&self, number: usize) -> Symmetry {
        let LoaderOptions { hflip, rot, .. } = self.options;
        let all = Symmetry::ALL[number];
        Symmetry {
            flip_x: all.flip_x && hflip,
            flip_y: all.flip_y && rot,
            transpose: all.transpose && rot,
        }
    }

    /// A crop of a photograph. Without a low-resolution file only the part of it is made that is cut out, equal to
    /// the bit to shrinking the whole image.
    fn photo(&mut self, cache: &Cache, n: u64, rng: &mut Rng) -> Result<(Image, Image, Origin)> {
        let LoaderOptions { scale, patch, .. } = self.options;
        let number = self.image_of(n, cache.len());
        let photo = cache.get(number)?;
        let place = cache.place(number);
        let size = (photo.hr.width, photo.hr.height);
        let side = patch * scale;
        if size.0.min(size.1) < side {
            return Err(too_small(place, size, side)); // the file is another one since it was looked at
        }
        let x = rng.below(size.0 / scale - patch + 1);
        let y = rng.below(size.1 / scale - patch + 1);
        let cut = |x: Range<usize>, y: Range<usize>| match &photo.lr {
            Some(lr) => lr.crop(x.start, y.start, x.len(), y.len()),
            None => downscale_region(&photo.hr, scale, x, y),
        };
        let lr = self.low(n, (size.0 / scale, size.1 / scale), x, y, cut)?;
        let hr = photo.hr.crop(x * scale, y * scale, side, side);
        Ok((lr, hr, Origin::Photo(place.clone())))
    }

    fn leaves(&self, n: u64) -> Result<(Image, Image, Origin)> {
        let LoaderOptions {
            scale, patch, seed, ..
        } = self.options;
        let (reach, offset) = match &self.options.degrade {
            Some(degrade) => (degrade.reach(), degrade.offset(seed, n)),
            None => (0, [0, 0]),
        };
        let inner = patch + 2 * reach;
        let side = (inner + 2 * MARGIN) * scale;
        let hr = scene(seed, n, side, side);
        let [x, y] = offset.map(|offset| reach - offset);
        let cut = |x: Range<usize>, y: Range<usize>| {
            let inside = |r: Range<usize>| MARGIN + r.start..MARGIN + r.end;
            downscale_region(&hr, scale, inside(x), inside(y))
        };
        let lr = self.low(n, (inner, inner), x, y, cut)?;
        let [left, top] = [x, y].map(|at| (MARGIN + at) * scale);
        let hr = hr.crop(left, top, patch * scale, patch * scale);
        Ok((lr, hr, Origin::Scene(n)))
    }

    /// The low-resolution crop at (x, y) of an image of `size`, any part of which `cut` gives.
    fn low(
        &self,
        n: u64,
        size: (usize, usize),
        x: usize,
        y: usize,
        cut: impl Fn(Range<usize>, Range<usize>) -> Image,
    ) -> Result<Image> {
        let LoaderOptions { patch, seed, .. } = self.options;
        let (x, y) = (x..x + patch, y..y + patch);
        match &self.options.degrade {
            Some(degrade) => degrade.crop(size, x, y, (seed, n), cut),
            None => Ok(cut(x, y)),
        }
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
