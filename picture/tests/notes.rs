//! What a format cannot hold is said, and what it can is not.

mod common;

use common::{Depth, Numbers, metadata, profile, random};
use picture::{Channels, Format, Picture, Resolution, Samples, Unit, WriteError, WriteOptions};
use picture::{Written, write};

fn written(picture: &Picture, format: Format) -> Written {
    write(picture, format, &WriteOptions::default()).unwrap()
}

fn notes(picture: &Picture, format: Format) -> Vec<String> {
    written(picture, format).notes
}

fn on(background: [u8; 3]) -> WriteOptions {
    WriteOptions {
        background: Some(background),
        ..WriteOptions::default()
    }
}

/// One pixel as a PNM, without its header: its numbers as they were written.
fn pixel(channels: Channels, samples: Samples, options: &WriteOptions) -> (Vec<u8>, Vec<String>) {
    let picture = Picture::new(1, 1, channels, samples);
    let written = write(&picture, Format::Pnm, options).unwrap();
    let header = written
        .bytes
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'\n')
        .nth(2);
    (
        written.bytes[header.unwrap().0 + 1..].to_vec(),
        written.notes,
    )
}

#[test]
fn a_png_holds_all_without_a_note() {
    for channels in common::CHANNELS {
        let mut picture = random(&mut Numbers(1), [3, 3], channels, Depth::Sixteen);
        picture.metadata = metadata(channels);
        picture.metadata.gamma = Some(100_000);
        picture.metadata.resolution = Some(Resolution {
            x: 300.0,
            y: 300.0,
            unit: Unit::Inch,
        });
        assert!(notes(&picture, Format::Png).is_empty(), "{channels:?}");
    }
}

#[test]
fn every_loss_is_one_clause() {
    let mut picture = random(&mut Numbers(2), [3, 3], Channels::GrayAlpha, Depth::Sixteen);
    picture.metadata = metadata(Channels::GrayAlpha);
    picture.metadata.resolution = Some(Resolution {
        x: 300.0,
        y: 300.0,
        unit: Unit::Inch,
    });
    let expected: [(Format, &[&str]); 6] = [
        (
            Format::Jpeg,
            &[
                "JPEG has no transparency: laid on white",
                "JPEG has 8 bits: 16 became 8",
            ],
        ),
        (
            Format::WebP,
            &[
                "WebP has 8 bits: 16 became 8",
                "WebP has no gray: written as RGB",
                "the ICC profile is not for RGB: left out",
                "WebP does not hold this resolution: left out",
            ],
        ),
        (Format::Tiff, &[]),
        (
            Format::Bmp,
            &[
                "BMP has 8 bits: 16 became 8",
                "BMP has no gray with transparency: written as RGB",
                "BMP holds no ICC profile: left out",
                "BMP holds no EXIF: left out",
                "BMP holds no XMP: left out",
            ],
        ),
        (
            Format::Qoi,
            &[
                "QOI has 8 bits: 16 became 8",
                "QOI has no gray: written as RGB",
                "QOI holds no ICC profile: left out",
                "QOI holds no EXIF: left out",
                "QOI holds no XMP: left out",
                "QOI does not hold this resolution: left out",
            ],
        ),
        (
            Format::Pnm,
            &[
                "PNM holds no ICC profile: left out",
                "PNM holds no EXIF: left out",
                "PNM holds no XMP: left out",
                "PNM does not hold this resolution: left out",
            ],
        ),
    ];
    for (format, clauses) in expected {
        assert_eq!(notes(&picture, format), clauses, "{format}");
    }
}

#[test]
fn transparency_that_is_opaque_goes_without_a_note() {
    let picture = Picture::new(1, 1, Channels::Rgba, Samples::U8(vec![1, 2, 3, 255]));
    assert!(notes(&picture, Format::Jpeg).is_empty());
}

#[test]
fn a_background_replaces_transparency_in_every_format() {
    let picture = Picture::new(1, 1, Channels::Rgba, Samples::U8(vec![200, 0, 100, 51]));
    for format in Format::WRITTEN {
        let written = write(&picture, format, &on([0, 255, 0])).unwrap();
        assert!(written.notes.is_empty(), "{format}: {:?}", written.notes);
        if format != Format::Pnm {
            let image = image::load_from_memory(&written.bytes).unwrap();
            assert_eq!(image.color(), image::ColorType::Rgb8, "{format}");
        }
    }
    let laid = pixel(Channels::Rgba, picture.samples, &on([0, 255, 0]));
    assert_eq!(laid.0, [40, 204, 20]);
}

