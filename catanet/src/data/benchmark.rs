//! Benchmark sets: pairs of a low-resolution image and the high-resolution one it came from.
//!
//! The layout is BasicSR's: `ROOT/Set5/HR/NAME.png`, `ROOT/Set5/LR_bicubic/X2/NAMEx2.png` (or `GTmod12` and
//! `LRbicx2`). Low-resolution files that are missing are made by [`imresize`](crate::imresize), which gives the
//! published ones to the last bit; that they are missing is told.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::check::headers;
use super::dead_leaves::scene;
use super::folder::{folders_in, high_resolution_folder, images_in, load_pair};
use super::options::LoaderOptions;
use super::paired::Paired;
use super::partners::partners;
use super::place::Place;
use super::stem::stem;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::imresize::downscale;

/// The customary order of the sets of the literature; others follow by name.
const ORDER: [&str; 6] = ["Set5", "Set14", "B100", "BSD100", "Urban100", "Manga109"];

/// One image of a set.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The file's name without extension, with it where another image of the set has the same.
    pub name: String,
    /// The low-resolution image, ⌊H/s⌋×⌊W/s⌋.
    pub lr: Image,
    /// The high-resolution image, cut (top-left kept) to s times that.
    pub hr: Image,
}

/// A set of images to score. Its files are looked for when it is opened.
#[derive(Clone, Debug)]
pub struct BenchmarkSet {
    /// `Set5`, …
    pub name: String,
    images: Images,
}

#[derive(Clone, Debug)]
enum Images {
    /// `hr` in full, low-resolution files somewhere in `set`.
    Folder { set: PathBuf, hr: PathBuf },
    /// A folder of images and nothing else.
    Flat(PathBuf),
    /// Two folders, named each by itself.
    Paired(Paired),
    /// What was found elsewhere.
    Pairs(Vec<(Place, Option<Place>)>),
    DeadLeaves {
        count: usize,
        size: usize,
        seed: u64,
    },
}

impl BenchmarkSet {
    /// The set of this name whose images lie as an option file says.
    pub fn paired(name: &str, paired: Paired) -> BenchmarkSet {
        BenchmarkSet {
            name: name.to_owned(),
            images: Images::Paired(paired),
        }
    }

    /// The set of this name with these images, and their low-resolution ones where there are some.
    pub fn of(name: &str, pairs: Vec<(Place, Option<Place>)>) -> BenchmarkSet {
        BenchmarkSet {
            name: name.to_owned(),
            images: Images::Pairs(pairs),
        }
    }

    /// Finds the set's images and what belongs to them at `scale`.
    ///
    /// # Errors
    /// A folder that cannot be listed, or without images; a template that fits no low-resolution file.
    pub fn open(&self, scale: usize) -> Result<Pairs> {
        let (places, notes) = match &self.images {
            Images::DeadLeaves { count, size, seed } => {
                let scene = |i| Files::Scene {
                    size: *size,
                    seed: *seed,
                    number: i as u64,
                };
                return Ok(Pairs {
                    scale,
                    names: (1..=*count).map(|i| format!("leaves_{i:03}")).collect(),
                    files: (0..*count).map(scene).collect(),
                    notes: Vec::new(),
                });
            }
            Images::Folder { set, hr } => {
                let files = images_in(hr)?;
                let found = partners(&files, set, scale)?;
                let partners = found.files.into_iter().map(|lr| lr.map(Place::File));
                let files = files.into_iter().map(Place::File);
                (files.zip(partners).collect(), found.notes)
            }
            Images::Flat(folder) => {
                let files = images_in(folder)?;
                let note = format!(
                    "no HR in {}: its images are one set, low-resolution images made by bicubic",
                    folder.display()
                );
                let alone = files.into_iter().map(|hr| (Place::File(hr), None));
                (alone.collect::<Vec<_>>(), vec![note])
            }
            Images::Pairs(pairs) => (pairs.clone(), Vec::new()),
            Images::Paired(paired) => {
                let found = paired.find(scale)?;
                (found.pairs, found.notes)
            }
        };
        let paths: Vec<_> = places.iter().map(|(hr, _)| hr.path()).collect();
        let names = distinct_names(&paths);
        let files = places.into_iter();
        Ok(Pairs {
            scale,
            names,
            files: files.map(|(hr, lr)| Files::Photo { hr, lr }).collect(),
            notes,
        })
    }

    /// The pairs at `scale`, by name, each read or made when it is asked for.
    ///
    /// # Errors
    /// A set that cannot be [opened](Self::open), as the only item; per pair those of [`Pairs::get`].
    pub fn pairs(&self, scale: usize) -> impl Iterator<Item = Result<Pair>> {
        let (opened, error) = match self.open(scale) {
            Ok(pairs) => (Some(pairs), None),
            Err(error) => (None, Some(Err(error))),
        };
        let pairs = opened.into_iter();
        let pairs = pairs.flat_map(|pairs| (0..pairs.len()).map(move |i| pairs.get(i)));
        error.into_iter().chain(pairs)
    }
}

