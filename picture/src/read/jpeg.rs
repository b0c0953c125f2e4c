//! JPEG: its segments, whether its data is whole, and what JFIF says of the resolution.

use super::huffman::Huffman;
use super::scan::{Frame, Tables, walk};
use crate::metadata::{Resolution, Unit};

/// What is wrong with a file.
pub struct Fault {
    pub what: String,
    /// The part of the picture that is missing, 0 to 1.
    pub missing: f64,
}

/// A scan takes time for every block, whatever it holds.
const MOST_SCANS: usize = 100;

/// Looks through the whole file. One of more than `max_bytes` pixels is left to be refused for that.
///
/// # Errors
/// What is wrong with it.
pub fn check(bytes: &[u8], max_bytes: u64) -> Result<(), Fault> {
    let fault = |what: &str, missing| Fault {
        what: what.to_owned(),
        missing,
    };
    let mut tables = Tables::default();
    let mut frame: Option<Frame> = None;
    let mut walked = true;
    let mut scans = 0;
    let mut at = 2;
    loop {
        let Some((marker, content, behind)) = segment(bytes, at) else {
            // A progressive picture is there from its first scan on, if not as fine.
            let missing = if scans == 0 { 1.0 } else { 0.0 };
            return Err(fault("it is cut off", missing));
        };
        at = behind;
        match marker {
            0xd9 => break,
            0xc4 => drop(huffman(&mut tables, content)),
            0xdd => {
                tables.restart = content
                    .first_chunk()
                    .map_or(0, |&b| u16::from_be_bytes(b).into())
            }
            0xc0..=0xc2 => {
                frame = Frame::parse(content, marker == 0xc2, max_bytes);
                walked &= frame.is_some();
            }
            // Arithmetic coding, lossless: the decoder has the word.
            0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => walked = false,
            0xda => {
                let end = data_end(bytes, at);
                scans += 1;
                if scans > MOST_SCANS {
                    return Err(fault("it has more scans than any encoder makes", 1.0));
                }
                if let Some(frame) = frame.as_mut().filter(|_| walked) {
                    let first = scans == 1;
                    walk(frame, &tables, content, &bytes[at..end]).map_err(|broken| Fault {
                        missing: if first || !frame.progressive {
                            1.0 - broken.there
                        } else {
                            0.0
                        },
                        what: broken.what,
                    })?;
                }
                at = end;
            }
            _ => {}
        }
    }
    match (
        scans,
        frame.filter(|_| walked).and_then(|frame| frame.lacks()),
    ) {
        (0, _) => Err(fault("it holds no picture", 1.0)),
        (_, Some(what)) => Err(fault(what, 0.0)),
        _ => Ok(()),
    }
}

/// The segment at a position: its marker, its content, and where the next one begins.
fn segment(bytes: &[u8], mut at: usize) -> Option<(u8, &[u8], usize)> {
    // Whatever stands before a marker is passed over, as all readers do.
    loop {
        let pair = bytes.get(at..at + 2)?;
        match pair {
            [0xff, marker] if !matches!(marker, 0 | 0xff) => break,
            _ => at += 1,
        }
    }
    let marker = bytes[at + 1];
    at += 2;
    if matches!(marker, 0x01 | 0xd0..=0xd9) {
        return Some((marker, &[], at));
    }
    let length = usize::from(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
    let content = bytes.get(at + 2..at + length.max(2))?;
    Some((marker, content, at + length.max(2)))
}

/// Where compressed data ends: at the next marker that is none of its own.
fn data_end(bytes: &[u8], from: usize) -> usize {
    let own = |&byte: &u8| matches!(byte, 0 | 0xd0..=0xd7 | 0xff);
    let ends = |i: &usize| bytes[*i] == 0xff && !bytes.get(i + 1).is_none_or(own);
    (from..bytes.len()).find(ends).unwrap_or(bytes.len())
}

fn huffman(tables: &mut Tables, mut content: &[u8]) -> Option<()> {
    while let Some((&which, rest)) = content.split_first() {
        let (counts, rest) = rest.split_first_chunk::<16>()?;
        let total = counts.iter().map(|&n| usize::from(n)).sum();
        let (values, rest) = rest.split_at_checked(total)?;
        let class = tables.huffman.get_mut(usize::from(which >> 4))?;
        *class.get_mut(usize::from(which & 15))? = Huffman::new(counts, values);
        content = rest;
    }
    Some(())
}

/// The resolution in JFIF's segment, if there is one.
pub fn resolution(bytes: &[u8]) -> Option<Resolution> {
    let mut at = 2;
    while let Some((marker, content, behind)) = segment(bytes, at) {
        at = behind;
        match marker {
            0xe0 if content.starts_with(b"JFIF\0") => {
                let &[unit, x1, x0, y1, y0] = content.get(7..12)? else {
                    return None;
                };
                let [x, y] = [[x1, x0], [y1, y0]].map(|b| f64::from(u16::from_be_bytes(b)));
                let unit = match unit {
                    1 => Unit::Inch,
                    2 => Unit::Centimetre,
                    _ => Unit::None,
                };
                // 1×1 without a unit says nothing.
                let says = x > 0.0 && y > 0.0 && (unit != Unit::None || x != y);
                return says.then_some(Resolution { x, y, unit });
            }
            0xda | 0xd9 => return None,
            _ => {}
        }
    }
    None
}
