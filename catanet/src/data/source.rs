//! Where training images come from.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::check::headers;
use super::folder::{high_resolution_folder, images_below, images_in};
use super::options::LoaderOptions;
use super::paired::Paired;
use super::partners::partners;
use super::place::Place;
use crate::error::Result;

/// Where training images come from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Source {
    /// The high-resolution image and, where it exists, its low-resolution one (otherwise made on the fly).
    #[serde(rename = "photographs")]
    Photos(#[serde(skip)] Vec<(Place, Option<Place>)>),
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
        Ok(Self::open_with_notes(folder, scale)?.0)
    }

    /// [`open`](Self::open), and what a user should know of the pairs, a sentence each: which low-resolution
    /// files are missing, or belong to nothing.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with_notes(folder: &Path, scale: usize) -> Result<(Self, Vec<String>)> {
        let Some(hr) = high_resolution_folder(folder)? else {
            let files = images_below(folder)?.into_iter();
            let alone = files.map(|hr| (Place::File(hr), None));
            return Ok((Self::Photos(alone.collect()), Vec::new()));
        };
        let files = images_in(&hr)?;
        let found = partners(&files, folder, scale)?;
        let files = files.into_iter().map(Place::File);
        let partners = found.files.into_iter().map(|lr| lr.map(Place::File));
        Ok((Self::Photos(files.zip(partners).collect()), found.notes))
    }

    /// Looks at the headers of all files, as a [`Loader`](super::Loader) does first.
    ///
    /// # Errors
    /// All images that cannot be opened, are smaller than the crop or do not fit their partners, in one error.
    pub fn check(&self, options: &LoaderOptions) -> Result<()> {
        match self {
            Self::Photos(pairs) => headers(pairs, options).map(drop),
            Self::DeadLeaves => Ok(()),
        }
    }

    /// The pairs of two folders that are named each by itself, and what a user should know of them, as from
    /// [`open_with_notes`](Self::open_with_notes).
    ///
    /// # Errors
    /// A folder or a list that cannot be read or is empty; a template that fits no low-resolution file.
    pub fn paired(paired: &Paired, scale: usize) -> Result<(Self, Vec<String>)> {
        let found = paired.find(scale)?;
        Ok((Self::Photos(found.pairs), found.notes))
    }

    /// How many images there are, and a checksum of their names in order: what a run's batches follow from, wherever
    /// the folder lies. None of generated scenes.
    pub fn fingerprint(&self) -> Option<String> {
        let Self::Photos(pairs) = self else {
            return None;
        };
        let mut sum = crc32fast::Hasher::new();
        for (hr, _) in pairs {
            let path = hr.path();
            sum.update(path.file_name().unwrap_or_default().as_encoded_bytes());
            sum.update(b"\n");
        }
        Some(format!("{} images ({:08x})", pairs.len(), sum.finalize()))
    }

    /// Takes `count` of the images out, spread evenly over their order, to judge by them what the others teach
    /// (see [`BenchmarkSet::of`](super::benchmark::BenchmarkSet::of)). One image at least stays; of generated
    /// scenes none is taken.
    pub fn hold_out(self, count: usize) -> (Self, Vec<(Place, Option<Place>)>) {
        let Self::Photos(pairs) = self else {
            return (self, Vec::new());
        };
        let all = pairs.len();
        let count = count.min(all.saturating_sub(1));
        let mut taken = (0..count)
            .map(|i| (2 * i + 1) * all / (2 * count))
            .peekable();
        let (mut kept, mut held) = (Vec::new(), Vec::new());
        for (i, pair) in pairs.into_iter().enumerate() {
            match taken.next_if_eq(&i) {
                Some(_) => held.push(pair),
                None => kept.push(pair),
            }
        }
        (Self::Photos(kept), held)
    }
}