/// The pairs of a set at a scale, none read yet.
#[derive(Clone, Debug)]
pub struct Pairs {
    scale: usize,
    names: Vec<String>,
    files: Vec<Files>,
    notes: Vec<String>,
}

#[derive(Clone, Debug)]
enum Files {
    Photo { hr: Place, lr: Option<Place> },
    Scene { size: usize, seed: u64, number: u64 },
}

impl Pairs {
    /// The number of pairs.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is nothing to score.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// A name for each pair, no two the same.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What a user should know, a sentence each: which low-resolution files are missing, or belong to nothing.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Looks at the headers of all files.
    ///
    /// # Errors
    /// All images that cannot be opened or do not fit their partners, in one error.
    pub fn check(&self) -> Result<()> {
        let photo = |files: &Files| match files {
            Files::Photo { hr, lr } => Some((hr.clone(), lr.clone())),
            Files::Scene { .. } => None,
        };
        let photos: Vec<_> = self.files.iter().filter_map(photo).collect();
        let options = LoaderOptions {
            scale: self.scale,
            patch: 1,
            ..LoaderOptions::default()
        };
        headers(&photos, &options).map(drop)
    }

    /// Reads or makes pair `i`.
    ///
    /// # Errors
    /// An unreadable file, an image smaller than the scale, a low-resolution file of the wrong size.
    ///
    /// # Panics
    /// When there is no pair `i`.
    pub fn get(&self, i: usize) -> Result<Pair> {
        let (hr, lr) = match &self.files[i] {
            Files::Photo { hr, lr } => load_pair(hr, lr.as_ref(), self.scale)?,
            Files::Scene { size, seed, number } => {
                let hr = scene(*seed, *number, *size, *size);
                (hr.modcrop(self.scale), None)
            }
        };
        Ok(Pair {
            name: self.names[i].clone(),
            lr: lr.unwrap_or_else(|| downscale(&hr, self.scale)),
            hr,
        })
    }
}

/// The files' names without extension; with it where two would be the same (on a disk that takes `A` for `a`, too).
pub(super) fn distinct_names(files: &[PathBuf]) -> Vec<String> {
    let stems: Vec<_> = files.iter().map(|path| stem(path)).collect();
    let alone = |name: &String| {
        let same = |other: &&String| other.to_lowercase() == name.to_lowercase();
        stems.iter().filter(same).count() == 1
    };
    let mut taken: HashSet<_> = stems
        .iter()
        .filter(|s| alone(s))
        .map(|s| s.to_lowercase())
        .collect();
    let name = |(path, stem): (&PathBuf, &String)| match alone(stem) {
        true => stem.clone(),
        false => {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            free_name(&file, &mut taken)
        }
    };
    files.iter().zip(&stems).map(name).collect()
}

/// `name`, or `name (2)` and so on where it is taken, in any case; it is then.
fn free_name(name: &str, taken: &mut HashSet<String>) -> String {
    let mut free = name.to_owned();
    let mut number = 1;
    while !taken.insert(free.to_lowercase()) {
        number += 1;
        free = format!("{name} ({number})");
    }
    free
}

/// Gives sets of the same name different ones: their results go into folders and tables by name.
pub fn name_apart(sets: &mut [BenchmarkSet]) {
    let mut taken = HashSet::new();
    for set in sets {
        set.name = free_name(&set.name, &mut taken);
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

/// The sets under `root` in the customary order: folders with `HR/` in them, or `root` itself (with `HR/`, or
/// with nothing but images in it).
///
/// # Errors
/// A missing folder, a root without sets.
pub fn find_sets(root: &Path) -> Result<Vec<BenchmarkSet>> {
    let set = |folder: &Path, images| BenchmarkSet {
        name: folder_name(folder),
        images,
    };
    let with_hr = |folder: &Path, hr| {
        let images = Images::Folder {
            set: folder.to_owned(),
            hr,
        };
        set(folder, images)
    };
    if let Some(hr) = high_resolution_folder(root)? {
        return Ok(vec![with_hr(root, hr)]);
    }
    let mut sets = Vec::new();
    for folder in folders_in(root)? {
        // A folder that cannot be listed is no set, as far as can be known.
        if let Ok(Some(hr)) = high_resolution_folder(&folder) {
            sets.push(with_hr(&folder, hr));
        }
    }
    if sets.is_empty() {
        return match images_in(root) {
            Err(Error::NoImages { path }) => Err(Error::NoSets { path }),
            found => found.map(|_| vec![set(root, Images::Flat(root.to_owned()))]),
        };
    }
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
