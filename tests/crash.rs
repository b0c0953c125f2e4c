//! Nothing that ends a run loses it: it goes on, and its weights have the bits of a run that never stopped.
//!
//! `CATANET_CRASHES=100 cargo test --test crash killed` kills a run a hundred times; otherwise it is ten.
#![cfg(unix)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use catanet::train::{states, weights_file};
use common::{Folder, heeding, small_validation, text, write_scenes};
use parking_lot::{Mutex, MutexGuard};

/// Steps of the run that is killed ten times, and of the others.
const LONG: u64 = 40;
const SHORT: u64 = 12;
/// How long a run may take to say something: on a busy machine its kernels are compiled in a minute.
const LIMIT: Duration = Duration::from_secs(240);

/// `catanet train` at the smallest size, told every step.
fn command(out: &Path, iterations: u64, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_catanet"));
    command
        .args(["train", "--batch", "1", "--patch", "28", "--out", text(out)])
        .args(["--iterations", &iterations.to_string()])
        .args(["--set", "logger.print_freq=1", "--val-freq", "100000"])
        .args(small_validation())
        .args(more)
        .stdin(Stdio::null());
    command
}

/// The same, started by a shell that ignores a signal.
fn ignoring(signal: &str, plain: &Command) -> Command {
    let mut command = Command::new("sh");
    let script = format!("trap '' {signal}; exec \"$@\"");
    command.args(["-c", &script, "sh"]);
    command.arg(plain.get_program()).args(plain.get_args());
    command.stdin(Stdio::null());
    command
}

/// One test at a time: a run takes all processors there are.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock()
}

/// A run at work, and its lines on stdout.
struct Sitting {
    child: Child,
    lines: Receiver<String>,
}

impl Sitting {
    fn start(mut command: Command) -> Sitting {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().expect("it starts");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            stdout
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        Sitting { child, lines }
    }

    /// Waits until `step` is told; false if the run ended before.
    fn reaches(&self, step: u64) -> bool {
        let done = |line: String| line.split_once('/')?.0.parse::<u64>().ok();
        let end = Instant::now() + LIMIT;
        while let Ok(line) = self
            .lines
            .recv_timeout(end.saturating_duration_since(Instant::now()))
        {
            if done(line).is_some_and(|done| done >= step) {
                return true;
            }
        }
        assert!(Instant::now() < end, "nothing was told in {LIMIT:?}");
        false
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -s {name}");
    }

    fn end(self) -> Output {
        self.child.wait_with_output().expect("it ends")
    }
}

/// The newest step that can be gone on from.
fn saved(out: &Path) -> Option<u64> {
    let newest = states(out).into_iter().next()?;
    newest.file_stem()?.to_str()?.parse().ok()
}

fn weights(out: &Path) -> Vec<u8> {
    fs::read(weights_file(out)).expect("saved")
}

/// The weights of a run that never stopped.
fn undisturbed(iterations: u64, more: &[&str]) -> Vec<u8> {
    let out = Folder::new("undisturbed");
    let output = command(&out, iterations, more).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    weights(&out)
}

#[track_caller]
fn finishes(out: &Path, iterations: u64, more: &[&str]) {
    let more = [&["--resume=auto"], more].concat();
    let output = command(out, iterations, &more).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
}

/// Numbers that look like chance and are the same each time.
fn chance(seed: u64) -> f64 {
    let mixed = (seed.wrapping_add(1)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64 / (1u64 << 53) as f64
}

#[test]
fn a_run_that_is_killed_at_any_moment_goes_on_to_the_bit() {
    let _alone = alone();
    let crashes = std::env::var("CATANET_CRASHES")
        .ok()
        .and_then(|n| n.parse().ok());
    let crashes: u64 = crashes.unwrap_or(10);
    let steps = LONG * crashes.div_ceil(10);
    let expected = undisturbed(steps, &[]);
    let out = Folder::new("killed");
    for crash in 0..crashes {
        let before = saved(&out).unwrap_or(0);
        let more = ["--resume=auto", "--save-every", "1"];
        let mut sitting = Sitting::start(command(&out, steps, &more));
        // Some are killed before the first step, while the folder is made or the state is read.
        match crash % 5 {
            4 => thread::sleep(Duration::from_secs_f64(2.0 * chance(crash))),
            _ => {
                sitting.reaches(before + 1);
                // A step takes some tenths of a second, most of which a state is being written in.
                thread::sleep(Duration::from_secs_f64(0.7 * chance(crash)));
            }
        }
        sitting.child.kill().expect("killed");
        let status = sitting.child.wait().expect("it ends");
        assert!(status.signal() == Some(9) || status.success(), "{status}");
        let after = saved(&out).unwrap_or(0);
        assert!(
            after >= before,
            "{before} steps were saved, {after} are left"
        );
        assert!(
            states(&out).len() <= 3,
            "states heap up: {:?}",
            states(&out)
        );
    }
    finishes(&out, steps, &[]);
    assert!(weights(&out) == expected, "the weights are others");
    let debris = fs::read_dir(out.join("training_states")).expect("there");
    assert_eq!(debris.count(), 2, "more than two states are left");
}

#[test]
fn signals_save_the_run_and_give_the_status_that_shells_know() {
    let _alone = alone();
    let expected = undisturbed(SHORT, &[]);
    for (signal, status) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let out = Folder::new("signal");
        let sitting = Sitting::start(heeding(&command(&out, SHORT, &[])));
        assert!(sitting.reaches(3));
        sitting.signal(signal);
        let output = sitting.end();
        assert_eq!(output.status.code(), Some(status), "{signal}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.contains("saved") && said.contains("--resume"),
            "{said}"
        );
        assert!(saved(&out).is_some_and(|step| step >= 3), "{signal}");
        finishes(&out, SHORT, &[]);
        assert!(
            weights(&out) == expected,
            "{signal}: the weights are others"
        );
    }
}

