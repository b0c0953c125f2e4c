//! Decoded training images, kept as long as they fit.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::folder::load_pair;
use super::place::Place;
use crate::error::Result;
use crate::image::Image;

/// A training image, decoded.
pub(super) struct Photo {
    pub hr: Image, // cut to multiples of the scale
    pub lr: Option<Image>,
}

/// Reads images by number and keeps the first ones up to `capacity` bytes.
///
/// Nothing is evicted: in shuffled epochs every image is as likely as another to be wanted next, so those that stay
/// serve as well as any, and a set that fits is decoded once. What is kept changes speed, never bytes.
pub(super) struct Cache {
    files: Vec<(Place, Option<Place>)>,
    scale: usize,
    kept: Mutex<Kept>,
}

struct Kept {
    free: usize,
    photos: HashMap<usize, Arc<Photo>>,
}

impl Cache {
    pub fn new(files: Vec<(Place, Option<Place>)>, scale: usize, capacity: usize) -> Self {
        Self {
            files,
            scale,
            kept: Mutex::new(Kept {
                free: capacity,
                photos: HashMap::new(),
            }),
        }
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Where image `i` lies.
    pub fn place(&self, i: usize) -> &Place {
        &self.files[i].0
    }

    pub fn get(&self, i: usize) -> Result<Arc<Photo>> {
        if let Some(photo) = self.kept.lock().photos.get(&i) {
            return Ok(photo.clone());
        }
        // Decoded without the lock: other threads go on meanwhile.
        let (hr, lr) = &self.files[i];
        let (hr, lr) = load_pair(hr, lr.as_ref(), self.scale)?;
        let bytes = hr.data.len() + lr.as_ref().map_or(0, |lr| lr.data.len());
        let photo = Arc::new(Photo { hr, lr });
        let mut kept = self.kept.lock();
        if bytes <= kept.free && kept.photos.insert(i, photo.clone()).is_none() {
            kept.free -= bytes;
        }
        Ok(photo)
    }
}
