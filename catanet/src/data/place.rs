//! Where an image lies.

use std::path::PathBuf;

#[cfg(feature = "lmdb")]
use super::lmdb::Store;
use super::stem::stem;
use crate::error::Result;
#[cfg(feature = "lmdb")]
use crate::error::{Error, Unreadable};
use crate::image::Image;

/// Where an image lies: in a file of its own, or in a database of many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file of any kind that is read.
    File(PathBuf),
    /// A record of a database.
    #[cfg(feature = "lmdb")]
    Record {
        /// The database.
        store: &'static Store,
        /// The record's key.
        key: String,
    },
}

impl Place {
    /// What the image is called in messages: its file; of a record, its key behind the database's folder.
    pub fn path(&self) -> PathBuf {
        match self {
            Place::File(path) => path.clone(),
            #[cfg(feature = "lmdb")]
            Place::Record { store, key } => store.path().join(key),
        }
    }

    /// The image's name, without extension.
    pub fn name(&self) -> String {
        match self {
            Place::File(path) => stem(path),
            #[cfg(feature = "lmdb")]
            Place::Record { key, .. } => key.clone(),
        }
    }

    /// Reads the image.
    ///
    /// # Errors
    /// [`Error::UnreadableImage`](crate::Error::UnreadableImage), naming the place.
    pub fn load(&self) -> Result<Image> {
        match self {
            Place::File(path) => Image::load(path),
            #[cfg(feature = "lmdb")]
            Place::Record { store, key } => store
                .with(key, Image::decode)
                .map_err(|source| self.unreadable(source)),
        }
    }

    /// Width and height as the header states them: cheap, nothing is decoded (or turned by EXIF).
    ///
    /// # Errors
    /// [`Error::UnreadableImage`](crate::Error::UnreadableImage), naming the place.
    pub fn size(&self) -> Result<(usize, usize)> {
        match self {
            Place::File(path) => Image::size_on_disk(path),
            #[cfg(feature = "lmdb")]
            Place::Record { store, key } => store
                .with(key, |bytes| Ok(picture::dimensions(bytes)?))
                .map_err(|source| self.unreadable(source)),
        }
    }

    #[cfg(feature = "lmdb")]
    fn unreadable(&self, source: Unreadable) -> Error {
        Error::UnreadableImage {
            path: self.path(),
            source,
        }
    }
}

impl From<PathBuf> for Place {
    fn from(path: PathBuf) -> Self {
        Place::File(path)
    }
}

impl From<&str> for Place {
    fn from(path: &str) -> Self {
        Place::File(path.into())
    }
}
