//! What goes with the pixels: the colours' description, how the picture was taken, its resolution.

/// What a file says of a picture beside its pixels. All of it is carried as it was, byte for byte,
/// but for EXIF's orientation, which is applied to the pixels on reading and then says "upright".
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// An ICC profile. It fits the picture's channels: a gray one for gray, an RGB one for colour.
    pub icc: Option<Vec<u8>>,
    /// EXIF: a TIFF structure, beginning with its byte order (`II*\0` or `MM\0*`).
    pub exif: Option<Vec<u8>>,
    /// XMP: XML in UTF-8.
    pub xmp: Option<Vec<u8>>,
    /// Pixels to a unit of length.
    pub resolution: Option<Resolution>,
    /// PNG's gAMA: 100,000 times the exponent of the file's curve.
    pub gamma: Option<u32>,
    /// PNG's cHRM: white, red, green and blue, x and y each, times 100,000.
    pub chromaticities: Option<[u32; 8]>,
    /// PNG's sRGB: the rendering intent.
    pub srgb_intent: Option<u8>,
    /// PNG's cICP: primaries, transfer function, matrix (0), full range.
    pub cicp: Option<[u8; 4]>,
}

/// Pixels to a unit of length. It stays as it was when a picture is enlarged: the same dots per inch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resolution {
    /// Pixels to a unit across.
    pub x: f64,
    /// Pixels to a unit down.
    pub y: f64,
    /// Of what.
    pub unit: Unit,
}

/// A unit of length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Not said: only the shape of a pixel is meant.
    None,
    /// 25.4 mm.
    Inch,
    /// As JPEG and TIFF count.
    Centimetre,
    /// As PNG counts.
    Metre,
}
