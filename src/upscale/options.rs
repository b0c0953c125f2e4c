//! Values of `upscale`'s options.

use std::env;
use std::str::FromStr;
use std::thread;

use picture::Format;

/// Red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Background(pub [u8; 3]);

/// Every `of`-th picture, from number `first` (counted from 0) on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The first picture.
    pub first: usize,
    /// The step from one to the next.
    pub of: usize,
}

impl Default for Shard {
    /// All pictures.
    fn default() -> Self {
        Shard { first: 0, of: 1 }
    }
}

/// Threads beside the one that feeds the adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jobs {
    /// Threads that read and decode ahead.
    pub decode: usize,
    /// Threads that encode and write behind.
    pub encode: usize,
}

impl Default for Jobs {
    /// A quarter of the processor's threads decodes, half of them encodes: enlarging makes four to
    /// sixteen pixels of one, so there is more to encode.
    fn default() -> Self {
        let threads = thread::available_parallelism().map_or(1, |n| n.get());
        Jobs {
            decode: (threads / 4).clamp(1, 8),
            encode: (threads / 2).clamp(1, 16),
        }
    }
}

/// The most threads of a kind: more would only hold pictures in memory.
const MOST: usize = 64;

pub(crate) fn format(text: &str) -> Result<Format, String> {
    let extension = text.strip_prefix('.').unwrap_or(text);
    match Format::from_extension(extension) {
        Some(format) if Format::WRITTEN.contains(&format) => Ok(format),
        _ => Err(format!("write {}", written())),
    }
}

/// The formats that are written, as a clause.
pub(crate) fn written() -> String {
    let names: Vec<_> = Format::WRITTEN.iter().map(|f| f.extensions()[0]).collect();
    let (last, others) = names.split_last().unwrap_or((&"", &[]));
    format!("{} or {last}", others.join(", "))
}

pub(crate) fn background(text: &str) -> Result<Background, String> {
    let wanted = || "a colour is wanted: #rrggbb, black or white".to_owned();
    match text.to_ascii_lowercase().as_str() {
        "black" => return Ok(Background([0; 3])),
        "white" => return Ok(Background([255; 3])),
        _ => {}
    }
    let digits = text.strip_prefix('#').unwrap_or(text);
    if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(wanted());
    }
    let channel = |i: usize| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16);
    match (channel(0), channel(1), channel(2)) {
        (Ok(r), Ok(g), Ok(b)) => Ok(Background([r, g, b])),
        _ => Err(wanted()),
    }
}

pub(crate) fn shard(text: &str) -> Result<Shard, String> {
    if text == "auto" {
        return shard_of_launcher(|name| env::var(name).ok());
    }
    let parts = text.split_once('/');
    let numbers = parts.and_then(|(k, n)| Some((k.parse::<usize>().ok()?, n.parse().ok()?)));
    match numbers {
        Some((k, of)) if 1 <= k && k <= of => Ok(Shard { first: k - 1, of }),
        _ => Err("K/N is wanted, K from 1 to N, like 2/8; or auto".to_owned()),
    }
}

/// Rank and number of processes, as Slurm's `srun`, Open MPI, MPICH and Intel MPI, and MVAPICH tell them.
const LAUNCHERS: [[&str; 2]; 4] = [
    ["OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"],
    ["PMI_RANK", "PMI_SIZE"],
    ["MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"],
    ["SLURM_PROCID", "SLURM_NTASKS"],
];

fn shard_of_launcher(variable: impl Fn(&str) -> Option<String>) -> Result<Shard, String> {
    let number = |name: &str| variable(name).and_then(|text| text.parse::<usize>().ok());
    let found = LAUNCHERS
        .iter()
        .find_map(|[rank, count]| Some((number(rank)?, number(count)?)));
    match found {
        Some((first, of)) if first < of => Ok(Shard { first, of }),
        _ => Err(
            "neither Slurm nor MPI has started this process; say which part it is, like 2/8"
                .to_owned(),
        ),
    }
}

