//! Training images cut into sub-images, as BasicSR's data preparation cuts them.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::prelude::*;

use super::benchmark::distinct_names;
use super::check::all_well;
use super::folder::load_pair;
use super::place::Place;
use crate::error::{Error, Result};
use crate::image::Image;

/// How images are cut, in pixels of the high-resolution side. The scale divides crop and step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The factor between the two sides; 1 without a low-resolution side.
    pub scale: usize,
    /// Side of a sub-image.
    pub crop: usize,
    /// From one sub-image to the next.
    pub step: usize,
    /// A rest of more pixels than this gets a sub-image at the image's edge.
    pub thresh: usize,
}

/// What came of [`Cut::all`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CutDone {
    /// High-resolution sub-images that are there now, by name.
    pub hr: Vec<PathBuf>,
    /// Low-resolution ones.
    pub lr: Vec<PathBuf>,
    /// How many of both were there already.
    pub kept: usize,
    /// Whether all images were cut: not, where it was stopped.
    pub whole: bool,
}

impl Cut {
    /// Where sub-images begin along a side: every `step` pixels, and at the end.
    pub fn starts(&self, side: usize) -> Vec<usize> {
        let Some(last) = side.checked_sub(self.crop) else {
            return Vec::new();
        };
        let mut starts: Vec<_> = (0..=last).step_by(self.step).collect();
        let rest = last - starts.last().copied().unwrap_or(0);
        if rest > self.thresh {
            starts.push(last);
        }
        starts
    }

    /// Cuts all `pairs` on all cores: sub-image 7 of `0001.png` becomes `0001_s007.png` in `hr`, and that of its
    /// low-resolution image, of the same name, in `lr`. Files are written beside and renamed. A sub-image that
    /// is there whole is kept. `told` is told how many images are done, in any order, and says whether to go on.
    ///
    /// # Errors
    /// All images that cannot be read, in one error, after the others were cut; a file that cannot be written,
    /// at once.
    ///
    /// # Panics
    /// When the crop or the step is 0, or the scale does not divide them.
    pub fn all(
        &self,
        pairs: &[(Place, Option<Place>)],
        hr: &Path,
        lr: &Path,
        told: impl Fn(usize) -> bool + Sync,
    ) -> Result<CutDone> {
        let divides = |n: usize| n.is_multiple_of(self.scale.max(1));
        assert!(
            self.crop > 0 && self.step > 0 && self.scale > 0,
            "Cut::all: {self:?}"
        );
        assert!(
            divides(self.crop) && divides(self.step),
            "Cut::all: {self:?}"
        );
        let paths: Vec<_> = pairs.iter().map(|(hr, _)| hr.path()).collect();
        let names = distinct_names(&paths);
        let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
        let one = |(pair, name): (&(Place, Option<Place>), &String)| {
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            let cut = self.one(pair, name, hr, lr, &stop);
            // What cannot be read is told at the end; what cannot be written will not be written later either.
            let go_on = !matches!(&cut, Err(Error::UnwritableFile { .. }));
            if !go_on || !told(done.fetch_add(1, Ordering::Relaxed) + 1) {
                stop.store(true, Ordering::Relaxed);
            }
            Some(cut)
        };
        let cuts: Vec<_> = pairs.par_iter().zip(&names).map(one).collect();
        let mut all = CutDone {
            whole: true,
            ..CutDone::default()
        };
        let mut faults = Vec::new();
        for cut in cuts {
            match cut {
                Some(Ok(cut)) => {
                    all.hr.extend(cut.hr);
                    all.lr.extend(cut.lr);
                    all.kept += cut.kept;
                    all.whole &= cut.whole;
                }
                Some(Err(error @ Error::UnwritableFile { .. })) => return Err(error),
                Some(Err(error)) => faults.push(error),
                None => all.whole = false,
            }
        }
        all_well(faults, pairs.len())?;
        Ok(all)
    }

