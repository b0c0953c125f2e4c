//! What a picture is: pixels of some depth and some channels, and what goes with them.

use crate::metadata::Metadata;

/// A picture in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// What a pixel consists of.
    pub channels: Channels,
    /// The pixels, row by row.
    pub samples: Samples, // [H, W, C]
    /// What goes with them.
    pub metadata: Metadata,
}

/// What a pixel consists of. Alpha is straight: colours are not multiplied by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// One channel; 0 is black.
    Gray,
    /// Gray and alpha.
    GrayAlpha,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue and alpha.
    Rgba,
}

impl Channels {
    /// Numbers to a pixel.
    pub fn count(self) -> usize {
        match self {
            Channels::Gray => 1,
            Channels::GrayAlpha => 2,
            Channels::Rgb => 3,
            Channels::Rgba => 4,
        }
    }

    /// Whether the last channel is alpha.
    pub fn has_alpha(self) -> bool {
        matches!(self, Channels::GrayAlpha | Channels::Rgba)
    }

    /// Whether there is one channel of colour.
    pub fn is_gray(self) -> bool {
        matches!(self, Channels::Gray | Channels::GrayAlpha)
    }
}

/// The numbers of a picture, `[H, W, C]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Samples {
    /// 8 bits: 255 is white.
    U8(Vec<u8>),
    /// 16 bits: 65535 is white.
    U16(Vec<u16>),
    /// Floats: 1.0 is white, with the curve of the picture's colour space (as a screen shows it, not
    /// linear light). Values may lie outside of 0 to 1, and may be NaN.
    F32(Vec<f32>),
}

impl Samples {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match self {
            Samples::U8(v) => v.len(),
            Samples::U16(v) => v.len(),
            Samples::F32(v) => v.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Picture {
    /// A picture without metadata.
    ///
    /// # Panics
    /// When `samples` is not `height`·`width`·`channels` long.
    #[track_caller]
    pub fn new(width: usize, height: usize, channels: Channels, samples: Samples) -> Picture {
        let expected = width * height * channels.count();
        assert_eq!(
            samples.len(),
            expected,
            "Picture::new: {} numbers for {width}×{height} {channels:?}",
            samples.len()
        );
        Picture {
            width,
            height,
            channels,
            samples,
            metadata: Metadata::default(),
        }
    }
}
