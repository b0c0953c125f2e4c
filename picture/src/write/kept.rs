//! What goes with the pixels, as far as the format holds it.

use crate::format::Format;
use crate::metadata::{Metadata, Resolution};
use crate::picture::Channels;

use super::exif::Directory;
use super::resolution::{self, Density};

/// What JPEG's segments begin with.
pub(super) const JPEG_EXIF: &[u8] = b"Exif\0\0";
pub(super) const JPEG_XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// What is written beside the pixels. Nothing in it is empty.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Kept<'a> {
    pub(super) icc: Option<&'a [u8]>,
    pub(super) exif: Option<&'a [u8]>,
    /// Of TIFF, instead of the block.
    pub(super) exif_fields: Option<Directory>,
    pub(super) xmp: Option<&'a [u8]>,
    /// Of formats that count in whole numbers.
    pub(super) density: Option<Density>,
    /// Of TIFF.
    pub(super) resolution: Option<Resolution>,
    /// Of PNG.
    pub(super) gamma: Option<u32>,
    pub(super) chromaticities: Option<[u32; 8]>,
    pub(super) srgb_intent: Option<u8>,
    pub(super) cicp: Option<[u8; 4]>,
}

/// The most bytes of an ICC profile, of EXIF and of XMP.
struct Room {
    icc: usize,
    exif: usize,
    xmp: usize,
}

fn room(format: Format) -> Room {
    let room = |icc, exif, xmp| Room { icc, exif, xmp };
    // Lengths are 32 bits in PNG (one less), WebP and TIFF, and the rest of the file needs some room.
    const MOST: usize = i32::MAX as usize / 4;
    match format {
        // Pillow refuses a PNG with a larger profile, or with 64 MiB of text, and libpng leaves them out.
        Format::Png => room(1 << 20, MOST, 1 << 25),
        Format::WebP | Format::Tiff => room(MOST, MOST, MOST),
        // A segment has at most 65533 bytes; a profile takes several, at most 254 of them.
        Format::Jpeg => room(
            254 * (65533 - b"ICC_PROFILE\0##".len()),
            65533 - JPEG_EXIF.len(),
            65533 - JPEG_XMP.len(),
        ),
        _ => room(0, 0, 0),
    }
}

impl<'a> Kept<'a> {
    /// What `format` holds of it with pixels of these channels. The rest is noted.
    pub(super) fn of(
        metadata: &'a Metadata,
        channels: Channels,
        format: Format,
        notes: &mut Vec<String>,
    ) -> Kept<'a> {
        let room = room(format);
        let mut kept = Kept::default();
        let mut keep = |why_not: Option<String>| match why_not {
            None => true,
            Some(why) => {
                notes.push(format!("{why}: left out"));
                false
            }
        };
        let holds = |bytes: &[u8], room: usize, what: &str| match bytes.len() {
            _ if room == 0 => Some(format!("{format} holds no {what}")),
            length if length > room => Some(format!(
                "{format} holds at most {room} bytes of {what}, not {length}"
            )),
            _ => None,
        };

        kept.icc = given(&metadata.icc).filter(|icc| {
            keep(holds(icc, room.icc, "ICC profile").or_else(|| misfit(icc, channels)))
        });
        kept.exif = given(&metadata.exif).filter(|exif| {
            let begins = exif.starts_with(b"II*\0") || exif.starts_with(b"MM\0*");
            let broken = || (!begins).then(|| "the EXIF is damaged".to_owned());
            keep(holds(exif, room.exif, "EXIF").or_else(broken))
        });
        if format == Format::Tiff {
            // TIFF has no place for a block of bytes: its fields are taken out.
            if let Some(exif) = kept.exif.take() {
                let (fields, damaged) = Directory::of(exif).unzip();
                kept.exif_fields = fields;
                if damaged.unwrap_or(true) {
                    keep(Some("what is damaged of the EXIF".to_owned()));
                }
            }
        }
        kept.xmp = given(&metadata.xmp).filter(|xmp| {
            // PNG's is text; elsewhere it is bytes.
            let text = std::str::from_utf8(xmp).is_ok_and(|text| !text.contains('\0'));
            let broken = (format == Format::Png && !text).then(|| "the XMP is not text".to_owned());
            keep(holds(xmp, room.xmp, "XMP").or(broken))
        });
        if let Some(resolution) = metadata.resolution.filter(resolution::is_said) {
            match format {
                Format::Tiff if resolution::fractions(&resolution).is_some() => {
                    kept.resolution = Some(resolution);
                }
                _ => kept.density = resolution::density(&resolution, format),
            }
            if kept.density.is_none() && kept.resolution.is_none() {
                keep(Some(format!("{format} does not hold this resolution")));
            }
        }
        if format == Format::Png {
            // Readers refuse files with numbers that the standard does not have.
            let most = i32::MAX as u32;
            let mut sound = |sound: bool, what: &str| {
                keep((!sound).then(|| format!("the {what} is none that PNG has")))
            };
            kept.gamma = metadata
                .gamma
                .filter(|&gamma| sound(gamma > 0 && gamma <= most, "gAMA"));
            kept.chromaticities = metadata
                .chromaticities
                .filter(|c| sound(c.iter().all(|&c| c <= most), "cHRM"));
            // A profile says more than "sRGB", and not both may be there.
            kept.srgb_intent = metadata
                .srgb_intent
                .filter(|&intent| kept.icc.is_none() && sound(intent < 4, "sRGB"));
            kept.cicp = metadata
                .cicp
                .filter(|&[_, _, matrix, full]| sound(matrix == 0 && full < 2, "cICP"));
        } else if let Some(what) = lost_colours(metadata, kept.icc.is_some()) {
            keep(Some(format!(
                "{format} holds no {what}, and the colours are not sRGB's"
            )));
        }
        kept
    }
}

fn given(bytes: &Option<Vec<u8>>) -> Option<&[u8]> {
    bytes.as_deref().filter(|bytes| !bytes.is_empty())
}

/// Why a profile cannot describe pixels of these channels, if it says so of itself.
fn misfit(icc: &[u8], channels: Channels) -> Option<String> {
    if icc.get(36..40) != Some(b"acsp") {
        return None;
    }
    let (space, name) = if channels.is_gray() {
        (b"GRAY", "gray")
    } else {
        (b"RGB ", "RGB")
    };
    (icc.get(16..20) != Some(space)).then(|| format!("the ICC profile is not for {name}"))
}

/// What PNG says of colours and no other format does, unless it says "sRGB" or a profile says it too.
fn lost_colours(metadata: &Metadata, has_profile: bool) -> Option<&'static str> {
    const SRGB_GAMMA: u32 = 45455;
    const SRGB: [u32; 8] = [31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000];
    /// Files round them differently.
    const NEAR: u32 = 50;
    if let Some(cicp) = metadata.cicp {
        // Primaries of BT.709, the curve of sRGB.
        let is_srgb = cicp[..2] == [1, 13];
        return (!is_srgb).then_some("cICP");
    }
    if has_profile || metadata.srgb_intent.is_some() {
        return None;
    }
    if metadata
        .gamma
        .is_some_and(|gamma| gamma.abs_diff(SRGB_GAMMA) > NEAR)
    {
        return Some("gAMA");
    }
    let far = |c: [u32; 8]| c.iter().zip(SRGB).any(|(c, srgb)| c.abs_diff(srgb) > NEAR);
    metadata.chromaticities.is_some_and(far).then_some("cHRM")
}
