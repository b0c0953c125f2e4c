//! What goes with the pixels comes back from every format that holds it, whatever the picture's size.

mod common;

use picture::{
    Channels, Format, Metadata, Picture, ReadOptions, Resolution, Samples, Unit, WriteOptions,
    read, write,
};

/// An EXIF block of one entry, the orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let mut bytes = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    bytes.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    bytes
}

fn profile(kind: &[u8; 4]) -> Vec<u8> {
    let mut icc = vec![7; 3000];
    icc[..4].copy_from_slice(&3000u32.to_be_bytes());
    icc[16..20].copy_from_slice(kind);
    icc[36..40].copy_from_slice(b"acsp");
    icc
}

fn small(channels: Channels) -> Picture {
    let samples = Samples::U8((0..6 * 4 * channels.count()).map(|i| i as u8).collect());
    let mut picture = Picture::new(6, 4, channels, samples);
    picture.metadata = Metadata {
        icc: Some(profile(if channels.is_gray() { b"GRAY" } else { b"RGB " })),
        xmp: Some(b"<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"></x:xmpmeta>".repeat(20)),
        resolution: Some(Resolution {
            x: 300.0,
            y: 150.0,
            unit: Unit::Inch,
        }),
        ..Metadata::default()
    };
    picture
}

fn through(picture: &Picture, format: Format) -> picture::Reading {
    let bytes = write(picture, format, &WriteOptions::default())
        .expect("written")
        .bytes;
    read(&bytes, &ReadOptions::default()).expect("read")
}

#[test]
fn a_large_profile_on_a_small_picture_comes_back() {
    for (channels, formats) in [
        (
            Channels::Rgb,
            &[Format::Png, Format::Jpeg, Format::WebP, Format::Tiff][..],
        ),
        (Channels::Gray, &[Format::Png, Format::Jpeg, Format::Tiff]),
    ] {
        let picture = small(channels);
        for &format in formats {
            let found = through(&picture, format).picture.metadata;
            assert!(found.icc == picture.metadata.icc, "{format} {channels:?}");
            assert!(found.xmp == picture.metadata.xmp, "{format} {channels:?}");
            if format != Format::WebP {
                let resolution = found.resolution.expect("a resolution");
                let inches = if resolution.unit == Unit::Metre {
                    0.0254
                } else {
                    1.0
                };
                assert!(
                    (resolution.x * inches - 300.0).abs() < 0.1,
                    "{format}: {resolution:?}"
                );
            }
        }
    }
}

#[test]
fn a_profile_of_another_kind_is_left_out_and_told() {
    let mut picture = small(Channels::Rgb);
    picture.metadata.icc = None;
    let bytes = write(&picture, Format::Png, &WriteOptions::default())
        .expect("written")
        .bytes;
    // A profile of CMYK, put in by hand where the writer would not.
    let zlib = |data: &[u8]| {
        let mut stored = vec![0x78, 0x01, 0x01];
        stored.extend((data.len() as u16).to_le_bytes());
        stored.extend((!(data.len() as u16)).to_le_bytes());
        stored.extend_from_slice(data);
        let (mut a, mut b) = (1u32, 0u32);
        for &byte in data {
            a = (a + u32::from(byte)) % 65521;
            b = (b + a) % 65521;
        }
        stored.extend((b << 16 | a).to_be_bytes());
        stored
    };
    let body = [&b"iCCPp\0\0"[..], &zlib(&profile(b"CMYK"))].concat();
    let with = put_in(&bytes, 33, &body);
    let reading = read(&with, &ReadOptions::default()).expect("read");
    assert_eq!(reading.picture.metadata.icc, None);
    assert!(
        reading.notes.iter().any(|n| n.contains("CMYK")),
        "{:?}",
        reading.notes
    );
}

/// A PNG with one more chunk (its kind and content) at this place.
fn put_in(png: &[u8], at: usize, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32 - 4).to_be_bytes();
    let check = common::crc(body).to_be_bytes();
    [&png[..at], &length, body, &check, &png[at..]].concat()
}

#[test]
fn an_orientation_is_applied_once_and_reset_wherever_it_stands() {
    for (orientation, turned) in [(1, false), (3, false), (6, true), (8, true)] {
        let mut picture = small(Channels::Rgb);
        picture.metadata.xmp = Some(b"<d tiff:Orientation=\"6\"/>".to_vec());
        let bytes = write(&picture, Format::Png, &WriteOptions::default())
            .expect("written")
            .bytes;
        let body = [&b"eXIf"[..], &exif(orientation)].concat();
        // Before the pixels, and behind them.
        for at in [33, bytes.len() - 12] {
            let reading = read(&put_in(&bytes, at, &body), &ReadOptions::default()).expect("read");
            let found = reading.picture;
            assert_eq!(
                (found.width, found.height),
                if turned { (4, 6) } else { (6, 4) }
            );
            assert_eq!(found.metadata.exif, Some(exif(1)));
            assert_eq!(
                found.metadata.xmp.as_deref(),
                Some(&b"<d tiff:Orientation=\"1\"/>"[..])
            );
            let resolution = found.metadata.resolution.expect("a resolution");
            assert_eq!(resolution.x < resolution.y, turned);
        }
    }
}
