//! Pairs of images in two folders that are named each by itself, as option files name them.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::folder::images_in;
use super::partners::templates;
use super::place::Place;
use crate::error::{Error, Result};

/// What stands for the high-resolution image's name in a template.
const NAME: &str = "{}";

/// Where the pairs of a data set lie, as BasicSR's `PairedImageDataset` names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paired {
    /// Folder of high-resolution images, or an LMDB folder (`….lmdb`).
    pub gt: PathBuf,
    /// Folder (or LMDB) of low-resolution images; None: made by bicubic on the way.
    pub lq: Option<PathBuf>,
    /// The low-resolution file's name without extension; `{}` is the high-resolution one's (`{}x2`).
    pub template: String,
    /// A file that lists the images to take, one a line, the name up to the first blank (BasicSR's meta info).
    pub meta_info: Option<PathBuf>,
    /// What the two are.
    pub backend: Backend,
}

/// How images are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// A file for each.
    #[default]
    Disk,
    /// A database of all.
    Lmdb,
}

/// What a [`Paired`] comes to.
pub(super) struct Found {
    /// The high-resolution image, and the low-resolution one where there is one.
    pub pairs: Vec<(Place, Option<Place>)>,
    /// What a user should know, a sentence each.
    pub notes: Vec<String>,
}

impl Paired {
    /// The pairs, in the order of their names or of the list.
    ///
    /// A low-resolution file may be of any kind that is read; where there are several, one of the
    /// high-resolution file's kind is taken. In a database the two sides have the same keys, as BasicSR makes
    /// them, or keys as the template has them.
    pub(super) fn find(&self, scale: usize) -> Result<Found> {
        if !self.template.contains(NAME) {
            let template = self.template.clone();
            return Err(Error::WrongTemplate { template });
        }
        let mut hr = self.images(&self.gt)?;
        if let Some(list) = &self.meta_info {
            let names = listed(list)?;
            hr = names.iter().map(|name| self.named(&hr, name)).collect();
        }
        let mut notes = Vec::new();
        let mut partners = vec![None; hr.len()];
        if let Some(folder) = &self.lq {
            let images = self.images(folder)?;
            partners = self.partners(&hr, &images);
            if partners.iter().all(Option::is_none) {
                return Err(self.mismatch(folder, &hr, &images, scale));
            }
            let lone = hr.iter().zip(&partners).filter(|(_, lr)| lr.is_none());
            notes.extend(without_partner(folder, lone.map(|(hr, _)| hr)));
            if self.meta_info.is_none() {
                let taken: HashSet<_> = partners.iter().flatten().map(Place::path).collect();
                let strays = images.iter().filter(|lr| !taken.contains(&lr.path()));
                notes.extend(left_over(folder, strays));
            }
        }
        Ok(Found {
            pairs: hr.into_iter().zip(partners).collect(),
            notes,
        })
    }

    /// All images in a folder or a database.
    fn images(&self, path: &Path) -> Result<Vec<Place>> {
        match self.backend {
            Backend::Disk => Ok(images_in(path)?.into_iter().map(Place::File).collect()),
            Backend::Lmdb => records(path),
        }
    }

    /// The high-resolution image that is listed so: a path below the folder, or a key with an extension.
    fn named(&self, hr: &[Place], name: &str) -> Place {
        match hr.first() {
            #[cfg(feature = "lmdb")]
            Some(Place::Record { store, .. }) => Place::Record {
                store,
                key: name
                    .rsplit_once('.')
                    .map_or(name, |(key, _)| key)
                    .to_owned(),
            },
            _ => Place::File(self.gt.join(name)), // one that is missing is told with all other faults
        }
    }

    /// For each of `hr` the one of `images` that is called as it should be.
    fn partners(&self, hr: &[Place], images: &[Place]) -> Vec<Option<Place>> {
        let mut by_name: HashMap<String, Vec<&Place>> = HashMap::new();
        for image in images {
            by_name.entry(image.name()).or_default().push(image); // sorted: the same on every machine
        }
        let extension = |place: &Place| place.path().extension().map(ToOwned::to_owned);
        let partner = |hr: &Place| {
            let own = (self.backend == Backend::Lmdb).then(|| hr.name());
            let names = own.into_iter().chain([self.name_of_partner(&hr.name())]);
            let called = names.into_iter().find_map(|name| by_name.get(&name))?;
            let same_kind = |lr: &&&Place| extension(lr) == extension(hr);
            let best = called.iter().find(same_kind).or(called.first())?;
            Some((*best).clone())
        };
        hr.iter().map(partner).collect()
    }

    /// What the low-resolution image of `name` is called.
    fn name_of_partner(&self, name: &str) -> String {
        self.template.replace(NAME, name)
    }

    /// The error of a template that fits nothing, with the one that would.
    fn mismatch(&self, folder: &Path, hr: &[Place], images: &[Place], scale: usize) -> Error {
        let there: HashSet<_> = images.iter().map(Place::name).collect();
        let fits = |template: &String| {
            let mut wanted = hr.iter().map(|hr| template.replace(NAME, &hr.name()));
            wanted.any(|name| there.contains(&name))
        };
        let first = |images: &[Place]| images.first().map(Place::name).unwrap_or_default();
        Error::NoPartners {
            folder: folder.to_owned(),
            wanted: self.name_of_partner(&first(hr)),
            found: first(images),
            template: self.template.clone(),
            fitting: templates(scale).into_iter().find(fits),
        }
    }
}

/// All records of a database.
#[cfg(feature = "lmdb")]
fn records(path: &Path) -> Result<Vec<Place>> {
    let store = super::lmdb::Store::open(path)?;
    let keys = store.keys()?.into_iter();
    Ok(keys.map(|key| Place::Record { store, key }).collect())
}

#[cfg(not(feature = "lmdb"))]
fn records(path: &Path) -> Result<Vec<Place>> {
    Err(Error::NoLmdb {
        path: path.to_owned(),
    })
}

/// The names in a list: one a line, up to the first blank.
fn listed(list: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(list).map_err(|source| Error::UnreadableList {
        path: list.to_owned(),
        source,
    })?;
    let names = text
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let names: Vec<_> = names.map(str::to_owned).collect();
    match names.is_empty() {
        true => Err(Error::EmptyList {
            path: list.to_owned(),
        }),
        false => Ok(names),
    }
}

/// The note on images without a low-resolution file in `folder`.
fn without_partner<'a>(folder: &Path, images: impl Iterator<Item = &'a Place>) -> Option<String> {
    let images: Vec<_> = images.collect();
    let folder = folder.display();
    match images[..] {
        [] => None,
        [one] => Some(format!(
            "{} has no low-resolution file in {folder}: made by bicubic",
            one.path().display()
        )),
        [first, ..] => Some(format!(
            "{} images have no low-resolution file in {folder} (the first is {}): made by bicubic",
            images.len(),
            first.path().display()
        )),
    }
}

/// The note on low-resolution files that belong to nothing.
fn left_over<'a>(folder: &Path, files: impl Iterator<Item = &'a Place>) -> Option<String> {
    let files: Vec<_> = files.collect();
    match files[..] {
        [] => None,
        [one] => Some(format!(
            "{} belongs to no image: passed over",
            one.path().display()
        )),
        [first, ..] => Some(format!(
            "{} files in {} belong to no image (the first is {}): passed over",
            files.len(),
            folder.display(),
            first.path().display()
        )),
    }
}

#[cfg(test)]
mod tests;
