//! EXIF as TIFF holds it: not as a block of bytes, but in the file's own directories.

use std::borrow::Cow;
use std::io::{Seek, Write};

use tiff::TiffResult;
use tiff::encoder::{DirectoryEncoder, TiffEncoder, TiffKind, TiffValue};
use tiff::tags::{Tag, Type};

/// The directories that fields point to: Exif, GPS, and in Exif the one of interoperability.
const POINTERS: [u16; 3] = [34665, 34853, 40965];

/// Fields, and directories that a field points to.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Directory {
    fields: Vec<Field>,
    inner: Vec<(u16, Directory)>,
}

#[derive(Debug, PartialEq)]
struct Field {
    tag: u16,
    kind: u16,
    /// In this machine's byte order, as the encoder writes.
    bytes: Vec<u8>,
}

/// What may still be read of a block, and what was not. A small block could otherwise make gigabytes: values
/// may share bytes, and directories may point at each other.
struct Left {
    bytes: usize,
    directories: usize,
    damaged: bool,
}

impl Directory {
    /// Of an EXIF block, without its thumbnail and without what describes the pixels, of which the file says
    /// it itself; and whether something in it is damaged and was passed over. `None` if nothing can be read.
    pub(super) fn of(exif: &[u8]) -> Option<(Directory, bool)> {
        let is_big = exif.starts_with(b"MM");
        let mut left = Left {
            bytes: 2 * exif.len(),
            directories: 8,
            damaged: false,
        };
        let at = number(exif, 4, 4, is_big)?;
        let mut directory = read(exif, at, is_big, &mut left)?;
        directory.fields.retain(|field| !is_of_pixels(field.tag));
        Some((directory, left.damaged))
    }

    /// Writes the directories that fields point to, and gives where they begin.
    pub(super) fn write_inner<W: Write + Seek, K: TiffKind>(
        &self,
        file: &mut TiffEncoder<W, K>,
    ) -> TiffResult<Vec<(u16, K::OffsetType)>> {
        let mut places = Vec::new();
        for (tag, inner) in &self.inner {
            let pointers = inner.write_inner(file)?;
            let mut directory = file.extra_directory()?;
            inner.write_fields(pointers, &mut directory)?;
            places.push((*tag, directory.finish_with_offsets()?.offset));
        }
        Ok(places)
    }

    /// Writes the fields into a directory; `pointers` are what `write_inner` gave.
    pub(super) fn write_fields<W: Write + Seek, K: TiffKind>(
        &self,
        pointers: Vec<(u16, K::OffsetType)>,
        directory: &mut DirectoryEncoder<'_, W, K>,
    ) -> TiffResult<()> {
        for Field { tag, kind, bytes } in &self.fields {
            let tag = Tag::from_u16_exhaustive(*tag);
            match kind {
                1 => directory.write_tag(tag, Raw::<1>(bytes))?,
                2 => directory.write_tag(tag, Raw::<2>(bytes))?,
                3 => directory.write_tag(tag, Raw::<3>(bytes))?,
                4 => directory.write_tag(tag, Raw::<4>(bytes))?,
                5 => directory.write_tag(tag, Raw::<5>(bytes))?,
                6 => directory.write_tag(tag, Raw::<6>(bytes))?,
                8 => directory.write_tag(tag, Raw::<8>(bytes))?,
                9 => directory.write_tag(tag, Raw::<9>(bytes))?,
                10 => directory.write_tag(tag, Raw::<10>(bytes))?,
                11 => directory.write_tag(tag, Raw::<11>(bytes))?,
                12 => directory.write_tag(tag, Raw::<12>(bytes))?,
                _ => directory.write_tag(tag, Raw::<UNDEFINED>(bytes))?,
            }
        }
        for (tag, place) in pointers {
            directory.write_tag(Tag::from_u16_exhaustive(tag), place)?;
        }
        Ok(())
    }
}