#[test]
fn a_background_is_mixed_at_the_picture_s_own_depth() {
    let half = Samples::U16(vec![65535, 0, 1000, 32768]);
    let (bytes, notes) = pixel(Channels::Rgba, half, &on([0, 255, 10]));
    let found: Vec<u16> = bytes
        .chunks(2)
        .map(|b| u16::from_be_bytes([b[0], b[1]]))
        .collect();
    assert_eq!(found, [32768, 32767, 1785]);
    assert!(notes.is_empty());
    let unseen = Samples::F32(vec![f32::NAN, f32::INFINITY, 0.5, 0.0]);
    let (bytes, notes) = pixel(Channels::Rgba, unseen, &on([255, 0, 255]));
    assert_eq!(bytes, [255, 255, 0, 0, 255, 255]);
    assert_eq!(notes, ["PNM has 16 bits: 32-bit floats became 16"]);
}

#[test]
fn gray_stays_gray_on_gray_and_becomes_rgb_on_a_colour() {
    let half = Samples::U8(vec![100, 0]);
    let of = |background| pixel(Channels::GrayAlpha, half.clone(), &on(background)).0;
    assert_eq!(of([7, 7, 7]), [7]);
    assert_eq!(of([7, 8, 9]), [7, 8, 9]);
    let opaque = pixel(
        Channels::GrayAlpha,
        Samples::U8(vec![100, 255]),
        &on([7, 8, 9]),
    );
    assert_eq!(opaque.0, [100]);

    let mut picture = Picture::new(1, 1, Channels::GrayAlpha, half);
    picture.metadata.icc = Some(profile(b"GRAY", 200));
    let on_colour = write(&picture, Format::Png, &on([7, 8, 9])).unwrap();
    assert_eq!(
        on_colour.notes,
        ["the ICC profile is not for RGB: left out"]
    );
    assert!(
        write(&picture, Format::Png, &on([7, 7, 7]))
            .unwrap()
            .notes
            .is_empty()
    );
}

#[test]
fn sixteen_bits_are_rounded_to_eight() {
    let samples = Samples::U16(vec![128, 129, 385, 386, 65406, 65407]);
    let picture = Picture::new(2, 1, Channels::Rgb, samples);
    let image = image::load_from_memory(&written(&picture, Format::Qoi).bytes).unwrap();
    assert_eq!(image.into_bytes(), [0, 1, 1, 2, 254, 255]);
}

#[test]
fn floats_are_cut_to_what_can_be_held_and_that_is_said() {
    let samples = Samples::F32(vec![f32::NAN, -0.5, 1.5, f32::INFINITY, 0.5, 1.0]);
    let picture = Picture::new(2, 1, Channels::Rgb, samples);
    let written = written(&picture, Format::Png);
    let image = image::load_from_memory(&written.bytes)
        .unwrap()
        .into_rgb16();
    assert_eq!(image.into_raw(), [0, 0, 65535, 65535, 32768, 65535]);
    let expected = [
        "PNG has 16 bits: 32-bit floats became 16",
        "PNG has no values below black or above white: they were cut off",
    ];
    assert_eq!(written.notes, expected);
}

#[test]
fn colours_that_only_png_describes_are_said_to_be_lost_unless_they_are_srgb_s() {
    let mut picture = Picture::new(1, 1, Channels::Rgb, Samples::U8(vec![1, 2, 3]));
    picture.metadata.gamma = Some(45455);
    picture.metadata.chromaticities = Some([31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000]);
    assert!(notes(&picture, Format::Jpeg).is_empty());
    picture.metadata.gamma = Some(100_000);
    let lost = "JPEG holds no gAMA, and the colours are not sRGB's: left out";
    assert_eq!(notes(&picture, Format::Jpeg), [lost]);
    picture.metadata.srgb_intent = Some(0);
    assert!(notes(&picture, Format::Jpeg).is_empty());
    picture.metadata.cicp = Some([9, 16, 0, 1]);
    let lost = "JPEG holds no cICP, and the colours are not sRGB's: left out";
    assert_eq!(notes(&picture, Format::Jpeg), [lost]);
    picture.metadata.cicp = Some([1, 13, 0, 1]);
    assert!(notes(&picture, Format::Jpeg).is_empty());
}

