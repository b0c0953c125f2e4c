//! Random pictures through every format without loss and back, and metadata that nobody should trust.

mod common;

use common::{CHANNELS, Depth, Numbers, hostile, random};
use picture::{Channels, Format, Picture, ReadOptions, WriteOptions, read, write};

/// The pixels of a file.
fn read_back(bytes: &[u8], format: Format) -> Picture {
    let reading = read(bytes, &ReadOptions::default());
    let reading = reading.unwrap_or_else(|e| panic!("{format}: {e}"));
    assert_eq!(reading.format, format);
    reading.picture
}

fn written(picture: &Picture, format: Format) -> Vec<u8> {
    write(picture, format, &WriteOptions::default())
        .unwrap()
        .bytes
}

/// What each format holds as it is.
fn is_held(format: Format, channels: Channels, depth: Depth) -> bool {
    match format {
        Format::Png | Format::Pnm => depth != Depth::Float,
        Format::Tiff => true,
        Format::WebP | Format::Qoi => depth == Depth::Eight && !channels.is_gray(),
        Format::Bmp => depth == Depth::Eight && channels != Channels::GrayAlpha,
        _ => false,
    }
}

#[test]
fn any_picture_comes_back_equal_from_any_format_that_holds_it() {
    let mut numbers = Numbers(11);
    let mut held = 0;
    for _ in 0..40 {
        let size = [1 + numbers.below(40), 1 + numbers.below(40)];
        for format in Format::WRITTEN {
            for channels in CHANNELS {
                for depth in [Depth::Eight, Depth::Sixteen, Depth::Float] {
                    if is_held(format, channels, depth) {
                        let picture = random(&mut numbers, size, channels, depth);
                        let found = read_back(&written(&picture, format), format);
                        assert!(found == picture, "{format} {size:?} {channels:?} {depth:?}");
                        held += 1;
                    }
                }
            }
        }
    }
    assert_eq!(held, 40 * (8 + 8 + 12 + 3 + 2 + 2));
}

#[test]
fn a_picture_of_many_strips_and_chunks_comes_back_equal() {
    let mut numbers = Numbers(12);
    for format in [Format::Png, Format::Tiff, Format::Pnm] {
        let picture = random(&mut numbers, [1001, 701], Channels::Rgb, Depth::Sixteen);
        assert!(
            read_back(&written(&picture, format), format) == picture,
            "{format}"
        );
    }
}

#[test]
fn hostile_metadata_breaks_no_file() {
    let mut numbers = Numbers(13);
    for i in 0..200 {
        for format in Format::WRITTEN {
            let mut picture = random(&mut numbers, [3, 2], Channels::Rgb, Depth::Eight);
            picture.metadata = hostile(&mut numbers);
            let found = read_back(&written(&picture, format), format);
            assert_eq!((found.width, found.height), (3, 2), "{format}, picture {i}");
            if format != Format::Jpeg {
                assert_eq!(found.samples, picture.samples, "{format}, picture {i}");
            }
        }
    }
}

#[test]
fn exif_that_points_at_itself_ends() {
    // 2,000 fields, each of which is the directory again, or all of the block.
    let mut looped = b"II*\0\x08\0\0\0\xd0\x07".to_vec();
    for i in 0..2000u32 {
        let (tag, kind) = if i % 2 == 0 {
            (34665u16, 4u16)
        } else {
            (37500, 7)
        };
        let count = if i % 2 == 0 { 1 } else { 20_000u32 };
        looped.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        looped.extend([count.to_le_bytes(), 8u32.to_le_bytes()].concat());
    }
    let mut picture = random(&mut Numbers(14), [3, 2], Channels::Rgb, Depth::Eight);
    picture.metadata.exif = Some(looped);
    let written = write(&picture, Format::Tiff, &WriteOptions::default()).unwrap();
    assert_eq!(written.notes, ["what is damaged of the EXIF: left out"]);
    assert!(written.bytes.len() < 100_000, "{}", written.bytes.len());
}
