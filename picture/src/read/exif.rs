//! EXIF: its orientation, which is applied and then reset, and its resolution.

use image::metadata::Orientation;

use crate::metadata::{Resolution, Unit};

/// The structure without what some formats put before it.
pub fn bare(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.starts_with(b"Exif\0\0") {
        bytes.drain(..6);
    }
    bytes
}

/// Whether it is a TIFF structure at all.
pub fn is_sound(exif: &[u8]) -> bool {
    Reader::new(exif).is_some_and(|reader| reader.entries().is_some())
}

const ORIENTATION: u16 = 0x112;

/// The orientation, and "upright" in its place.
pub fn take_orientation(exif: &mut [u8]) -> Orientation {
    let found = Reader::new(exif).and_then(|reader| {
        let entry = reader.find(ORIENTATION)?;
        // A number of 16 bits, or by some writers of 32.
        let wide = reader.u16(entry + 2)? == 4;
        let at = entry + if wide && !reader.little { 10 } else { 8 };
        let upright = match reader.little {
            true => 1u16.to_le_bytes(),
            false => 1u16.to_be_bytes(),
        };
        Some((reader.u16(at)?, at, upright))
    });
    let Some((value, at, upright)) = found else {
        return Orientation::NoTransforms;
    };
    let orientation = u8::try_from(value).ok().and_then(Orientation::from_exif);
    if let Some(place) = exif.get_mut(at..at + 2) {
        place.copy_from_slice(&upright);
    }
    orientation.unwrap_or(Orientation::NoTransforms)
}

/// Says "upright" in XMP, too.
pub fn reset_in_xmp(xmp: &mut [u8]) {
    for before in [
        &b"tiff:Orientation=\""[..],
        b"tiff:Orientation='",
        b"<tiff:Orientation>",
    ] {
        let places: Vec<_> = xmp
            .windows(before.len())
            .enumerate()
            .filter(|(_, part)| *part == before)
            .map(|(at, _)| at + before.len())
            .collect();
        for at in places {
            if let Some(digit) = xmp.get_mut(at).filter(|b| b.is_ascii_digit()) {
                *digit = b'1';
            }
        }
    }
}

/// The resolution, where it has one.
pub fn resolution(exif: &[u8]) -> Option<Resolution> {
    let reader = Reader::new(exif)?;
    let [x, y] = [0x11a, 0x11b].map(|tag| reader.rational(reader.find(tag)?));
    let unit = match reader.find(0x128).and_then(|entry| reader.u16(entry + 8)) {
        Some(1) => Unit::None,
        Some(3) => Unit::Centimetre,
        _ => Unit::Inch,
    };
    let (x, y) = (x?, y?);
    (x > 0.0 && y > 0.0).then_some(Resolution { x, y, unit })
}

struct Reader<'a> {
    bytes: &'a [u8],
    little: bool,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Option<Reader<'a>> {
        let little = match bytes.first_chunk::<4>()? {
            b"II*\0" => true,
            b"MM\0*" => false,
            _ => return None,
        };
        Some(Reader { bytes, little })
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.little {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.little {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
    }

    /// Where the first directory's entries begin, and how many there are.
    fn entries(&self) -> Option<(usize, usize)> {
        let start = self.u32(4)? as usize;
        let count = usize::from(self.u16(start)?);
        let fits = start + 2 + 12 * count <= self.bytes.len();
        fits.then_some((start + 2, count))
    }

    fn find(&self, tag: u16) -> Option<usize> {
        let (start, count) = self.entries()?;
        let mut all = (0..count).map(|i| start + 12 * i);
        all.find(|&entry| self.u16(entry) == Some(tag))
    }

    fn rational(&self, entry: usize) -> Option<f64> {
        let at = self.u32(entry + 8)? as usize;
        let (over, under) = (self.u32(at)?, self.u32(at.checked_add(4)?)?);
        (under != 0).then(|| f64::from(over) / f64::from(under))
    }
}