#[test]
fn a_request_to_stop_is_heeded_while_the_run_validates() {
    let _alone = alone();
    let out = Folder::new("validating");
    // The validation of the defaults, eight scenes after each step, takes longer than the signal.
    let mut command = Command::new(env!("CARGO_BIN_EXE_catanet"));
    command
        .args([
            "train",
            "--batch",
            "1",
            "--patch",
            "28",
            "--out",
            text(&out),
        ])
        .args([
            "--iterations",
            "3",
            "--val-freq",
            "1",
            "--save-every",
            "1000",
        ])
        .args(["--set", "logger.print_freq=1"]);
    let sitting = Sitting::start(command);
    assert!(sitting.reaches(1));
    sitting.signal("TERM");
    let rest: Vec<String> = sitting.lines.iter().collect();
    let output = sitting.end();
    assert_eq!(output.status.code(), Some(143), "{output:?}");
    assert_eq!(saved(&out), Some(1));
    assert!(
        !rest.iter().any(|line| line.contains("DeadLeaves after")),
        "{rest:?}"
    );
}

/// As `nohup` starts it.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_that_the_program_was_started_to_ignore_ends_no_run() {
    let _alone = alone();
    let out = Folder::new("nohup");
    let sitting = Sitting::start(ignoring("HUP", &command(&out, SHORT, &[])));
    assert!(sitting.reaches(2));
    sitting.signal("HUP");
    let output = sitting.end();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(saved(&out), Some(SHORT));
}

#[test]
fn a_reader_that_goes_away_ends_no_run() {
    let _alone = alone();
    let expected = undisturbed(SHORT, &[]);
    let out = Folder::new("reader");
    let mut sitting = Sitting::start(command(&out, SHORT, &[]));
    assert!(sitting.reaches(1));
    drop(sitting.lines); // the thread that reads ends with the next line, and the pipe with it
    drop(sitting.child.stderr.take());
    let status = sitting.child.wait().expect("it ends");
    assert!(status.success(), "{status}");
    assert!(weights(&out) == expected);
}

#[test]
fn a_disk_that_fills_up_leaves_the_last_state_whole() {
    let _alone = alone();
    let expected = undisturbed(SHORT, &[]);
    let out = Folder::new("full");
    // The limit on a file's size stands for a full disk; its signal is ignored, as a full disk sends none.
    let plain = command(&out, SHORT, &["--save-every", "1"]);
    let sitting = Sitting::start(ignoring("XFSZ", &plain));
    assert!(sitting.reaches(3));
    let id = sitting.child.id().to_string();
    let limit = Command::new("prlimit")
        .args(["--pid", &id, "--fsize=1000000"])
        .status();
    if !limit.is_ok_and(|status| status.success()) {
        eprintln!("passed over: there is no prlimit");
        sitting.signal("KILL");
        return;
    }
    let output = sitting.end();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let errors: Vec<_> = said
        .lines()
        .filter(|line| line.starts_with("error:"))
        .collect();
    assert_eq!(errors.len(), 1, "{said}");
    let step = saved(&out).expect("a state");
    assert!(
        errors[0].contains(&format!("iteration {step} is saved")),
        "{said}"
    );
    finishes(&out, SHORT, &[]);
    assert!(weights(&out) == expected, "the weights are others");
}

#[test]
fn images_that_are_replaced_while_they_are_learnt_from_change_nothing() {
    let _alone = alone();
    let root = Folder::new("replaced");
    let photos = root.join("photos");
    write_scenes(&photos, 1, 4, 72);
    let data = ["--data", text(&photos)];
    let expected = undisturbed(SHORT, &data);
    let out = root.join("run");
    let sitting = Sitting::start(command(&out, SHORT, &data));
    assert!(sitting.reaches(2));
    for i in 0..4 {
        fs::write(photos.join(format!("{i}.png")), "garbage").expect("written");
    }
    let output = sitting.end();
    assert!(output.status.success(), "{output:?}");
    assert!(weights(&out) == expected, "the weights are others");
    // A run that is begun with them is told of all of them, before anything is done.
    let output = command(&root.join("other"), SHORT, &data)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!((0..4).all(|i| said.contains(&format!("{i}.png"))), "{said}");
    assert!(!root.join("other").exists());
}

#[test]
fn a_second_run_in_a_folder_is_refused_before_it_does_anything() {
    let _alone = alone();
    let out = Folder::new("twice");
    let sitting = Sitting::start(command(&out, SHORT, &[]));
    assert!(sitting.reaches(1));
    for more in [&[][..], &["--resume"]] {
        let output = command(&out, SHORT, more).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("in use") && said.contains(&sitting.child.id().to_string()),
            "{said}"
        );
    }
    let output = sitting.end();
    assert!(output.status.success(), "{output:?}");
    assert!(!out.join("archived_1").exists());
}
