//! The formats of files.

use std::ffi::OsStr;
use std::fmt;

/// A format that pictures are read from, and perhaps written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Format {
    Png,
    Jpeg,
    WebP,
    Tiff,
    Bmp,
    Qoi,
    Pnm,
    Gif,
    Tga,
    Ico,
    OpenExr,
    RadianceHdr,
}

impl Format {
    /// The formats that [`write`](crate::write) knows.
    pub const WRITTEN: [Format; 7] = [
        Format::Png,
        Format::Jpeg,
        Format::WebP,
        Format::Tiff,
        Format::Bmp,
        Format::Qoi,
        Format::Pnm,
    ];

    /// The format that a file's extension (without the dot, in any case) names.
    pub fn from_extension(extension: impl AsRef<OsStr>) -> Option<Format> {
        let extension = extension.as_ref().to_str()?.to_ascii_lowercase();
        let all = Format::WRITTEN.into_iter().chain([
            Format::Gif,
            Format::Tga,
            Format::Ico,
            Format::OpenExr,
            Format::RadianceHdr,
        ]);
        all.into_iter()
            .find(|format| format.extensions().contains(&extension.as_str()))
    }

    /// How the names of its files end, without the dot; the customary one first.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Format::Png => &["png", "apng"],
            Format::Jpeg => &["jpg", "jpeg", "jpe", "jfif"],
            Format::WebP => &["webp"],
            Format::Tiff => &["tif", "tiff"],
            Format::Bmp => &["bmp", "dib"],
            Format::Qoi => &["qoi"],
            Format::Pnm => &["pnm", "ppm", "pgm", "pbm", "pam", "pfm"],
            Format::Gif => &["gif"],
            Format::Tga => &["tga"],
            Format::Ico => &["ico"],
            Format::OpenExr => &["exr"],
            Format::RadianceHdr => &["hdr"],
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Png => "PNG",
            Format::Jpeg => "JPEG",
            Format::WebP => "WebP",
            Format::Tiff => "TIFF",
            Format::Bmp => "BMP",
            Format::Qoi => "QOI",
            Format::Pnm => "PNM",
            Format::Gif => "GIF",
            Format::Tga => "TGA",
            Format::Ico => "ICO",
            Format::OpenExr => "OpenEXR",
            Format::RadianceHdr => "Radiance HDR",
        })
    }
}
