//! Whatever bytes come, reading ends: with a picture or an error, in bounded time and memory.
//!
//! `CATANET_MUTATIONS=1000000 cargo test --release -p catanet-picture --test mutations` reads a million;
//! the targets in fuzz/ look for more with a fuzzer.

mod common;

use std::time::{Duration, Instant};

use common::Numbers;
use picture::{Format, Picture, ReadOptions, Samples, WriteOptions, dimensions, read, write};

const MOST: u64 = 16 << 20;

/// Small valid files of every format that is read.
fn seeds() -> Vec<Vec<u8>> {
    let mut numbers = Numbers(3);
    let mut files = Vec::new();
    for channels in common::CHANNELS {
        let count = 23 * 17 * channels.count();
        let bytes = numbers.bytes(count);
        let wide = bytes.iter().map(|&b| u16::from(b) * 200).collect();
        let floats = bytes.iter().map(|&b| f32::from(b) / 200.0).collect();
        for samples in [Samples::U8(bytes), Samples::U16(wide), Samples::F32(floats)] {
            let mut picture = Picture::new(23, 17, channels, samples);
            picture.metadata.exif =
                Some(b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec());
            for format in Format::WRITTEN {
                let written = write(&picture, format, &WriteOptions::default());
                files.push(written.unwrap().bytes);
            }
            files.extend(common::others(&picture).into_iter().map(|(_, bytes)| bytes));
        }
    }
    files.push(progressive());
    files
}

/// scripts/fuzz-seeds calls this.
#[test]
#[ignore = "writes files for a fuzzer to begin with, into the folder CATANET_SEEDS"]
fn seeds_for_a_fuzzer() {
    let folder = std::env::var("CATANET_SEEDS").expect("CATANET_SEEDS names a folder");
    for (i, bytes) in seeds().iter().enumerate() {
        let target = match bytes[..2] {
            [0x89, b'P'] => "png",
            [0xff, 0xd8] => "jpeg",
            [b'R', b'I'] => "webp",
            [b'I', b'I'] => "tiff",
            [b'G', b'I'] => "gif",
            _ => "bmp_and_others",
        };
        let folder = std::path::Path::new(&folder).join(target);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("seed_{i}")), bytes).unwrap();
    }
}

/// A progressive JPEG of 8×8 gray pixels, put together by hand: two scans of the first coefficient, and
/// one of the others.
fn progressive() -> Vec<u8> {
    let table = |class: u8, values: &[u8]| {
        let mut segment = vec![0xff, 0xc4, 0, 19 + values.len() as u8, class << 4];
        segment.extend((1..=16).map(|length| if length == 3 { values.len() as u8 } else { 0 }));
        segment.extend_from_slice(values);
        segment
    };
    let scan = |spectrum: [u8; 3], data: &[u8]| {
        let header = [
            0xff,
            0xda,
            0,
            8,
            1,
            1,
            0,
            spectrum[0],
            spectrum[1],
            spectrum[2],
        ];
        [&header[..], data].concat()
    };
    let quantisation = [&[0xff, 0xdb, 0, 67, 0][..], &[1; 64]].concat();
    let frame = [0xff, 0xc2, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0];
    [
        &[0xff, 0xd8][..],
        &quantisation,
        &frame,
        &table(0, &[3, 4, 5]),
        &scan([0, 0, 1], &[0x1f]),
        &scan([0, 0, 0x10], &[0x7f]),
        &table(1, &[0, 1, 2]),
        &scan([1, 63, 0], &[0x1f]),
        &[0xff, 0xd9],
    ]
    .concat()
}

/// A file with a few things wrong.
fn mutated(seeds: &[Vec<u8>], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = seeds[numbers.below(seeds.len() as u64)].clone();
    for _ in 0..=numbers.below(4) {
        if bytes.is_empty() {
            break;
        }
        let at = numbers.below(bytes.len() as u64);
        match numbers.below(7) {
            0 => bytes[at] ^= 1 << numbers.below(8),
            1 => bytes[at] = numbers.next() as u8,
            2 => bytes.truncate(at),
            3 => {
                let end = (at + numbers.below(64)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let length = numbers.below(16);
                let more = numbers.bytes(length);
                bytes.splice(at..at, more);
            }
            // Lengths and sizes are where it hurts.
            5 => {
                let extreme = [0, 1, 0x7f, 0x80, 0xff][numbers.below(5)];
                let end = (at + 4).min(bytes.len());
                bytes[at..end].fill(extreme);
            }
            _ => {
                let other = &seeds[numbers.below(seeds.len() as u64)];
                let from = numbers.below(other.len() as u64);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    bytes
}

#[test]
fn the_seeds_are_whole() {
    for (i, bytes) in seeds().iter().enumerate() {
        let reading = read(bytes, &ReadOptions::default());
        assert!(reading.is_ok(), "{i}: {:?}", reading.err());
    }
}

#[test]
fn hostile_bytes_end_in_a_picture_or_an_error() {
    let count = std::env::var("CATANET_MUTATIONS")
        .ok()
        .and_then(|n| n.parse().ok());
    let seeds = seeds();
    let mut numbers = Numbers(2026);
    for i in 0..count.unwrap_or(200_000u64) {
        let bytes = mutated(&seeds, &mut numbers);
        let started = Instant::now();
        let _ = dimensions(&bytes);
        let options = ReadOptions {
            salvage: i % 2 == 1,
            max_bytes: MOST,
        };
        if let Ok(reading) = read(&bytes, &options) {
            let size = match &reading.picture.samples {
                Samples::U8(v) => v.len(),
                Samples::U16(v) => 2 * v.len(),
                Samples::F32(v) => 4 * v.len(),
            };
            assert!(size as u64 <= MOST, "{i}: {size} bytes");
            assert!((0.0..=1.0).contains(&reading.missing));
            let picture = &reading.picture;
            let numbers = picture.width * picture.height * picture.channels.count();
            assert_eq!(picture.samples.len(), numbers);
        }
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{i} took too long"
        );
    }
}
