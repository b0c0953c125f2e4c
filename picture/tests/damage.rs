//! A damaged or cut file is never read as if it were whole, in no format; and what can be saved of it is.

mod common;

use picture::{
    Channels, Format, Picture, ReadError, ReadOptions, Samples, WriteOptions, read, write,
};

/// A picture that no encoder makes short work of.
fn noisy(channels: Channels) -> Picture {
    let (width, height) = (67, 41);
    let mut state = 7u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let count = channels.count();
    let samples = (0..width * height * count).map(|i| next() / 3 + (i / count % width) as u8 * 2);
    Picture::new(width, height, channels, Samples::U8(samples.collect()))
}

fn file(format: Format, channels: Channels) -> Vec<u8> {
    let written = write(&noisy(channels), format, &WriteOptions::default());
    written.expect("written").bytes
}

fn whole(bytes: &[u8]) -> Result<Picture, ReadError> {
    read(bytes, &ReadOptions::default()).map(|reading| reading.picture)
}

fn salvaged(bytes: &[u8]) -> Result<picture::Reading, ReadError> {
    let options = ReadOptions {
        salvage: true,
        ..ReadOptions::default()
    };
    read(bytes, &options)
}

/// Lengths to cut a file of `length` bytes to.
fn cuts(length: usize) -> Vec<usize> {
    let sixteenths = (1..16).map(|i| length * i / 16);
    let last = [200, 100, 50, 20, 10, 5, 3, 2, 1]
        .into_iter()
        .map(|n| length.saturating_sub(n));
    sixteenths.chain(last).collect()
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_refused() {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for channels in [Channels::Gray, Channels::Rgb, Channels::Rgba] {
        for format in Format::WRITTEN {
            if channels != Channels::Rgba || format != Format::Jpeg {
                files.push((format!("{format} {channels:?}"), file(format, channels)));
            }
        }
        files.extend(common::others(&noisy(channels)));
    }
    for (name, bytes) in files {
        whole(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        for length in cuts(bytes.len()) {
            // The padding byte of a WebP's last chunk says nothing.
            let padding = name.starts_with("WebP") && length + 1 == bytes.len();
            let result = whole(&bytes[..length]);
            assert!(
                result.is_err() || padding,
                "{name}: {length} of {} bytes",
                bytes.len()
            );
        }
    }
}

/// Where the entropy-coded data of a JPEG lies.
fn scan(jpeg: &[u8]) -> std::ops::Range<usize> {
    let start = jpeg
        .windows(2)
        .position(|w| w == [0xff, 0xda])
        .expect("a scan");
    let header = usize::from(u16::from_be_bytes([jpeg[start + 2], jpeg[start + 3]]));
    start + 2 + header..jpeg.len() - 2
}

#[test]
fn a_jpeg_whose_data_is_missing_before_its_end_marker_is_refused() {
    for channels in [Channels::Gray, Channels::Rgb] {
        let jpeg = file(Format::Jpeg, channels);
        let scan = scan(&jpeg);
        for parts in 1..8 {
            let end = scan.start + scan.len() * parts / 8;
            let cut = [&jpeg[..end], &[0xff, 0xd9]].concat();
            let error = whole(&cut).expect_err("data is missing");
            assert!(
                matches!(
                    error,
                    ReadError::Damaged {
                        salvageable: true,
                        ..
                    }
                ),
                "{error}"
            );
            let saved = salvaged(&cut).expect("some of it");
            let expected = 1.0 - parts as f64 / 8.0;
            assert!(
                (saved.missing - expected).abs() < 0.15,
                "{} for {expected}",
                saved.missing
            );
            assert_eq!(saved.picture.width, 67);
        }
        let hole = [&jpeg[..scan.start + 200], &jpeg[scan.start + 700..]].concat();
        assert!(whole(&hole).is_err());
    }
}

#[test]
fn bytes_behind_the_end_do_no_harm() {
    for format in [Format::Jpeg, Format::Png, Format::Tiff] {
        let bytes = file(format, Channels::Rgb);
        let more = [&bytes[..], &[0x55; 500]].concat();
        assert_eq!(
            whole(&more).expect("whole"),
            whole(&bytes).expect("whole"),
            "{format}"
        );
    }
}

#[test]
fn the_rows_of_a_cut_png_are_saved_and_the_rest_is_counted() {
    for channels in [Channels::Gray, Channels::Rgba] {
        let png = file(Format::Png, channels);
        let saved = salvaged(&png[..png.len() / 2]).expect("some of it");
        assert!((0.3..0.7).contains(&saved.missing), "{}", saved.missing);
        let (Samples::U8(got), Samples::U8(want)) =
            (&saved.picture.samples, &noisy(channels).samples)
        else {
            panic!("8 bits");
        };
        let there = (got.len() as f64 * (1.0 - saved.missing)) as usize;
        assert_eq!(got[..there], want[..there]);
        assert_eq!(salvaged(&png).expect("whole").missing, 0.0);
    }
}

#[test]
fn a_wrong_checksum_of_a_png_is_refused() {
    let mut png = file(Format::Png, Channels::Rgb);
    let at = png.len() / 2;
    png[at] ^= 1;
    assert!(whole(&png).is_err());
}

#[test]
fn a_header_that_claims_too_much_is_refused_at_once() {
    let options = ReadOptions {
        max_bytes: 1000,
        ..ReadOptions::default()
    };
    for format in Format::WRITTEN {
        let error = read(&file(format, Channels::Rgb), &options).expect_err("8241 bytes");
        let text = error.to_string();
        assert!(
            matches!(error, ReadError::TooLarge { .. }),
            "{format}: {text}"
        );
    }
}
