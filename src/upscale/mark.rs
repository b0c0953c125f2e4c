//! A mark that tells a file of our own from another program's: the same command line twice may write
//! over its own outputs, and over nothing else.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use picture::Format;

/// A comment in the file: in a place of the format's own, or behind its end, where no reader looks.
const MARK: &[u8] = b"Enlarged by CATANet";
/// How much of a file's beginning and end is looked through for it.
const LOOKED_AT: u64 = 1 << 17;

/// Puts the mark into a file's bytes.
pub fn mark(bytes: &mut Vec<u8>, format: Format) {
    match format {
        Format::Png => {
            // A chunk before the last one, IEND, which is 12 bytes long.
            let body = [b"tEXtSoftware\0", MARK].concat();
            let length = (body.len() - 4) as u32;
            let check = crc32fast::hash(&body).to_be_bytes();
            let chunk = [&length.to_be_bytes()[..], &body, &check].concat();
            let end = bytes.len().saturating_sub(12);
            bytes.splice(end..end, chunk);
        }
        Format::Jpeg => {
            // A comment behind the first segment, which has to be JFIF's or EXIF's where there is one.
            let first = match bytes.get(2..6) {
                Some(&[0xff, 0xe0 | 0xe1, high, low]) => {
                    4 + usize::from(u16::from_be_bytes([high, low]))
                }
                _ => 2,
            };
            let length = (MARK.len() + 2) as u16;
            let segment = [&[0xff, 0xfe], &length.to_be_bytes()[..], MARK].concat();
            if first <= bytes.len() {
                bytes.splice(first..first, segment);
            }
        }
        Format::Pnm => {
            let comment = [b"# ", MARK, b"\n"].concat();
            if bytes.get(2) == Some(&b'\n') {
                bytes.splice(3..3, comment);
            }
        }
        _ => bytes.extend_from_slice(MARK),
    }
}

/// Whether a file bears the mark.
pub fn is_marked(path: &Path) -> bool {
    let holds = |bytes: &[u8]| bytes.windows(MARK.len()).any(|part| part == MARK);
    let look = || -> std::io::Result<bool> {
        let mut file = File::open(path)?;
        let mut bytes = Vec::new();
        (&mut file).take(LOOKED_AT).read_to_end(&mut bytes)?;
        if holds(&bytes) {
            return Ok(true);
        }
        let length = file.metadata()?.len();
        bytes.clear();
        file.seek(SeekFrom::Start(length.saturating_sub(LOOKED_AT)))?;
        file.take(LOOKED_AT).read_to_end(&mut bytes)?;
        Ok(holds(&bytes))
    };
    // Only files: to look into a pipe would take from it.
    path.is_file() && look().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use picture::{Channels, Picture, ReadOptions, Samples, WriteOptions, read, write};

    use super::*;

    #[test]
    fn a_marked_file_is_known_and_read_as_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        let samples = (0..60).collect();
        let picture = Picture::new(5, 4, Channels::Rgb, Samples::U8(samples));
        for format in Format::WRITTEN {
            let plain = write(&picture, format, &WriteOptions::default());
            let plain = plain.expect("written").bytes;
            let mut marked = plain.clone();
            mark(&mut marked, format);
            let pixels = |bytes: &[u8]| {
                let reading = read(bytes, &ReadOptions::default()).expect("read");
                reading.picture
            };
            assert_eq!(pixels(&marked), pixels(&plain), "{format}");
            fs::write(&path, &marked).expect("a file");
            assert!(is_marked(&path), "{format}");
            fs::write(&path, &plain).expect("a file");
            assert!(!is_marked(&path), "{format}");
        }
    }
}
