//! From a picture to a file's bytes.
//!
//! First everything is brought into a form that the format has (`pixels`, `kept`), and what is lost by
//! that is noted. Then the format's own file writes it.

mod exif;
mod jpeg;
mod kept;
mod others;
mod pixels;
mod png;
mod resolution;
mod tiff;
mod webp;

use crate::error::WriteError;
use crate::format::Format;
use crate::picture::{Channels, Picture};

use kept::Kept;
use pixels::{Depth, Pixels};

/// How a file is written.
#[derive(Clone, Copy, Debug)]
pub struct WriteOptions {
    /// JPEG's quality, 1 to 100; what lies outside is taken as the nearer of the two.
    pub quality: u8,
    /// What transparent pictures are laid on, in any format: sRGB, or the picture's own colour space. With
    /// `None` they stay transparent where the format has that, and are laid on white where it has not.
    pub background: Option<[u8; 3]>,
}

impl Default for WriteOptions {
    /// Quality 95; white where alpha must go, and a note then.
    fn default() -> Self {
        WriteOptions {
            quality: 95,
            background: None,
        }
    }
}

/// A file's bytes, and what did not fit in.
#[derive(Clone, Debug)]
pub struct Written {
    /// The file.
    pub bytes: Vec<u8>,
    /// What the format could not hold, each as a clause ("JPEG has no transparency: laid on white").
    pub notes: Vec<String>,
}

impl Picture {
    /// The picture laid on a colour, without alpha, at its own depth. Gray stays gray on gray.
    pub fn laid_on(&self, background: [u8; 3]) -> Picture {
        if !self.channels.has_alpha() {
            return self.clone();
        }
        let laid = Pixels::of(self).laid_on(background);
        let samples = laid.samples.into_owned();
        let mut picture = Picture::new(self.width, self.height, laid.channels, samples);
        picture.metadata = self.metadata.clone();
        picture
    }
}

/// What a format has room for.
struct Room {
    /// Pixels a side.
    side: usize,
    depth: Depth,
    channels: &'static [Channels],
}

fn room(format: Format) -> Option<Room> {
    use Channels::{Gray, GrayAlpha, Rgb, Rgba};
    let room = |side, depth, channels| {
        Some(Room {
            side,
            depth,
            channels,
        })
    };
    const I32: usize = i32::MAX as usize;
    const U32: usize = u32::MAX as usize;
    match format {
        Format::Png => room(I32, Depth::Sixteen, &[Gray, GrayAlpha, Rgb, Rgba]),
        Format::Jpeg => room(65535, Depth::Eight, &[Gray, Rgb]),
        Format::WebP => room(16383, Depth::Eight, &[Rgb, Rgba]),
        Format::Tiff => room(U32, Depth::Float, &[Gray, GrayAlpha, Rgb, Rgba]),
        Format::Bmp => room(I32, Depth::Eight, &[Gray, Rgb, Rgba]),
        Format::Qoi => room(U32, Depth::Eight, &[Rgb, Rgba]),
        Format::Pnm => room(U32, Depth::Sixteen, &[Gray, GrayAlpha, Rgb, Rgba]),
        _ => None,
    }
}

/// Writes a picture.
///
/// # Errors
/// [`WriteError`].
///
/// # Panics
/// When the picture's samples are not `height`·`width`·`channels` long.
#[track_caller]
pub fn write(
    picture: &Picture,
    format: Format,
    options: &WriteOptions,
) -> Result<Written, WriteError> {
    let room = room(format).ok_or(WriteError::NotWritten(format))?;
    let (width, height) = (picture.width, picture.height);
    assert_eq!(
        picture.samples.len(),
        width * height * picture.channels.count(),
        "write: {} numbers for {width}×{height} {:?}",
        picture.samples.len(),
        picture.channels
    );
    if width > room.side || height > room.side {
        return Err(WriteError::TooLarge {
            format,
            limit: room.side,
            width,
            height,
        });
    }
    let failed = |what: String| WriteError::Encoder { format, what };
    if width == 0 || height == 0 {
        return Err(failed("it has no pixels".to_owned()));
    }
    let mut notes = Vec::new();
    let pixels = fit(picture, format, &room, options, &mut notes);
    let kept = Kept::of(&picture.metadata, pixels.channels, format, &mut notes);
    let bytes = match format {
        Format::Png => png::encode(&pixels, &kept),
        Format::Jpeg => jpeg::encode(&pixels, &kept, options.quality.clamp(1, 100)),
        Format::WebP => webp::encode(&pixels, &kept),
        Format::Tiff => tiff::encode(&pixels, &kept),
        Format::Bmp => others::bmp(&pixels, &kept),
        Format::Qoi => others::qoi(&pixels),
        _ => others::pnm(&pixels),
    };
    Ok(Written {
        bytes: bytes.map_err(failed)?,
        notes,
    })
}

/// The pixels in a form that the format has, at their own depth as long as possible.
fn fit<'a>(
    picture: &'a Picture,
    format: Format,
    room: &Room,
    options: &WriteOptions,
    notes: &mut Vec<String>,
) -> Pixels<'a> {
    let mut pixels = Pixels::of(picture);
    if pixels.channels.has_alpha()
        && (options.background.is_some() || !room.channels.contains(&Channels::Rgba))
    {
        if options.background.is_none() && !pixels.is_opaque() {
            notes.push(format!("{format} has no transparency: laid on white"));
        }
        pixels = pixels.laid_on(options.background.unwrap_or([255; 3]));
    }
    if pixels.depth() > room.depth {
        let (from, to) = (pixels.depth().words(), room.depth.words());
        notes.push(format!("{format} has {to} bits: {from} became {to}"));
        if pixels.is_outside() {
            notes.push(format!(
                "{format} has no values below black or above white: they were cut off"
            ));
        }
        pixels = pixels.at(room.depth);
    }
    if !room.channels.contains(&pixels.channels) {
        let gray_is_held = room.channels.contains(&Channels::Gray);
        let what = if gray_is_held {
            "gray with transparency"
        } else {
            "gray"
        };
        notes.push(format!("{format} has no {what}: written as RGB"));
        pixels = pixels.in_colour();
    }
    pixels
}
