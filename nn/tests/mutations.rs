//! Changed files of weights: whatever the bytes, reading ends soon, within bounds, without a panic.
//! `CATANET_MUTATIONS` sets how many are tried of each format.

mod old_torch;

use std::time::{Duration, Instant};

use nn::checkpoint::{Array, Data, Precision, StateDict, parse, save_pth, save_safetensors};

/// xorshift64*
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as usize % n.max(1)
    }
}

const NAMES: [&str; 3] = ["first.weight", "first.bias", "last.bias"];

/// The same arrays in all formats.
fn files() -> [Vec<u8>; 3] {
    let data = [0.5, -1.0, 2.0, 4.0];
    let arrays = NAMES.map(|name| {
        let data = Data::F32(data.to_vec());
        let shape = vec![2, 2];
        (format!("params.{name}"), Array { shape, data })
    });
    let state = StateDict {
        arrays: arrays.into(),
        metadata: [("scale".to_owned(), "2".to_owned())].into(),
    };
    let folder = tempfile::tempdir().unwrap();
    let [zip, flat] = ["a.pth", "a.safetensors"].map(|name| folder.path().join(name));
    save_pth(&zip, &state).unwrap();
    save_safetensors(&flat, &state, Precision::F32).unwrap();
    let old = NAMES.map(|name| (name, &[2, 2][..], &data[..]));
    [
        std::fs::read(zip).unwrap(),
        old_torch::file(&old, false),
        std::fs::read(flat).unwrap(),
    ]
}

/// scripts/fuzz-seeds calls this.
#[test]
#[ignore = "writes files for a fuzzer to begin with, into the folder CATANET_SEEDS"]
fn seeds_for_a_fuzzer() {
    let folder = std::env::var("CATANET_SEEDS").expect("CATANET_SEEDS names a folder");
    let targets = ["pth/zip", "pth/old", "safetensors/file"];
    for (target, bytes) in targets.into_iter().zip(files()) {
        let path = std::path::Path::new(&folder).join(target);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

fn mutated(whole: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        let length = random.below(16).min(bytes.len() - at);
        match random.below(7) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..at + length)),
            2 => bytes.extend_from_within(at..at + length),
            3 => {
                let piece = bytes[at..at + length].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, piece);
            }
            4 => bytes[at..at + length].fill([0, 0x7f, 0xff][random.below(3)]),
            5 => bytes[at] = whole[random.below(whole.len())],
            _ => bytes[at] ^= 1 << random.below(8),
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

/// How many arrays were read of it.
fn read(bytes: &[u8]) -> usize {
    let wanted = NAMES.map(str::to_owned);
    let Ok(file) = parse(bytes) else {
        return 0;
    };
    for prefix in [file.prefix_for(&wanted), file.largest()]
        .into_iter()
        .flatten()
    {
        let Ok(state) = file.arrays(&prefix, file.names(&prefix)) else {
            continue;
        };
        let elements: usize = state.arrays.values().map(|array| array.data.len()).sum();
        assert!(elements <= bytes.len(), "more elements than bytes");
        return state.arrays.len();
    }
    0
}

#[test]
fn a_changed_file_is_read_or_refused_at_once_within_bounds() {
    let count = std::env::var("CATANET_MUTATIONS").ok();
    let count = count.map_or(1_000_000, |count| count.parse().expect("a number"));
    for whole in files() {
        assert_eq!(read(&whole), NAMES.len());
        let mut random = Random(2024);
        let mut survivors = 0;
        for round in 0..count {
            let bytes = mutated(&whole, &mut random);
            let begin = Instant::now();
            survivors += usize::from(read(&bytes) > 0);
            assert!(begin.elapsed() < Duration::from_secs(5), "round {round}");
        }
        assert!(survivors > 0, "flips in numbers and names do no harm");
    }
}