/// The directory that begins at a place.
fn read(exif: &[u8], at: usize, is_big: bool, left: &mut Left) -> Option<Directory> {
    left.directories = left.directories.checked_sub(1)?;
    let mut directory = Directory::default();
    for i in 0..number(exif, at, 2, is_big)? {
        let at = at + 2 + 12 * i;
        let Some(tag) = number(exif, at, 2, is_big) else {
            left.damaged = true;
            break;
        };
        let tag = tag as u16;
        if POINTERS.contains(&tag) {
            let at = number(exif, at + 8, 4, is_big);
            match at.and_then(|at| read(exif, at, is_big, left)) {
                Some(inner) => directory.inner.push((tag, inner)),
                None => left.damaged = true,
            }
        } else {
            match field(exif, at, is_big, left) {
                Some(field) => directory.fields.push(field),
                None => left.damaged = true,
            }
        }
    }
    Some(directory)
}

/// The field whose entry in a directory is at a place.
fn field(exif: &[u8], at: usize, is_big: bool, left: &mut Left) -> Option<Field> {
    let tag = number(exif, at, 2, is_big)? as u16;
    let kind = number(exif, at + 2, 2, is_big)? as u16;
    let (size, turned) = sizes(kind)?;
    let length = size.checked_mul(number(exif, at + 4, 4, is_big)?)?;
    left.bytes = left.bytes.checked_sub(length)?;
    let place = match length {
        0..=4 => at + 8,
        _ => number(exif, at + 8, 4, is_big)?,
    };
    let mut bytes = exif.get(place..place.checked_add(length)?)?.to_vec();
    if is_big != cfg!(target_endian = "big") {
        bytes.chunks_exact_mut(turned).for_each(<[u8]>::reverse);
    }
    // An entry without a value is none.
    (length > 0).then_some(Field { tag, kind, bytes })
}

/// A whole number of some bytes.
fn number(bytes: &[u8], at: usize, length: usize, is_big: bool) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    let more = |number: usize, byte: &u8| number << 8 | usize::from(*byte);
    Some(if is_big {
        bytes.iter().fold(0, more)
    } else {
        bytes.iter().rev().fold(0, more)
    })
}

/// Bytes of a value, and how many of them a byte order turns round together.
const fn sizes(kind: u16) -> Option<(usize, usize)> {
    match kind {
        1 | 2 | 6 | 7 => Some((1, 1)),
        3 | 8 => Some((2, 2)),
        4 | 9 | 11 => Some((4, 4)),
        5 | 10 => Some((8, 4)),
        12 => Some((8, 8)),
        _ => None,
    }
}

/// What the first directory says of how pixels are stored, their orientation, resolution, profile and XMP.
fn is_of_pixels(tag: u16) -> bool {
    matches!(
        tag,
        254..=259 | 262..=266 | 273..=274 | 277..=284 | 288..=293 | 296 | 301 | 317..=347
            | 400 | 512..=532 | 700 | 34675 | 50706..=51125
    )
}

/// Values of one of TIFF's types, as bytes in this machine's order.
pub(super) struct Raw<'a, const KIND: u16>(pub(super) &'a [u8]);

/// The type of bytes that mean something else, as a profile's.
pub(super) const UNDEFINED: u16 = 7;

impl<const KIND: u16> TiffValue for Raw<'_, KIND> {
    const BYTE_LEN: u8 = match sizes(KIND) {
        Some((size, _)) => size as u8,
        None => 1,
    };
    const FIELD_TYPE: Type = match KIND {
        1 => Type::BYTE,
        2 => Type::ASCII,
        3 => Type::SHORT,
        4 => Type::LONG,
        5 => Type::RATIONAL,
        6 => Type::SBYTE,
        8 => Type::SSHORT,
        9 => Type::SLONG,
        10 => Type::SRATIONAL,
        11 => Type::FLOAT,
        12 => Type::DOUBLE,
        _ => Type::UNDEFINED,
    };

    fn count(&self) -> usize {
        self.0.len() / usize::from(Self::BYTE_LEN)
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.0)
    }
}
