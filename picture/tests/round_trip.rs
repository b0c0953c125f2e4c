//! What is written is what another reader finds: Pillow, by way of `judge.py`.

mod common;

use common::{
    CHANNELS, Depth, Numbers, bytes, exif, hex, hostile, judged, metadata, profile, random,
};
use picture::{Channels, Format, Picture, Resolution, Samples, Unit, WriteOptions, write};

fn written(picture: &Picture, format: Format) -> (Format, Vec<u8>) {
    (
        format,
        write(picture, format, &WriteOptions::default())
            .unwrap()
            .bytes,
    )
}

/// The picture in a file, its pixels unchanged; `mode` is what Pillow calls it, where all its versions agree.
struct Case {
    format: Format,
    picture: Picture,
    mode: Option<&'static str>,
}

/// All that formats hold without loss.
fn cases() -> Vec<Case> {
    use Channels::{Gray, GrayAlpha, Rgb, Rgba};
    use Depth::{Eight, Float, Sixteen};
    let modes = [
        (Format::Png, Gray, Eight, Some("L")),
        (Format::Png, GrayAlpha, Eight, Some("LA")),
        (Format::Png, Rgb, Eight, Some("RGB")),
        (Format::Png, Rgba, Eight, Some("RGBA")),
        (Format::Png, Gray, Sixteen, Some("I;16")),
        (Format::Png, GrayAlpha, Sixteen, None),
        (Format::Png, Rgb, Sixteen, None),
        (Format::Png, Rgba, Sixteen, None),
        (Format::WebP, Rgb, Eight, Some("RGB")),
        (Format::WebP, Rgba, Eight, Some("RGBA")),
        (Format::Tiff, Gray, Eight, Some("L")),
        (Format::Tiff, GrayAlpha, Eight, Some("LA")),
        (Format::Tiff, Rgb, Eight, Some("RGB")),
        (Format::Tiff, Rgba, Eight, Some("RGBA")),
        (Format::Tiff, Gray, Sixteen, Some("I;16")),
        (Format::Tiff, GrayAlpha, Sixteen, None),
        (Format::Tiff, Rgb, Sixteen, None),
        (Format::Tiff, Rgba, Sixteen, None),
        (Format::Tiff, Gray, Float, Some("F")),
        (Format::Tiff, GrayAlpha, Float, None),
        (Format::Tiff, Rgb, Float, None),
        (Format::Tiff, Rgba, Float, None),
        (Format::Bmp, Gray, Eight, Some("L")),
        (Format::Bmp, Rgb, Eight, Some("RGB")),
        (Format::Bmp, Rgba, Eight, Some("RGBA")),
        (Format::Qoi, Rgb, Eight, Some("RGB")),
        (Format::Qoi, Rgba, Eight, Some("RGBA")),
        (Format::Pnm, Gray, Eight, Some("L")),
        (Format::Pnm, GrayAlpha, Eight, Some("GRAYSCALE_ALPHA")),
        (Format::Pnm, Rgb, Eight, Some("RGB")),
        (Format::Pnm, Rgba, Eight, Some("RGB_ALPHA")),
        (Format::Pnm, Gray, Sixteen, Some("I")),
        (Format::Pnm, GrayAlpha, Sixteen, Some("GRAYSCALE_ALPHA")),
        (Format::Pnm, Rgb, Sixteen, None),
        (Format::Pnm, Rgba, Sixteen, Some("RGB_ALPHA")),
    ];
    let mut numbers = Numbers(1);
    let case = |(format, channels, depth, mode)| Case {
        format,
        picture: random(&mut numbers, [5, 3], channels, depth),
        mode,
    };
    modes.into_iter().map(case).collect()
}

