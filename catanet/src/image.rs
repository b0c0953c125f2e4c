//! 8-bit RGB images: reading, writing, cropping, and the eight symmetries of the square.

use std::io::{self, Cursor};
use std::path::Path;

use ::image::metadata::Orientation;
use ::image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageError, ImageReader,
};
use nn::checkpoint::write_atomically;

use crate::error::{Error, Result};

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

    /// Reads PNG, JPEG, WebP, BMP or TIFF (told apart by content, not by name).
    ///
    /// Gray becomes three equal channels, alpha is dropped (not blended), 16 bits are scaled to 8, and an EXIF
    /// orientation is applied, so that what is seen in a viewer is what is worked on.
    ///
    /// # Errors
    /// [`Error::UnreadableImage`], naming the file.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let decoded = decode(path).map_err(|source| Error::UnreadableImage {
            path: path.to_owned(),
            source,
        })?;
        let rgb = decoded.into_rgb8();
        Ok(Self::new(
            rgb.width() as usize,
            rgb.height() as usize,
            rgb.into_raw(),
        ))
    }

    /// Width and height as the file's header states them: cheap, nothing is decoded (or turned by EXIF).
    ///
    /// # Errors
    /// [`Error::UnreadableImage`], naming the file.
    pub fn size_on_disk(path: impl AsRef<Path>) -> Result<(usize, usize)> {
        let path = path.as_ref();
        let size = || {
            ImageReader::open(path)?
                .with_guessed_format()?
                .into_dimensions()
        };
        let (width, height) = size().map_err(|source| Error::UnreadableImage {
            path: path.to_owned(),
            source,
        })?;
        Ok((width as usize, height as usize))
    }

    /// Writes a PNG beside `path` and renames it, so that `path` never holds half an image.
    ///
    /// # Errors
    /// [`Error::UnwritableFile`], naming the file.
    pub fn save_png(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        self.encode_png()
            .and_then(|png| write_atomically(path, &png))
            .map_err(|source| Error::UnwritableFile {
                path: path.to_owned(),
                source,
            })
    }

    fn encode_png(&self) -> io::Result<Vec<u8>> {
        let side = |n: usize| u32::try_from(n).map_err(io::Error::other);
        let mut png = Cursor::new(Vec::new());
        ::image::codecs::png::PngEncoder::new(&mut png)
            .write_image(
                &self.data,
                side(self.width)?,
                side(self.height)?,
                ExtendedColorType::Rgb8,
            )
            .map_err(io::Error::other)?;
        Ok(png.into_inner())
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
        let to_u8 = |&v: &f32| (v.clamp(0.0, 1.0) * 255.0).round_ties_even() as u8;
        Self::new(width, height, pixels.iter().map(to_u8).collect())
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

/// The most that an image may take decoded: 19,000×19,000 pixels of 8-bit RGB are about it.
const MAX_DECODED_BYTES: u64 = 1 << 30;

fn decode(path: &Path) -> std::result::Result<DynamicImage, ImageError> {
    let mut decoder = ImageReader::open(path)?
        .with_guessed_format()?
        .into_decoder()?;
    // A header may claim any size, and an allocation that fails ends the process.
    let bytes = decoder.total_bytes();
    if bytes > MAX_DECODED_BYTES {
        let (width, height) = decoder.dimensions();
        return Err(ImageError::IoError(io::Error::other(format!(
            "its header claims {width}×{height} pixels, {bytes} bytes decoded, and at most \
             {MAX_DECODED_BYTES} are read"
        ))));
    }
    // A broken EXIF block is no reason to refuse the pixels.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// One of the eight symmetries of the square: flips first, then the transpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Symmetry {
    /// Left and right change places.
    pub flip_x: bool,
    /// Top and bottom change places.
    pub flip_y: bool,
    /// Then rows become columns.
    pub transpose: bool,
}

impl Symmetry {
    /// All eight, the identity first.
    pub const ALL: [Self; 8] = {
        let mut all = [Self {
            flip_x: false,
            flip_y: false,
            transpose: false,
        }; 8];
        let mut i = 0;
        while i < 8 {
            all[i] = Self {
                flip_x: i & 1 != 0,
                flip_y: i & 2 != 0,
                transpose: i & 4 != 0,
            };
            i += 1;
        }
        all
    };

    /// The symmetry that undoes this one: a flip seen from behind the transpose is along the other axis.
    pub fn inverse(self) -> Self {
        if self.transpose {
            Self {
                flip_x: self.flip_y,
                flip_y: self.flip_x,
                transpose: true,
            }
        } else {
            self
        }
    }

    /// (height, width) of what [`apply`](Self::apply) returns.
    pub fn size(self, height: usize, width: usize) -> (usize, usize) {
        if self.transpose {
            (width, height)
        } else {
            (height, width)
        }
    }

    /// `pixels` `[height, width, channels]` flipped and transposed, of the size that [`size`](Self::size) tells.
    ///
    /// # Panics
    /// When `pixels` has another length.
    #[track_caller]
    pub fn apply<T: Copy>(
        self,
        pixels: &[T],
        height: usize,
        width: usize,
        channels: usize,
    ) -> Vec<T> {
        assert_eq!(
            pixels.len(),
            height * width * channels,
            "Symmetry::apply: not [{height}, {width}, {channels}]"
        );
        let (rows, columns) = self.size(height, width);
        let mut out = Vec::with_capacity(pixels.len());
        for row in 0..rows {
            for column in 0..columns {
                let (y, x) = if self.transpose {
                    (column, row)
                } else {
                    (row, column)
                };
                let y = if self.flip_y { height - 1 - y } else { y };
                let x = if self.flip_x { width - 1 - x } else { x };
                out.extend_from_slice(&pixels[(y * width + x) * channels..][..channels]);
            }
        }
        out
    }
}

#[cfg(test)]
pub(crate) mod tests;
