//! Finding images on disk, and reading pairs of them.

use std::path::{Path, PathBuf};
use std::{fs, io};

use picture::Format;
use walkdir::{DirEntry, WalkDir};

use super::place::Place;
use crate::error::{Error, Result};
use crate::image::Image;

/// All images directly in `folder`, sorted by name.
pub(super) fn images_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut images = entries(folder)?;
    images.retain(|path| is_image(path));
    some(images, folder)
}

/// All images in `folder` and below, sorted by path. Folders called `LR_bicubic`, `…_LR_bicubic` or `LRbicx2` are passed over
/// (copies of what is there in full). Links are followed, in no circles.
pub(super) fn images_below(folder: &Path) -> Result<Vec<PathBuf>> {
    entries(folder)?; // a file would be taken for the only entry
    let wanted = |entry: &DirEntry| {
        let name = entry.file_name().to_string_lossy();
        !is_hidden(&name) && !is_low_resolution(&name)
    };
    let walk = WalkDir::new(folder)
        .min_depth(1)
        .follow_links(true)
        .sort_by_file_name();
    let mut images = Vec::new();
    for entry in walk.into_iter().filter_entry(wanted) {
        match entry {
            Ok(entry) if is_image(entry.path()) => images.push(entry.into_path()),
            Ok(_) => {}
            // A link back to a folder that is searched already: its images are found there.
            Err(error) if error.loop_ancestor().is_some() => {}
            Err(error) => return Err(unreadable(folder, error)),
        }
    }
    some(images, folder)
}

fn unreadable(folder: &Path, error: walkdir::Error) -> Error {
    let path = error.path().unwrap_or(folder).to_owned();
    let no_loop = || io::Error::other("it holds itself"); // which is no fault, and met before
    let source = error.into_io_error().unwrap_or_else(no_loop);
    Error::UnreadableFolder { path, source }
}

/// Sub-folders of `folder`, sorted by name.
pub(super) fn folders_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = entries(folder)?;
    folders.retain(|path| path.is_dir());
    Ok(folders)
}

fn some(images: Vec<PathBuf>, folder: &Path) -> Result<Vec<PathBuf>> {
    if images.is_empty() {
        Err(Error::NoImages {
            path: folder.to_owned(),
        })
    } else {
        Ok(images)
    }
}

/// What `folder` holds, sorted: the order of directory listings differs between machines. Hidden files
/// (`._photo.jpg` and the like) are no data.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = || {
        fs::read_dir(folder)?
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<Vec<_>>>()
    };
    let mut paths = list().map_err(|source| Error::UnreadableFolder {
        path: folder.to_owned(),
        source,
    })?;
    paths.retain(|path| {
        path.file_name()
            .is_some_and(|name| !is_hidden(&name.to_string_lossy()))
    });
    paths.sort();
    Ok(paths)
}

fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    Format::from_extension(extension).is_some() && !path.is_dir()
}

/// Whether a folder of this name holds low-resolution copies of the images beside it.
fn is_low_resolution(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let scale = name.strip_prefix("lrbicx");
    name.ends_with("lr_bicubic")
        || scale.is_some_and(|s| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit()))
}

/// The folder in `set` with the images in full: BasicSR's `HR`, or `GTmod12` and the like, in any case.
pub(super) fn high_resolution_folder(set: &Path) -> Result<Option<PathBuf>> {
    let found = |wanted: fn(&str) -> bool| {
        let mut folders = folders_in(set)?.into_iter();
        Ok(folders.find(|path| wanted(&lower_name(path))))
    };
    match found(|name| name == "hr")? {
        Some(folder) => Ok(Some(folder)),
        None => found(|name| name == "gt" || name.starts_with("gtmod")),
    }
}

/// The folder in `set` with the images for `scale`: `LR_bicubic/X2` or `LRbicx2`, in any case.
pub(super) fn low_resolution_folder(set: &Path, scale: usize) -> Result<Option<PathBuf>> {
    let called = |folder: &Path, name: String| -> Result<Option<PathBuf>> {
        let mut folders = folders_in(folder)?.into_iter();
        Ok(folders.find(|path| lower_name(path) == name))
    };
    if let Some(folder) = called(set, "lr_bicubic".to_owned())?
        && let Some(folder) = called(&folder, format!("x{scale}"))?
    {
        return Ok(Some(folder));
    }
    called(set, format!("lrbicx{scale}"))
}

fn lower_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().to_ascii_lowercase()
}

/// Reads `hr`, cut to multiples of `scale`, and its low-resolution file where there is one.
pub(super) fn load_pair(
    hr: &Place,
    lr: Option<&Place>,
    scale: usize,
) -> Result<(Image, Option<Image>)> {
    let full = hr.load()?;
    let size = (full.width, full.height);
    if size.0.min(size.1) < scale {
        let (path, what) = (hr.path(), "one pixel at this scale");
        return Err(Error::TooSmall {
            path,
            size,
            needed: scale,
            what,
        });
    }
    let lr = lr
        .map(|place| place.load().map(|image| (place, image)))
        .transpose()?;
    if let Some((place, image)) = &lr {
        let (lr_size, expected) = (
            (image.width, image.height),
            (size.0 / scale, size.1 / scale),
        );
        if lr_size != expected {
            let (hr, lr) = (hr.path(), place.path());
            return Err(Error::MismatchedPair {
                hr,
                lr,
                lr_size,
                expected,
                scale,
            });
        }
    }
    Ok((full.modcrop(scale), lr.map(|(_, image)| image)))
}