/// Bytes: a number, and K, M, G or T (of 1024) behind it.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let wanted = || "a size is wanted, like 500M or 2G".to_owned();
    let lower = text.trim().to_ascii_lowercase();
    let bare = lower.trim_end_matches("ib").trim_end_matches('b');
    let (digits, factor) = match bare.chars().last() {
        Some('k') => (&bare[..bare.len() - 1], 1u64 << 10),
        Some('m') => (&bare[..bare.len() - 1], 1 << 20),
        Some('g') => (&bare[..bare.len() - 1], 1 << 30),
        Some('t') => (&bare[..bare.len() - 1], 1 << 40),
        _ => (bare, 1),
    };
    let number = f64::from_str(digits.trim()).map_err(|_| wanted())?;
    let bytes = number * factor as f64;
    match bytes >= 1.0 && bytes < u64::MAX as f64 {
        true => Ok(bytes as u64),
        false => Err(wanted()),
    }
}

/// A number, or as ncnn's programs have it, one for each card, of which the first counts.
pub(crate) fn tile(text: &str) -> Result<usize, String> {
    let first = text.split(',').next().unwrap_or_default();
    first
        .trim()
        .parse()
        .map_err(|_| "a number of pixels is wanted, like 512".to_owned())
}

pub(crate) fn jobs(text: &str) -> Result<Jobs, String> {
    let wanted = || format!("two numbers are wanted, from 1 to {MOST}, like 1:2");
    // The middle of three is ncnn's threads on the adapter, perhaps one a card: one process has one here.
    let parts: Vec<&str> = text.split(':').collect();
    let (decode, encode) = match parts[..] {
        [both] => (both, both),
        [decode, encode] | [decode, _, encode] => (decode, encode),
        _ => return Err(wanted()),
    };
    let number = |text: &str| match text.parse() {
        Ok(n) if (1..=MOST).contains(&n) => Ok(n),
        _ => Err(wanted()),
    };
    Ok(Jobs {
        decode: number(decode)?,
        encode: number(encode)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        assert_eq!(size("500M"), Ok(500 << 20));
        assert_eq!(size("1.5GiB"), Ok(3 << 29));
        assert_eq!(size("4096"), Ok(4096));
        for wrong in ["", "M", "-1G", "0", "nan", "1e300G", "2X"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_shard_is_told_by_hand_or_by_the_launcher() {
        assert_eq!(shard("2/8"), Ok(Shard { first: 1, of: 8 }));
        for wrong in ["0/8", "9/8", "2", "a/b", "/"] {
            assert!(shard(wrong).is_err(), "{wrong}");
        }
        let slurm = |name: &str| match name {
            "SLURM_PROCID" => Some("3".to_owned()),
            "SLURM_NTASKS" => Some("4".to_owned()),
            _ => None,
        };
        assert_eq!(shard_of_launcher(slurm), Ok(Shard { first: 3, of: 4 }));
        assert!(shard_of_launcher(|_| None).is_err());
    }

    #[test]
    fn threads_are_read_as_ncnn_programs_have_them() {
        assert_eq!(
            jobs("1:2:3"),
            Ok(Jobs {
                decode: 1,
                encode: 3
            })
        );
        assert_eq!(
            jobs("2:2,2:4"),
            Ok(Jobs {
                decode: 2,
                encode: 4
            })
        );
        assert_eq!(
            jobs("3"),
            Ok(Jobs {
                decode: 3,
                encode: 3
            })
        );
        for wrong in ["", "0:1", "1:2:3:4", "x:1", "65"] {
            assert!(jobs(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn of_several_tiles_the_first_counts() {
        assert_eq!(
            (tile("512"), tile("0,0"), tile("100, 32")),
            (Ok(512), Ok(0), Ok(100))
        );
        assert!(tile("a").is_err() && tile("").is_err() && tile("-1").is_err());
    }

    #[test]
    fn colours_are_read() {
        assert_eq!(background("#0aFF10"), Ok(Background([10, 255, 16])));
        assert_eq!(background("White"), Ok(Background([255; 3])));
        for wrong in ["", "#12", "#gggggg", "#éé12", "red-ish"] {
            assert!(background(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_format_is_one_that_is_written() {
        assert_eq!(format("JPG"), Ok(Format::Jpeg));
        let refused = format("gif").expect_err("read only");
        assert_eq!(refused, "write png, jpg, webp, tif, bmp, qoi or pnm");
    }
}