    /// One pair. Where all its sub-images are there, nothing is decoded.
    fn one(
        &self,
        (hr, lr): &(Place, Option<Place>),
        name: &str,
        hr_folder: &Path,
        lr_folder: &Path,
        stop: &AtomicBool,
    ) -> Result<CutDone> {
        let (width, height) = hr.size()?;
        let mut done = CutDone::default();
        let tiles = self.tiles((width, height), name);
        let sides = [(hr_folder, self.crop), (lr_folder, self.crop / self.scale)];
        let there =
            |name: &String, (folder, side): (&Path, usize)| is_whole(&folder.join(name), side);
        let all_there = tiles
            .iter()
            .all(|(name, ..)| there(name, sides[0]) && (lr.is_none() || there(name, sides[1])));
        if all_there && !tiles.is_empty() {
            done.hr = tiles
                .iter()
                .map(|(name, ..)| hr_folder.join(name))
                .collect();
            if lr.is_some() {
                done.lr = tiles
                    .iter()
                    .map(|(name, ..)| lr_folder.join(name))
                    .collect();
            }
            done.kept = done.hr.len() + done.lr.len();
            done.whole = true;
            return Ok(done);
        }
        let (hr_image, lr_image) = load_pair(hr, lr.as_ref(), self.scale)?;
        let size = (hr_image.width, hr_image.height);
        for (name, x, y) in self.tiles(size, name) {
            if stop.load(Ordering::Relaxed) {
                return Ok(done);
            }
            let path = hr_folder.join(&name);
            done.kept += usize::from(self.put(&hr_image, x, y, self.crop, &path)?);
            done.hr.push(path);
            if let Some(image) = &lr_image {
                let path = lr_folder.join(&name);
                let [x, y, side] = [x, y, self.crop].map(|n| n / self.scale);
                done.kept += usize::from(self.put(image, x, y, side, &path)?);
                done.lr.push(path);
            }
        }
        done.whole = true;
        Ok(done)
    }

    /// The sub-images of an image: file, column and row, row by row. The image is cut to multiples of the scale.
    fn tiles(&self, (width, height): (usize, usize), name: &str) -> Vec<(String, usize, usize)> {
        let [columns, rows] =
            [width, height].map(|side| self.starts(side / self.scale * self.scale));
        let places = rows
            .iter()
            .flat_map(|&y| columns.iter().map(move |&x| (x, y)));
        let tile = |(i, (x, y))| (format!("{name}_s{:03}.png", i + 1), x, y);
        places.enumerate().map(tile).collect()
    }

    /// Writes a sub-image, unless it is there whole; returns whether it was.
    fn put(&self, image: &Image, x: usize, y: usize, side: usize, path: &Path) -> Result<bool> {
        let there = is_whole(path, side);
        if !there {
            image.crop(x, y, side, side).save_png(path)?;
        }
        Ok(there)
    }
}

