//! What a file is, by its content.

use crate::error::ReadError;
use crate::format::Format;

/// The format of a file.
///
/// # Errors
/// It is none that is read; the error names it where it is known.
pub fn format_of(bytes: &[u8]) -> Result<Format, ReadError> {
    let begins = |magic: &[u8]| bytes.starts_with(magic);
    let at = |from: usize, text: &[u8]| bytes.get(from..from + text.len()) == Some(text);
    let format = match bytes {
        _ if begins(b"\x89PNG\r\n\x1a\n") => Format::Png,
        _ if begins(b"\xff\xd8") => Format::Jpeg,
        _ if begins(b"RIFF") && at(8, b"WEBP") => Format::WebP,
        _ if begins(b"II*\0") || begins(b"MM\0*") || begins(b"II+\0") || begins(b"MM\0+") => {
            Format::Tiff
        }
        _ if begins(b"GIF87a") || begins(b"GIF89a") => Format::Gif,
        _ if begins(b"BM") => Format::Bmp,
        _ if begins(b"qoif") => Format::Qoi,
        _ if begins(b"\x76\x2f\x31\x01") => Format::OpenExr,
        _ if begins(b"#?RADIANCE") || begins(b"#?RGBE") => Format::RadianceHdr,
        _ if is_ico(bytes) => Format::Ico,
        [b'P', b'1'..=b'7', b' ' | b'\t' | b'\r' | b'\n' | b'#', ..] => Format::Pnm,
        _ if bytes.is_empty() => return Err(ReadError::Unknown("it is empty".to_owned())),
        _ if is_tga(bytes) => Format::Tga,
        _ => return Err(unread(bytes)),
    };
    Ok(format)
}

/// ICO or CUR: its first picture has to lie behind the directory. (A TGA may begin with the same bytes.)
fn is_ico(bytes: &[u8]) -> bool {
    let Some(&[0, 0, 1 | 2, 0, low, high]) = bytes.first_chunk::<6>() else {
        return false;
    };
    let count = usize::from(u16::from_le_bytes([low, high]));
    let start = bytes.get(18..22).and_then(|b| b.first_chunk::<4>());
    count > 0 && start.is_some_and(|b| u32::from_le_bytes(*b) as usize >= 6 + 16 * count)
}

/// TGA has no magic: its header has to make sense, and its size to fit.
fn is_tga(bytes: &[u8]) -> bool {
    let Some(head) = bytes.first_chunk::<18>() else {
        return false;
    };
    let [_, palette, kind, ..] = *head;
    let known = matches!((palette, kind), (0, 2 | 3 | 10 | 11) | (1, 1 | 9));
    let depth = matches!(head[16], 8 | 15 | 16 | 24 | 32);
    let side = |i: usize| u16::from_le_bytes([head[i], head[i + 1]]) > 0;
    // The text of a letter may look like all that; the reserved bits then do not.
    known && depth && side(12) && side(14) && head[17] & 0xc0 == 0 && head[1] <= 1
}

/// Formats that are known and not read, by what stands at a position.
const UNREAD: [(usize, &[u8], &str); 16] = [
    (4, b"ftypavi", "AVIF"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftyphev", "HEIC"),
    (4, b"ftypmif1", "HEIF"),
    (4, b"ftypmsf1", "HEIF"),
    (4, b"ftyp", "MP4 or another of its family"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"8BPS", "Photoshop"),
    (0, b"%PDF", "PDF"),
    (0, b"<svg", "SVG"),
    (0, b"<?xml", "SVG or other XML"),
    (0, b"II\xbc\x01", "JPEG XR"),
    (0, b"DDS ", "DDS"),
];

fn unread(bytes: &[u8]) -> ReadError {
    let holds = |(at, magic, _): &&(usize, &[u8], &str)| {
        bytes.get(*at..).is_some_and(|b| b.starts_with(magic))
    };
    let read =
        "PNG, JPEG, WebP, TIFF, GIF, BMP, QOI, PNM, TGA, ICO, OpenEXR and Radiance HDR are read";
    ReadError::Unknown(match UNREAD.iter().find(holds) {
        Some((.., name)) => {
            format!("it is {name}, which is not read; convert it to PNG first ({read})")
        }
        None => format!("it is no picture of a known format ({read})"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_that_are_not_read_are_named() {
        for (bytes, name) in [
            (&b"\0\0\0\x20ftypavif"[..], "AVIF"),
            (b"\0\0\0\x20ftypheic", "HEIC"),
            (b"\0\0\0\x0cJXL \r\n", "JPEG XL"),
            (b"<svg xmlns=", "SVG"),
            (b"some text", "no picture"),
            (b"", "empty"),
        ] {
            let error = format_of(bytes).expect_err("not read").to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
