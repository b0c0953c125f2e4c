//! Finding images on disk, and the low-resolution file that belongs to a high-resolution one.

use std::path::{Path, PathBuf};
use std::{fs, io};

use walkdir::{DirEntry, WalkDir};

use crate::error::{Error, Result};
use crate::image::Image;

/// File extensions taken for images, in any case.
const EXTENSIONS: [&str; 7] = ["png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff"];

/// Folders of this name hold the low-resolution copies of the images beside them.
const LOW_RESOLUTION: &str = "LR_bicubic";

/// All images directly in `folder`, sorted by name.
pub(super) fn images_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut images = entries(folder)?;
    images.retain(|path| is_image(path));
    some(images, folder)
}

/// All images in `folder` and below, sorted by path. Folders called `LR_bicubic` or `…_LR_bicubic` are passed over
/// (copies of what is there in full), links to folders too (they may go round in circles).
pub(super) fn images_below(folder: &Path) -> Result<Vec<PathBuf>> {
    entries(folder)?; // a file would be taken for the only entry
    let wanted = |entry: &DirEntry| {
        let name = entry.file_name().to_string_lossy();
        !is_hidden(&name) && !name.ends_with(LOW_RESOLUTION)
    };
    let walk = WalkDir::new(folder).min_depth(1).sort_by_file_name();
    let mut images = Vec::new();
    for entry in walk.into_iter().filter_entry(wanted) {
        let path = entry
            .map_err(|error| unreadable(folder, error))?
            .into_path();
        if is_image(&path) {
            images.push(path);
        }
    }
    some(images, folder)
}

fn unreadable(folder: &Path, error: walkdir::Error) -> Error {
    let path = error.path().unwrap_or(folder).to_owned();
    let no_loop = || io::Error::other("it holds itself"); // which takes links, and none is followed
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
            extensions: &EXTENSIONS,
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
    let mut known = EXTENSIONS.iter();
    known.any(|known| extension.eq_ignore_ascii_case(known)) && !path.is_dir()
}

/// The file `LR_bicubic/X{scale}/{NAME}x{scale}.png` (or `{NAME}.png`) beside the folder of `hr`, if it exists.
pub(super) fn low_resolution_file(hr: &Path, scale: usize) -> Option<PathBuf> {
    let folder = hr
        .parent()?
        .parent()?
        .join(LOW_RESOLUTION)
        .join(format!("X{scale}"));
    let stem = hr.file_stem()?.to_string_lossy();
    let names = [format!("{stem}x{scale}.png"), format!("{stem}.png")];
    names
        .into_iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

/// Reads `hr`, cut to multiples of `scale`, and its low-resolution file where there is one.
pub(super) fn load_pair(
    hr: &Path,
    lr: Option<&Path>,
    scale: usize,
) -> Result<(Image, Option<Image>)> {
    let full = Image::load(hr)?;
    let size = (full.width, full.height);
    if size.0.min(size.1) < scale {
        let (path, what) = (hr.to_owned(), "one pixel at this scale");
        return Err(Error::TooSmall {
            path,
            size,
            needed: scale,
            what,
        });
    }
    let lr = lr
        .map(|path| Image::load(path).map(|image| (path, image)))
        .transpose()?;
    if let Some((path, image)) = &lr {
        let (lr_size, expected) = (
            (image.width, image.height),
            (size.0 / scale, size.1 / scale),
        );
        if lr_size != expected {
            let (hr, lr) = (hr.to_owned(), path.to_path_buf());
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