/// Whether the file is a PNG of this side that was written to its end.
fn is_whole(path: &Path, side: usize) -> bool {
    const END: [u8; 12] = *b"\0\0\0\0IEND\xaeB`\x82";
    let ends = || -> std::io::Result<bool> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(-12))?;
        let mut end = [0; 12];
        file.read_exact(&mut end)?;
        Ok(end == END)
    };
    let size = fs::metadata(path)
        .ok()
        .and_then(|_| Image::size_on_disk(path).ok());
    size == Some((side, side)) && ends().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dead_leaves::scene;
    use crate::image::tests::TestFolder;
    use crate::imresize::downscale;

    const CUT: Cut = Cut {
        scale: 2,
        crop: 20,
        step: 10,
        thresh: 0,
    };

    #[test]
    fn sub_images_begin_where_basicsr_has_them() {
        let cut = |thresh| Cut {
            scale: 1,
            crop: 480,
            step: 240,
            thresh,
        };
        assert_eq!(cut(0).starts(480), [0]);
        assert_eq!(cut(0).starts(1000), [0, 240, 480, 520]);
        assert_eq!(cut(0).starts(960), [0, 240, 480]);
        assert_eq!(cut(40).starts(1000), [0, 240, 480]);
        assert_eq!(cut(39).starts(1000), [0, 240, 480, 520]);
        assert!(cut(0).starts(479).is_empty());
        // 0001.png of DIV2K has 2040×1404: 40 sub-images.
        assert_eq!(cut(0).starts(2040).len() * cut(0).starts(1404).len(), 40);
    }

    /// Two folders of a pair each, and a place for what is cut.
    fn pairs(root: &TestFolder) -> Vec<(Place, Option<Place>)> {
        let pair = |i: u64| {
            let (hr, lr) = (
                root.join(format!("{i}.png")),
                root.join(format!("{i}x2.png")),
            );
            let image = scene(1, i, 41 + i as usize, 36);
            image.save_png(&hr).unwrap();
            downscale(&image.modcrop(2), 2).save_png(&lr).unwrap();
            (Place::File(hr), Some(Place::File(lr)))
        };
        for folder in ["hr", "lr"] {
            fs::create_dir(root.join(folder)).unwrap();
        }
        (0..3).map(pair).collect()
    }

    #[test]
    fn both_sides_are_cut_at_the_same_places_and_whole_ones_are_kept() {
        let root = TestFolder::new("cut-pairs");
        let pairs = pairs(&root);
        let cut = || {
            CUT.all(&pairs, &root.join("hr"), &root.join("lr"), |_| true)
                .unwrap()
        };
        let done = cut();
        // 40, 42 and 42 pixels across: 0, 10, 20 and 0, 10, 20, 22; 36 down: 0, 10, 16.
        assert_eq!((done.hr.len(), done.lr.len(), done.kept), (33, 33, 0));
        assert!(done.whole);
        let (hr, lr) = (&done.hr[10], &done.lr[10]);
        assert!(
            hr.ends_with("hr/1_s002.png") && lr.ends_with("lr/1_s002.png"),
            "{hr:?}"
        );
        let (hr, lr) = (Image::load(hr).unwrap(), Image::load(lr).unwrap());
        let whole = scene(1, 1, 42, 36);
        assert_eq!(hr, whole.crop(10, 0, 20, 20));
        assert_eq!(lr, downscale(&whole, 2).crop(5, 0, 10, 10));
        let last = Image::load(&done.hr[32]).unwrap();
        assert_eq!(last, scene(1, 2, 43, 36).crop(22, 16, 20, 20));
        // Again: all is kept, but for one that is cut off and one that is gone.
        let bytes = fs::read(&done.hr[3]).unwrap();
        fs::write(&done.hr[3], &bytes[..bytes.len() - 1]).unwrap();
        fs::remove_file(&done.lr[30]).unwrap();
        let again = cut();
        assert_eq!((again.kept, &again.hr), (64, &done.hr));
        assert_eq!(fs::read(&done.hr[3]).unwrap(), bytes);
        assert_eq!(cut().kept, 66);
    }

    #[test]
    fn what_cannot_be_read_is_told_after_the_others_and_a_stop_leaves_whole_files() {
        let root = TestFolder::new("cut-faults");
        let pairs = pairs(&root);
        let bytes = fs::read(root.join("1.png")).unwrap();
        fs::write(root.join("1.png"), &bytes[..bytes.len() - 50]).unwrap();
        let (hr, lr) = (root.join("hr"), root.join("lr"));
        let error = CUT.all(&pairs, &hr, &lr, |_| true).unwrap_err().to_string();
        assert!(error.contains("1.png"), "{error}");
        assert_eq!(fs::read_dir(&hr).unwrap().count(), 9 + 12);
        let gone = root.join("nowhere");
        let error = CUT.all(&pairs, &gone, &lr, |_| true).unwrap_err();
        assert!(matches!(error, Error::UnwritableFile { .. }), "{error}");
        fs::write(root.join("1.png"), bytes).unwrap();
        let other = root.join("other");
        fs::create_dir(&other).unwrap();
        assert!(!CUT.all(&pairs, &other, &other, |_| false).unwrap().whole);
        assert!(CUT.all(&pairs, &hr, &lr, |_| true).unwrap().whole);
    }
}