#[test]
fn what_is_too_large_for_a_jpeg_s_segments_or_a_png_s_readers_is_left_out() {
    let mut picture = Picture::new(1, 1, Channels::Rgb, Samples::U8(vec![1, 2, 3]));
    picture.metadata.xmp = Some(vec![b' '; 70_000]);
    picture.metadata.exif = Some([common::exif(false), vec![0; 70_000]].concat());
    picture.metadata.icc = Some(profile(b"RGB ", 17_000_000));
    let expected = "PNG holds at most 1048576 bytes of ICC profile, not 17000000: left out";
    assert_eq!(notes(&picture, Format::Png), [expected]);
    let notes = notes(&picture, Format::Jpeg);
    assert_eq!(notes.len(), 3);
    for (note, what) in notes.iter().zip(["ICC profile", "EXIF", "XMP"]) {
        assert!(
            note.starts_with("JPEG holds at most ") && note.contains(what),
            "{note}"
        );
    }
}

#[test]
fn a_picture_with_too_many_pixels_a_side_is_an_error_that_says_how_many_there_may_be() {
    let wide = |width| Picture::new(width, 1, Channels::Gray, Samples::U8(vec![0; width]));
    for (format, limit) in [(Format::Jpeg, 65535), (Format::WebP, 16383)] {
        assert!(
            write(&wide(limit), format, &WriteOptions::default()).is_ok(),
            "{format}"
        );
        let error = write(&wide(limit + 1), format, &WriteOptions::default()).unwrap_err();
        let is_it = matches!(error, WriteError::TooLarge { limit: l, .. } if l == limit);
        assert!(is_it, "{format}: {error}");
    }
}

#[test]
fn what_cannot_be_written_is_an_error() {
    let options = WriteOptions::default();
    let picture = Picture::new(1, 1, Channels::Gray, Samples::U8(vec![0]));
    let read_only = write(&picture, Format::Gif, &options).unwrap_err();
    assert_eq!(read_only.to_string(), "GIF is not written");
    let empty = Picture::new(0, 3, Channels::Gray, Samples::U8(Vec::new()));
    for format in Format::WRITTEN {
        let error = write(&empty, format, &options).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("cannot be written as {format}: it has no pixels")
        );
    }
}

#[test]
fn jpeg_s_quality_is_95_unless_said_and_is_held_to_1_to_100() {
    let picture = random(&mut Numbers(3), [40, 40], Channels::Rgb, Depth::Eight);
    let length = |quality| {
        let options = WriteOptions {
            quality,
            ..WriteOptions::default()
        };
        write(&picture, Format::Jpeg, &options).unwrap().bytes.len()
    };
    assert_eq!(written(&picture, Format::Jpeg).bytes.len(), length(95));
    assert!(length(1) < length(50) && length(50) < length(95) && length(95) < length(100));
    assert_eq!((length(0), length(255)), (length(1), length(100)));
}

#[test]
fn a_jpeg_s_chroma_is_as_fine_as_its_luma_at_any_quality() {
    let rgb = random(&mut Numbers(4), [40, 40], Channels::Rgb, Depth::Eight);
    let gray = random(&mut Numbers(4), [40, 40], Channels::Gray, Depth::Eight);
    for (picture, components) in [(&rgb, 3), (&gray, 1)] {
        for quality in [1, 50, 89, 90, 100] {
            let options = WriteOptions {
                quality,
                ..WriteOptions::default()
            };
            let bytes = write(picture, Format::Jpeg, &options).unwrap().bytes;
            // The frame's header: its length, 8 bits, height and width, and three bytes a component.
            let frame = bytes.windows(2).position(|b| b == [0xff, 0xc0]).unwrap();
            let frame = &bytes[frame + 4..];
            assert_eq!(frame[..6], [8, 0, 40, 0, 40, components]);
            let factors = frame[6..].chunks(3).map(|component| component[1]);
            let factors: Vec<u8> = factors.take(components.into()).collect();
            assert!(factors.iter().all(|&f| f == 0x11), "{quality}: {factors:?}");
        }
    }
}
