//! Finding images on disk, and the low-resolution file that belongs to a high-resolution one.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::image::Image;

/// File extensions taken for images, in any case.
pub const EXTENSIONS: [&str; 7] = ["png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff"];

/// Folders of this name hold the low-resolution copies of the images beside them.
const LOW_RESOLUTION: &str = "LR_bicubic";

/// All images directly in `folder`, sorted by name.
pub(super) fn images_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut images = Vec::new();
    collect(folder, false, &mut images)?;
    some(images, folder)
}

/// All images in `folder` and below, sorted by path. Folders called `LR_bicubic` or `…_LR_bicubic` are passed over
/// (copies of what is there in full), links to folders too (they may go round in circles).
pub(super) fn images_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut images = Vec::new();
    collect(folder, true, &mut images)?;
    some(images, folder)
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

fn collect(folder: &Path, recursive: bool, images: &mut Vec<PathBuf>) -> Result<()> {
    for path in entries(folder)? {
        if path.is_dir() {
            let is_copy = path.to_string_lossy().ends_with(LOW_RESOLUTION);
            if recursive && !is_copy && !path.is_symlink() {
                collect(&path, recursive, images)?;
            }
        } else if is_image(&path) {
            images.push(path);
        }
    }
    Ok(())
}

/// What `folder` holds, sorted: the order of directory listings differs between machines. Hidden files
/// (`._photo.jpg` and the like) are no data.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = || {
        fs::read_dir(folder)?
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<Vec<_>>>()
    };
    let mut paths = list().map_err(|source| Error::UnreadableFolder {
        path: folder.to_owned(),
        source,
    })?;
    paths.retain(|path| {
        path.file_name()
            .is_some_and(|name| !name.to_string_lossy().starts_with('.'))
    });
    paths.sort();
    Ok(paths)
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    EXTENSIONS
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known))
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