#[test]
fn formats_without_loss_hold_every_depth_and_kind_of_channels_exactly() {
    let cases = cases();
    let files: Vec<_> = cases
        .iter()
        .map(|case| written(&case.picture, case.format))
        .collect();
    for (case, verdict) in cases.iter().zip(judged(&files).into_iter().flatten()) {
        let Case {
            format,
            picture,
            mode,
        } = case;
        let name = format!("{format} {:?} {verdict:?}", picture.channels);
        let bits = match picture.samples {
            Samples::U8(_) => "8",
            Samples::U16(_) => "16",
            Samples::F32(_) => "32",
        };
        if let Some(mode) = mode {
            assert_eq!(verdict["mode"], *mode, "{name}");
        }
        assert_eq!(verdict["bits"], bits, "{name}");
        assert_eq!(verdict["pixels"], hex(&bytes(&picture.samples)), "{name}");
        if *format == Format::Tiff {
            let alpha = if picture.channels.has_alpha() {
                "2"
            } else {
                ""
            };
            assert_eq!(verdict["extra_samples"], alpha, "{name}");
            assert_eq!(
                verdict["sample_format"],
                if bits == "32" { "3" } else { "1" },
                "{name}"
            );
        }
    }
}

#[test]
fn gray_is_equal_channels_where_a_format_has_no_gray() {
    let mut numbers = Numbers(2);
    let mut files = Vec::new();
    let mut expected = Vec::new();
    for format in [Format::WebP, Format::Qoi, Format::Bmp] {
        for channels in [Channels::Gray, Channels::GrayAlpha] {
            if (format, channels) == (Format::Bmp, Channels::Gray) {
                continue;
            }
            let picture = random(&mut numbers, [4, 4], channels, Depth::Eight);
            files.push(written(&picture, format));
            let pixels = bytes(&picture.samples);
            let pixels = pixels.chunks(channels.count());
            let in_colour = pixels
                .flat_map(|p| [&[p[0]; 3], &p[1..]].concat())
                .collect::<Vec<_>>();
            expected.push((format, channels, hex(&in_colour)));
        }
    }
    for ((format, channels, pixels), verdict) in
        expected.iter().zip(judged(&files).into_iter().flatten())
    {
        let mode = if channels.has_alpha() { "RGBA" } else { "RGB" };
        assert_eq!(verdict["mode"], mode, "{format} {channels:?}");
        assert_eq!(verdict["pixels"], *pixels, "{format} {channels:?}");
    }
}

#[test]
fn profile_exif_and_xmp_arrive_as_they_were() {
    let mut numbers = Numbers(3);
    let (mut files, mut pictures) = (Vec::new(), Vec::new());
    for format in [Format::Png, Format::Jpeg, Format::WebP, Format::Tiff] {
        for channels in CHANNELS {
            let mut picture = random(&mut numbers, [6, 5], channels, Depth::Eight);
            picture.metadata = metadata(channels);
            files.push(written(&picture, format));
            pictures.push(picture);
        }
    }
    let verdicts = judged(&files).into_iter().flatten();
    for (((format, _), picture), verdict) in files.iter().zip(&pictures).zip(verdicts) {
        let name = format!("{format} {:?}", picture.channels);
        let said = |key: &str| verdict.get(key).cloned().unwrap_or_default();
        let given = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(hex).unwrap_or_default();
        if *format == Format::WebP && picture.channels.is_gray() {
            assert_eq!(said("icc"), "", "a gray profile on colours, {name}");
        } else {
            assert_eq!(said("icc"), given(&picture.metadata.icc), "{name}");
        }
        assert_eq!(said("xmp"), given(&picture.metadata.xmp), "{name}");
        if *format != Format::Tiff {
            assert_eq!(said("exif"), given(&picture.metadata.exif), "{name}");
        }
        assert_eq!(said("orientation"), "1", "{name}");
        assert_eq!(said("make"), "Cam", "{name}");
        assert_eq!(said("taken"), "2026:11:27 12:34:56", "{name}");
        assert_eq!(said("latitude"), "N", "{name}");
    }
}

