//! Benchmark sets: pairs of a low-resolution image and the high-resolution one it came from.
//!
//! The layout is BasicSR's: `ROOT/Set5/HR/NAME.png`, `ROOT/Set5/LR_bicubic/X2/NAMEx2.png`. Low-resolution files that
//! are missing are made by [`imresize`](crate::imresize), which gives the published ones to the last bit.

use std::path::{Path, PathBuf};

use super::dead_leaves::scene;
use super::folder::{folders_in, images_in, load_pair, low_resolution_file};
use crate::error::{Error, Result};
use crate::image::Image;
use crate::imresize::downscale;

/// The customary order of the sets of the literature; others follow by name.
const ORDER: [&str; 6] = ["Set5", "Set14", "B100", "BSD100", "Urban100", "Manga109"];

/// One image of a set.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The file's name without extension.
    pub name: String,
    /// The low-resolution image, ⌊H/s⌋×⌊W/s⌋.
    pub lr: Image,
    /// The high-resolution image, cut (top-left kept) to s times that.
    pub hr: Image,
}

/// A set of images to score.
#[derive(Clone, Debug)]
pub struct BenchmarkSet {
    /// `Set5`, …
    pub name: String,
    images: Images,
}

#[derive(Clone, Debug)]
enum Images {
    Files(Vec<PathBuf>),
    DeadLeaves {
        count: usize,
        size: usize,
        seed: u64,
    },
}

impl BenchmarkSet {
    /// The number of images.
    pub fn len(&self) -> usize {
        match &self.images {
            Images::Files(files) => files.len(),
            Images::DeadLeaves { count, .. } => *count,
        }
    }

    /// Whether there is nothing to score.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pairs at `scale`, by name, each read or made when it is asked for.
    ///
    /// # Errors
    /// Per pair: an unreadable file, an image smaller than `scale`, a low-resolution file of the wrong size.
    pub fn pairs(&self, scale: usize) -> impl Iterator<Item = Result<Pair>> {
        (0..self.len()).map(move |i| self.pair(i, scale))
    }

    fn pair(&self, i: usize, scale: usize) -> Result<Pair> {
        let (name, hr, lr) = match &self.images {
            Images::Files(files) => {
                let lr = low_resolution_file(&files[i], scale);
                let (hr, lr) = load_pair(&files[i], lr.as_deref(), scale)?;
                (
                    files[i]
                        .file_stem()
                        .unwrap_or_default()
                        .to_string_lossy()
                        .into_owned(),
                    hr,
                    lr,
                )
            }
            Images::DeadLeaves { size, seed, .. } => (
                format!("leaves_{:03}", i + 1),
                scene(*seed, i as u64, *size, *size).modcrop(scale),
                None,
            ),
        };
        Ok(Pair {
            name,
            lr: lr.unwrap_or_else(|| downscale(&hr, scale)),
            hr,
        })
    }
}

/// The set `DeadLeaves`: `count` generated scenes of `size`×`size`, always the same for one seed.
///
/// # Panics
/// From [`pairs`](BenchmarkSet::pairs), when `size` is below the scale.
pub fn dead_leaves_set(count: usize, size: usize, seed: u64) -> BenchmarkSet {
    BenchmarkSet {
        name: "DeadLeaves".into(),
        images: Images::DeadLeaves { count, size, seed },
    }
}

/// The sets under `root` (folders with `HR/` in them, or `root` itself), in the customary order.
///
/// # Errors
/// A missing folder, a root without sets, a set without images.
pub fn find_sets(root: &Path) -> Result<Vec<BenchmarkSet>> {
    let mut folders = folders_in(root)?;
    if root.join("HR").is_dir() {
        folders = vec![root.to_owned()];
    }
    folders.retain(|folder| folder.join("HR").is_dir());
    if folders.is_empty() {
        return Err(Error::NoSets {
            path: root.to_owned(),
        });
    }
    let open = |folder: PathBuf| {
        Ok(BenchmarkSet {
            name: folder_name(&folder),
            images: Images::Files(images_in(&folder.join("HR"))?),
        })
    };
    let mut sets = folders.into_iter().map(open).collect::<Result<Vec<_>>>()?;
    // The sort is stable and the folders come by name.
    sets.sort_by_key(|set| {
        ORDER
            .iter()
            .position(|name| same_set(name, &set.name))
            .unwrap_or(ORDER.len())
    });
    Ok(sets)
}

/// Those of `sets` that `names` ask for (in any case; B100 and BSD100 are one), all of them for no names.
///
/// # Errors
/// A name that no set has; the error lists those that exist.
pub fn select_sets(sets: Vec<BenchmarkSet>, names: &[String]) -> Result<Vec<BenchmarkSet>> {
    let wanted =
        |set: &BenchmarkSet| names.is_empty() || names.iter().any(|name| same_set(name, &set.name));
    if let Some(name) = names
        .iter()
        .find(|name| !sets.iter().any(|set| same_set(name, &set.name)))
    {
        let available = sets
            .iter()
            .map(|set| set.name.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        return Err(Error::UnknownSet {
            name: name.clone(),
            available,
        });
    }
    Ok(sets.into_iter().filter(wanted).collect())
}

fn same_set(a: &str, b: &str) -> bool {
    let plain = |name: &str| name.to_ascii_lowercase().replace("bsd100", "b100");
    plain(a) == plain(b)
}

/// The folder's own name, for `.` and `..` too.
fn folder_name(folder: &Path) -> String {
    let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    absolute
        .file_name()
        .unwrap_or(folder.as_os_str())
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests;
