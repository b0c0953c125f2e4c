//! Pictures to write, and what another reader says of the files.

#![allow(dead_code)] // Every test takes what it needs of it.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use picture::{Channels, Format, Metadata, Picture, Resolution, Samples, Unit};

pub const CHANNELS: [Channels; 4] = [
    Channels::Gray,
    Channels::GrayAlpha,
    Channels::Rgb,
    Channels::Rgba,
];

/// Numbers that are the same on every run.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        // Knuth's MMIX; its high bits are the good ones.
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        self.0 >> 33
    }

    pub fn below(&mut self, n: u64) -> usize {
        (self.next() % n) as usize
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Depth {
    Eight,
    Sixteen,
    Float,
}

/// Any numbers that the depth has; floats from 0 to 1.
pub fn random(
    numbers: &mut Numbers,
    size: [usize; 2],
    channels: Channels,
    depth: Depth,
) -> Picture {
    let [width, height] = size;
    let count = width * height * channels.count();
    let samples = match depth {
        Depth::Eight => Samples::U8((0..count).map(|_| numbers.next() as u8).collect()),
        Depth::Sixteen => Samples::U16((0..count).map(|_| numbers.next() as u16).collect()),
        Depth::Float => {
            let float = |n: &mut Numbers| n.below(1 << 20) as f32 / ((1 << 20) - 1) as f32;
            Samples::F32((0..count).map(|_| float(numbers)).collect())
        }
    };
    Picture::new(width, height, channels, samples)
}

/// The samples' bytes, the most significant first.
pub fn bytes(samples: &Samples) -> Vec<u8> {
    match samples {
        Samples::U8(v) => v.clone(),
        Samples::U16(v) => v.iter().flat_map(|v| v.to_be_bytes()).collect(),
        Samples::F32(v) => v.iter().flat_map(|v| v.to_be_bytes()).collect(),
    }
}

/// What begins like an ICC profile of a colour space, of some length.
pub fn profile(space: &[u8; 4], length: usize) -> Vec<u8> {
    let mut profile = Numbers(7).bytes(length);
    profile[..4].copy_from_slice(&(length as u32).to_be_bytes());
    profile[16..20].copy_from_slice(space);
    profile[36..40].copy_from_slice(b"acsp");
    profile
}

/// EXIF of either byte order: upright, a camera's maker, a time, a place.
pub fn exif(big_endian: bool) -> Vec<u8> {
    let short = |v: u16| {
        if big_endian {
            v.to_be_bytes()
        } else {
            v.to_le_bytes()
        }
    };
    let long = |v: u32| {
        if big_endian {
            v.to_be_bytes()
        } else {
            v.to_le_bytes()
        }
    };
    let entry = |tag, kind, count, value: [u8; 4]| {
        [&short(tag)[..], &short(kind), &long(count), &value].concat()
    };
    let upright = [short(1), [0; 2]].concat().try_into().unwrap();
    let directory = |entries: &[Vec<u8>]| {
        [
            &short(entries.len() as u16)[..],
            &entries.concat(),
            &long(0),
        ]
        .concat()
    };
    // Header 8; first directory 2 + 4·12 + 4, to 62; Exif directory 2 + 12 + 4, to 80; time of 20, to 100.
    let first = directory(&[
        entry(271, 2, 4, *b"Cam\0"),
        entry(274, 3, 1, upright),
        entry(34665, 4, 1, long(62)),
        entry(34853, 4, 1, long(100)),
    ]);
    let taken = directory(&[entry(36867, 2, 20, long(80))]);
    let place = directory(&[entry(1, 2, 2, *b"N\0\0\0")]);
    let begin = if big_endian { *b"MM\0*" } else { *b"II*\0" };
    [
        &begin[..],
        &long(8),
        &first,
        &taken,
        b"2026:11:27 12:34:56\0",
        &place,
    ]
    .concat()
}

pub const XMP: &str = "<x:xmpmeta xmlns:x='adobe:ns:meta/'><!-- é --></x:xmpmeta>";

/// All that goes with pixels, but for what only PNG has.
pub fn metadata(channels: Channels) -> Metadata {
    let space = if channels.is_gray() { b"GRAY" } else { b"RGB " };
    Metadata {
        icc: Some(profile(space, 500)),
        exif: Some(exif(false)),
        xmp: Some(XMP.into()),
        ..Metadata::default()
    }
}

/// Metadata as a broken or a hostile file may have it.
pub fn hostile(numbers: &mut Numbers) -> Metadata {
    let mut blob = |begin: &[&[u8]]| {
        let begin = begin[numbers.below(begin.len() as u64)];
        let length = [0, 1, 3, 40, 200, 65_520, 70_000][numbers.below(7)];
        let rest = match numbers.below(3) {
            0 => vec![0; length],
            _ => numbers.bytes(length),
        };
        Some([begin, &rest].concat())
    };
    let icc = blob(&[b"", b"\0", b"\0\0\x01\xf4lcms\x02\x10\0\0mntrRGB XYZ "]);
    let mut damaged = exif(false);
    let broken = blob(&[
        b"",
        b"II*\0\x08\0\0\0",
        b"MM\0*\0\0\0\x08\xff\xff",
        b"II*\0\x08\0\0\0\x02\0",
    ]);
    let xmp = blob(&[b"", b"\0", b"<x:xmpmeta>", "é\0".as_bytes()]);
    let at = 4 + numbers.below(damaged.len() as u64 - 4);
    damaged[at] = numbers.next() as u8;
    let float = [0.0, -1.0, 1e-9, 72.0, 1e9, 1e300, f64::NAN, f64::INFINITY];
    Metadata {
        icc,
        exif: if numbers.below(2) == 0 {
            broken
        } else {
            Some(damaged)
        },
        xmp,
        resolution: Some(Resolution {
            x: float[numbers.below(8)],
            y: float[numbers.below(8)],
            unit: [Unit::None, Unit::Inch, Unit::Centimetre, Unit::Metre][numbers.below(4)],
        }),
        gamma: [None, Some(0), Some(u32::MAX)][numbers.below(3)],
        chromaticities: [None, Some([0; 8]), Some([u32::MAX; 8])][numbers.below(3)],
        srgb_intent: [None, Some(0), Some(255)][numbers.below(3)],
        cicp: [None, Some([0; 4]), Some([255; 4])][numbers.below(3)],
    }
}

/// What the judge says of a file.
pub type Verdict = HashMap<String, String>;

/// What Pillow says of files: one verdict a file. `None` where there is no Pillow of today: then the test is passed
/// over, unless `CATANET_JUDGE=required`. `CATANET_PYTHON` names another Python than `python3`.
pub fn judged(files: &[(Format, Vec<u8>)]) -> Option<Vec<Verdict>> {
    let named = std::env::var("CATANET_PYTHON").ok();
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/judge/bin/python3");
    let names = ["python3", own].map(str::to_owned);
    let test = "import PIL; assert int(PIL.__version__.split('.')[0]) >= 10";
    let python = named.into_iter().chain(names).find(|python| {
        let is_there = Command::new(python).args(["-c", test]).output();
        is_there.is_ok_and(|output| output.status.success())
    });
    let Some(python) = python else {
        let required = std::env::var("CATANET_JUDGE").is_ok_and(|v| v == "required");
        assert!(!required, "scripts/test-setup installs Pillow");
        eprintln!("passed over: there is no Pillow");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<_> = files
        .iter()
        .enumerate()
        .map(|(i, (format, bytes))| {
            let path = folder
                .path()
                .join(format!("{i}.{}", format.extensions()[0]));
            std::fs::write(&path, bytes).unwrap();
            path
        })
        .collect();
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judge.py");
    let output = Command::new(&python)
        .arg(judge)
        .args(&paths)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said:.2000}\n{complaint}");
    let mut verdicts: Vec<Verdict> = Vec::new();
    for line in said.lines() {
        let (key, value) = line.split_once(' ').unwrap();
        match verdicts.last_mut() {
            _ if key == "file" => verdicts.push(Verdict::new()),
            Some(verdict) => drop(verdict.insert(key.to_owned(), value.to_owned())),
            None => panic!("the judge begins with {line:?}"),
        }
    }
    assert_eq!(verdicts.len(), files.len());
    Some(verdicts)
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Files of this picture, of 8-bit RGB, in formats that are read only.
pub fn others(picture: &Picture) -> Vec<(String, Vec<u8>)> {
    let (Channels::Rgb, Samples::U8(data)) = (picture.channels, &picture.samples) else {
        return Vec::new();
    };
    let size = (picture.width as u32, picture.height as u32);
    let rgb = image::RgbImage::from_raw(size.0, size.1, data.clone()).unwrap();
    let rgb = image::DynamicImage::ImageRgb8(rgb);
    let formats = [
        image::ImageFormat::Gif,
        image::ImageFormat::Tga,
        image::ImageFormat::Ico,
        image::ImageFormat::OpenExr,
        image::ImageFormat::Hdr,
    ];
    let file = |format| {
        let image = match format {
            image::ImageFormat::OpenExr | image::ImageFormat::Hdr => rgb.to_rgb32f().into(),
            image::ImageFormat::Gif | image::ImageFormat::Ico => rgb.to_rgba8().into(),
            _ => rgb.clone(),
        };
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        (format!("{format:?}"), bytes.into_inner())
    };
    formats.map(file).into()
}

/// The checksum of a PNG's chunk.
pub fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, &byte: &u8| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    };
    !bytes.iter().fold(!0, step)
}