#[test]
fn exif_of_the_other_byte_order_arrives_too() {
    let mut picture = random(&mut Numbers(4), [6, 5], Channels::Rgb, Depth::Eight);
    picture.metadata.exif = Some(exif(true));
    let formats = [Format::Png, Format::Jpeg, Format::WebP, Format::Tiff];
    let files = formats.map(|format| written(&picture, format));
    for (format, verdict) in formats.iter().zip(judged(&files).into_iter().flatten()) {
        assert_eq!(verdict["orientation"], "1", "{format}");
        assert_eq!(verdict["make"], "Cam", "{format}");
        assert_eq!(verdict["taken"], "2026:11:27 12:34:56", "{format}");
        assert_eq!(verdict["latitude"], "N", "{format}");
    }
}

#[test]
fn what_is_whole_of_a_damaged_exif_arrives_in_a_tiff_and_upright_stays_upright() {
    let mut picture = random(&mut Numbers(4), [6, 5], Channels::Rgb, Depth::Eight);
    let mut damaged = exif(false);
    // The second entry of the first directory is the orientation, the fourth points at the place.
    damaged[8 + 2 + 12 + 8] = 6;
    damaged[8 + 2 + 3 * 12 + 8..][..4].copy_from_slice(&[0xff; 4]);
    picture.metadata.exif = Some(damaged);
    let file = write(&picture, Format::Tiff, &WriteOptions::default()).unwrap();
    assert_eq!(file.notes, ["what is damaged of the EXIF: left out"]);
    for verdict in judged(&[(Format::Tiff, file.bytes)]).into_iter().flatten() {
        assert_eq!(verdict["orientation"], "1");
        assert_eq!(verdict["make"], "Cam");
        assert_eq!(verdict["taken"], "2026:11:27 12:34:56");
        assert_eq!(verdict["latitude"], "");
    }
}

#[test]
fn resolutions_arrive_in_dots_per_inch() {
    let resolution = |v, unit| Resolution { x: v, y: v, unit };
    let mut picture = random(&mut Numbers(5), [3, 3], Channels::Rgb, Depth::Eight);
    let (mut files, mut expected) = (Vec::new(), Vec::new());
    for format in [Format::Png, Format::Jpeg, Format::Tiff, Format::Bmp] {
        let given = [
            (resolution(72.0, Unit::Inch), 72.0),
            (resolution(300.0, Unit::Inch), 300.0),
            (resolution(118.0, Unit::Centimetre), 299.72),
            (resolution(11811.0, Unit::Metre), 300.0),
        ];
        for (resolution, dpi) in given {
            picture.metadata.resolution = Some(resolution);
            files.push(written(&picture, format));
            expected.push((format, resolution, dpi));
        }
    }
    for ((format, resolution, dpi), verdict) in
        expected.iter().zip(judged(&files).into_iter().flatten())
    {
        for found in verdict["dpi"].split(',') {
            let found: f64 = found.parse().unwrap();
            let near = (found - dpi).abs() < 0.02;
            assert!(near, "{format} {resolution:?}: {found}, not {dpi}");
        }
    }
}

#[test]
fn a_jpeg_is_near_the_picture_and_keeps_full_chroma_and_one_channel_of_gray() {
    // Smooth, and of strong colours: red beside blue.
    let size = 32;
    let colour = |i: usize| match (i / 3 % size / 4 % 2, i % 3) {
        (0, 0) | (1, 2) => 220,
        (_, 1) => (i / 3 / size * 4) as u8,
        _ => 30,
    };
    let pixels = (0..size * size * 3).map(colour).collect();
    let rgb = Picture::new(size, size, Channels::Rgb, Samples::U8(pixels));
    let gray = (0..size * size).map(|i| (i / 4) as u8).collect();
    let gray = Picture::new(size, size, Channels::Gray, Samples::U8(gray));
    let files = [written(&rgb, Format::Jpeg), written(&gray, Format::Jpeg)];
    let Some(verdicts) = judged(&files) else {
        return;
    };
    assert_eq!(verdicts[0]["sampling"], "1x1,1x1,1x1");
    assert_eq!(
        (&*verdicts[1]["sampling"], &*verdicts[1]["mode"]),
        ("1x1", "L")
    );
    for (picture, verdict) in [rgb, gray].iter().zip(&verdicts) {
        let given = bytes(&picture.samples);
        let found = &verdict["pixels"];
        let found =
            (0..given.len()).map(|i| u8::from_str_radix(&found[2 * i..2 * i + 2], 16).unwrap());
        let most = found
            .zip(&given)
            .map(|(a, b)| a.abs_diff(*b))
            .max()
            .unwrap();
        assert!(most <= 12, "{:?}: {most} away", picture.channels);
    }
}

