//! A long run is at its end what it was at its beginning: memory, files and the time of a step.
//!
//! `CATANET_STEPS=10000 cargo test --test long_run -- --nocapture` makes it that long, and judges the time too,
//! which wants an idle machine.
#![cfg(target_os = "linux")] // which tells how much memory a process has

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Folder, text};

/// Steps between two lines, and of the whole run where no other number is asked for.
const PRINTED: u64 = 10;
const STEPS: u64 = 120;
/// What resident memory may grow by: a quarter of what the device's pool holds.
const GROWN: u64 = 16 << 20;

/// What a step took and what was held, at one line of a run.
struct Look {
    resident: u64,
    pool: String, // as the line has it
    files: usize,
}

/// Bytes of a process in memory.
fn resident(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}

fn files(out: &Path) -> usize {
    common::contents(out).len()
}

/// Seconds a step as the lines of the log have them: `time (data): 0.123 (0.001)`.
fn seconds(out: &Path) -> Vec<f64> {
    let log = common::contents(out).into_iter();
    let log = log.filter(|(path, _)| path.extension().is_some_and(|end| end == "log"));
    let log: Vec<u8> = log.filter_map(|(_, bytes)| bytes).flatten().collect();
    let log = String::from_utf8(log).expect("text");
    let times = log
        .lines()
        .filter_map(|line| line.split_once("time (data): "));
    let first = |rest: &str| rest.split_whitespace().next().and_then(|t| t.parse().ok());
    times.filter_map(|(_, rest)| first(rest)).collect()
}

fn median(of: &[f64]) -> f64 {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

#[test]
fn a_long_run_holds_its_memory_its_files_and_its_pace() {
    let asked: Option<u64> = std::env::var("CATANET_STEPS")
        .ok()
        .and_then(|n| n.parse().ok());
    let steps = asked.unwrap_or(STEPS);
    let out = Folder::new("long");
    let (often, seldom) = ((steps / 20).to_string(), (steps / 4).to_string());
    let mut run = Command::new(env!("CARGO_BIN_EXE_catanet"))
        .args(["train", "--batch", "1", "--patch", "28", "--ema", "0.999"])
        .args(["--iterations", &steps.to_string(), "--out", text(&out)])
        .args(common::small_validation())
        .args(["--val-freq", &seldom, "--save-every", &often, "--keep", "2"])
        .args(["--set", &format!("logger.print_freq={PRINTED}")])
        .args(["--set", &format!("logger.save_checkpoint_freq={often}")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(run.stdout.take().expect("piped")).lines();
    let mut looks = Vec::new();
    for line in lines.map_while(Result::ok) {
        let done = line
            .split_once('/')
            .and_then(|(n, _)| n.parse::<u64>().ok());
        if done.is_none_or(|step| step < steps / 2) {
            continue; // validated twice and saved ten times from here on
        }
        let pool = line.split("  ").find(|word| word.ends_with(" MB"));
        looks.extend(resident(run.id()).map(|resident| Look {
            resident,
            pool: pool.unwrap_or_default().to_owned(),
            files: files(&out),
        }));
    }
    assert!(run.wait().expect("it ends").success());
    let (first, last) = (looks.first().expect("lines"), looks.last().expect("lines"));
    let grown = last.resident.saturating_sub(first.resident);
    let times = seconds(&out);
    let tenth = (times.len() / 10).max(1);
    // The first line has the compiling of kernels in it.
    let (start, end) = (
        median(&times[1..=tenth]),
        median(&times[times.len() - tenth..]),
    );
    println!(
        "{steps} steps: {grown} bytes more in {}, device {}, {} files; a step {:.1} ms at first, {:.1} ms at last",
        last.resident,
        last.pool,
        last.files,
        start * 1e3,
        end * 1e3
    );
    assert!(grown < GROWN, "{grown} bytes more in memory");
    assert!(
        looks.iter().all(|look| look.pool == first.pool),
        "the pool grew"
    );
    assert!(
        looks.iter().all(|look| look.files <= first.files + 1),
        "files grew"
    );
    assert!(
        asked.is_none() || end < 1.02 * start,
        "{start} s a step, then {end}"
    );
}
