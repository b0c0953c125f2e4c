//! 8-bit RGB images: reading, writing, cropping, turning.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use nn::checkpoint::write_atomically;
pub use picture::Symmetry;
use picture::{Channels, Format, Picture, ReadOptions, Samples, WriteOptions};

use crate::error::{Error, Result, Unreadable};

/// An RGB image of 8 bits a channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// The pixels, row by row.
    pub data: Vec<u8>, // [H, W, 3]
}

impl Image {
    /// An image of the given pixels, `[height, width, 3]`.
    ///
    /// # Panics
    /// When `data` has another length.
    #[track_caller]
    pub fn new(width: usize, height: usize, data: Vec<u8>) -> Self {
        assert_eq!(
            data.len(),
            width * height * 3,
            "Image::new: {} bytes for {width}×{height}×3",
            data.len()
        );
        Self {
            width,
            height,
            data,
        }
    }

    /// Reads a file of any kind that [`picture::read`] knows (told apart by content, not by name).
    ///
    /// A damaged file is an error, never half an image. What comes is upright (an EXIF orientation is
    /// applied), so that what is seen in a viewer is what is worked on; see
    /// [`from_picture`](Self::from_picture) for what becomes of gray, alpha and other depths.
    ///
    /// # Errors
    /// [`Error::UnreadableImage`], naming the file.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let read = || Self::decode(&fs::read(path)?);
        read().map_err(|source| Error::UnreadableImage {
            path: path.to_owned(),
            source,
        })
    }

    /// Reads a file's bytes.
    pub(crate) fn decode(bytes: &[u8]) -> std::result::Result<Self, Unreadable> {
        let reading = picture::read(bytes, &ReadOptions::default())?;
        Ok(Self::from_picture(&reading.picture))
    }

    /// A picture as 8-bit RGB: gray becomes three equal channels, alpha is dropped (not blended), 16 bits
    /// are scaled and floats clamped to 8, both rounded to nearest.
    pub fn from_picture(picture: &Picture) -> Self {
        let data = match &picture.samples {
            Samples::U8(v) => rgb(v, picture.channels, |v| v),
            Samples::U16(v) => rgb(v, picture.channels, |v| {
                ((u32::from(v) + 128) / 257) as u8 // to nearest: 65535 is 257·255
            }),
            Samples::F32(v) => rgb(v, picture.channels, to_u8),
        };
        Self::new(picture.width, picture.height, data)
    }

    /// The image as a picture without metadata.
    pub fn to_picture(&self) -> Picture {
        let samples = Samples::U8(self.data.clone());
        Picture::new(self.width, self.height, Channels::Rgb, samples)
    }

    /// Width and height as the file's header states them: cheap, nothing is decoded (or turned by EXIF).
    ///
    /// # Errors
    /// [`Error::UnreadableImage`], naming the file.
    pub fn size_on_disk(path: impl AsRef<Path>) -> Result<(usize, usize)> {
        let path = path.as_ref();
        let size = || -> std::result::Result<_, Unreadable> {
            let mut file = File::open(path)?;
            let mut bytes = Vec::new();
            file.by_ref().take(HEADER_BYTES).read_to_end(&mut bytes)?;
            if let Ok(size) = picture::dimensions(&bytes) {
                return Ok(size);
            }
            // A TIFF may tell its size at its end, a JPEG behind long metadata.
            file.read_to_end(&mut bytes)?;
            Ok(picture::dimensions(&bytes)?)
        };
        size().map_err(|source| Error::UnreadableImage {
            path: path.to_owned(),
            source,
        })
    }

    /// Writes a PNG beside `path` and renames it, so that `path` never holds half an image.
    ///
    /// # Errors
    /// [`Error::UnwritableFile`], naming the file.
    pub fn save_png(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        picture::write(&self.to_picture(), Format::Png, &WriteOptions::default())
            .map_err(io::Error::other)
            .and_then(|png| write_atomically(path, &png.bytes))
            .map_err(|source| Error::UnwritableFile {
                path: path.to_owned(),
                source,
            })
    }

    /// The `width`×`height` pixels whose top-left one is (`x`, `y`).
    ///
    /// # Panics
    /// When the rectangle leaves the image.
    #[track_caller]
    pub fn crop(&self, x: usize, y: usize, width: usize, height: usize) -> Self {
        assert!(
            x + width <= self.width && y + height <= self.height,
            "crop: {width}×{height} at ({x}, {y}) of an image of {}×{}",
            self.width,
            self.height
        );
        let row = |y: usize| &self.data[(y * self.width + x) * 3..][..width * 3];
        Self {
            width,
            height,
            data: (y..y + height).flat_map(row).copied().collect(),
        }
    }

    /// The image with the right and bottom cut so that `scale` divides both sides.
    pub fn modcrop(self, scale: usize) -> Self {
        let (width, height) = (self.width / scale * scale, self.height / scale * scale);
        if (width, height) == (self.width, self.height) {
            self
        } else {
            self.crop(0, 0, width, height)
        }
    }

    /// The pixels as v / 255, `[H, W, 3]`.
    pub fn to_f32(&self) -> Vec<f32> {
        self.data.iter().map(|&v| f32::from(v) / 255.0).collect()
    }

    /// Pixels `[height, width, 3]` in `[0, 1]` to 8 bits: clamped, times 255, rounded to nearest, ties to even
    /// (as BasicSR's `tensor2img` does: NumPy's `round` takes ties to even). NaN becomes 0.
    ///
    /// # Panics
    /// When `pixels` has another length.
    #[track_caller]
    pub fn from_f32(pixels: &[f32], width: usize, height: usize) -> Self {
        Self::new(width, height, pixels.iter().copied().map(to_u8).collect())
    }

    /// The image flipped and transposed.
    pub fn transformed(&self, symmetry: Symmetry) -> Self {
        let (height, width) = symmetry.size(self.height, self.width);
        Self {
            width,
            height,
            data: symmetry.apply(&self.data, self.height, self.width, 3),
        }
    }
}

/// So much of a file is read for its size, at first.
const HEADER_BYTES: u64 = 1 << 16;

fn to_u8(v: f32) -> u8 {
    (v.clamp(0.0, 1.0) * 255.0).round_ties_even() as u8 // NaN becomes 0
}

/// The colours of `samples` `[H, W, C]` as 8 bits each, `[H, W, 3]`.
fn rgb<T: Copy>(samples: &[T], channels: Channels, to_u8: impl Fn(T) -> u8) -> Vec<u8> {
    let colours = if channels.is_gray() {
        [0, 0, 0]
    } else {
        [0, 1, 2]
    };
    let pixels = samples.chunks_exact(channels.count());
    pixels
        .flat_map(|pixel| colours.map(|c| to_u8(pixel[c])))
        .collect()
}

#[cfg(test)]
pub(crate) mod tests;