#[test]
fn a_profile_of_many_segments_arrives_whole_in_a_jpeg() {
    let mut picture = random(&mut Numbers(6), [8, 8], Channels::Rgb, Depth::Eight);
    picture.metadata.icc = Some(profile(b"RGB ", 200_001));
    let files =
        [Format::Jpeg, Format::Png, Format::Tiff, Format::WebP].map(|f| written(&picture, f));
    for verdict in judged(&files).into_iter().flatten() {
        let icc = picture.metadata.icc.as_deref().unwrap();
        assert!(verdict["icc"] == hex(icc), "{}", verdict["format"]);
    }
}

#[test]
fn a_png_says_what_only_png_can_before_its_pixels() {
    let mut picture = random(&mut Numbers(8), [8, 8], Channels::Rgb, Depth::Sixteen);
    picture.metadata = metadata(Channels::Rgb);
    picture.metadata.gamma = Some(100_000);
    picture.metadata.chromaticities = Some([1, 2, 3, 4, 5, 6, 7, 800_000]);
    picture.metadata.cicp = Some([9, 16, 0, 1]);
    picture.metadata.resolution = Some(Resolution {
        x: 2.0,
        y: 1.0,
        unit: Unit::None,
    });
    let mut srgb = random(&mut Numbers(9), [8, 8], Channels::Rgb, Depth::Eight);
    srgb.metadata.srgb_intent = Some(2);
    let files = [written(&picture, Format::Png), written(&srgb, Format::Png)];
    let Some(verdicts) = judged(&files) else {
        return;
    };
    let chunks = "IHDR,pHYs,gAMA,cHRM,iCCP,eXIf,cICP,iTXt,IDAT,IEND";
    assert_eq!(verdicts[0]["chunks"], chunks);
    assert_eq!(verdicts[0]["gAMA"], "000186a0");
    let ends = verdicts[0]["cHRM"].split_at(7 * 8);
    assert_eq!(
        ends,
        (
            "00000001000000020000000300000004000000050000000600000007",
            "000c3500"
        )
    );
    assert_eq!(verdicts[0]["cICP"], "09100001");
    assert_eq!(verdicts[0]["pHYs"], "000000020000000100");
    assert_eq!(verdicts[1]["chunks"], "IHDR,sRGB,IDAT,IEND");
    assert_eq!(verdicts[1]["sRGB"], "02");
}

#[test]
fn hostile_metadata_keeps_no_reader_from_the_pixels() {
    let mut numbers = Numbers(10);
    let (mut files, mut expected) = (Vec::new(), Vec::new());
    for _ in 0..12 {
        for format in Format::WRITTEN {
            let mut picture = random(&mut numbers, [3, 2], Channels::Rgb, Depth::Eight);
            picture.metadata = hostile(&mut numbers);
            files.push(written(&picture, format));
            expected.push(hex(&bytes(&picture.samples)));
        }
    }
    for (i, verdict) in judged(&files).into_iter().flatten().enumerate() {
        assert_eq!(verdict["size"], "3x2", "{} {i}", files[i].0);
        if files[i].0 != Format::Jpeg {
            assert_eq!(verdict["pixels"], expected[i], "{} {i}", files[i].0);
        }
    }
}
