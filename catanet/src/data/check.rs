//! All files looked at before the first step: a run should not end at its first epoch's last image.

use rayon::prelude::*;

use super::cache::Cache;
use super::folder::load_pair;
use super::options::LoaderOptions;
use super::place::Place;
use crate::error::{Error, Result};

/// So many faults are told one by one.
const TOLD: usize = 20;
/// So many files are decoded between two words of how far it is.
const AT_ONCE: usize = 32;

/// Looks at the headers of all files, on all cores: whether each is an image, large enough for the crop, and
/// whether pairs fit. Returns what all would take decoded, in bytes.
///
/// # Errors
/// The one fault there is, or [`Error::UnfitImages`] with all of them.
pub(super) fn headers(pairs: &[(Place, Option<Place>)], options: &LoaderOptions) -> Result<u64> {
    let looks: Vec<_> = pairs
        .par_iter()
        .map(|(hr, lr)| header(hr, lr.as_ref(), options))
        .collect();
    let mut bytes = 0;
    let mut faults = Vec::new();
    for look in looks {
        bytes += look.0;
        faults.extend(look.1);
    }
    all_well(faults, pairs.len())?;
    Ok(bytes)
}

/// A pair's size decoded, and what is wrong with it.
fn header(hr: &Place, lr: Option<&Place>, options: &LoaderOptions) -> (u64, Vec<Error>) {
    let LoaderOptions { scale, patch, .. } = *options;
    let needed = patch * scale;
    let mut bytes = 0;
    let mut faults = Vec::new();
    let mut size = |place: &Place| match place.size() {
        Ok((width, height)) => {
            bytes += width as u64 * height as u64 * 3;
            Some((width, height))
        }
        Err(error) => {
            faults.push(error);
            None
        }
    };
    let sizes = (size(hr), lr.and_then(&mut size));
    if let Some(size) = sizes.0
        && size.0.min(size.1) < needed
    {
        faults.push(too_small(hr, size, needed));
    } else if let (Some(size), Some(lr_size)) = sizes
        && lr_size != (size.0 / scale, size.1 / scale)
    {
        // An EXIF orientation may turn either: what is decoded decides.
        faults.extend(load_pair(hr, lr, scale).err());
    }
    (bytes, faults)
}

/// The error of an image smaller than the crop.
pub(super) fn too_small(place: &Place, size: (usize, usize), needed: usize) -> Error {
    Error::TooSmall {
        path: place.path(),
        size,
        needed,
        what: "the training crop",
    }
}

/// Decodes all files, on all cores, and tells how many are done, of how many, as long as `go_on` answers true.
/// What fits into the cache stays there.
///
/// # Errors
/// As [`headers`].
pub(super) fn pixels(cache: &Cache, go_on: &mut dyn FnMut(usize, usize) -> bool) -> Result<()> {
    let mut faults = Vec::new();
    let all = cache.len();
    for first in (0..all).step_by(AT_ONCE) {
        let end = all.min(first + AT_ONCE);
        let some = (first..end).into_par_iter();
        faults.par_extend(some.filter_map(|i| cache.get(i).err()));
        if !go_on(end, all) {
            break;
        }
    }
    all_well(faults, all)
}

/// The one fault there is, or all of them in one error.
pub(super) fn all_well(mut faults: Vec<Error>, images: usize) -> Result<()> {
    match faults.len() {
        0 => Ok(()),
        1 => Err(faults.remove(0)),
        count => {
            faults.truncate(TOLD);
            Err(Error::UnfitImages {
                faults,
                count,
                images,
            })
        }
    }
}

#[cfg(test)]
mod tests;
