//! Several processes that train one network together, started by `mpirun`: `cargo test --features mpi --test processes`.
#![cfg(all(unix, feature = "mpi"))]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use catanet::CATANet;
use catanet::data::{Batch, Crops};
use catanet::train::{Processes, Recipe, Run, states, weights_file};
use common::{Folder, small_validation, text};
use nn::checkpoint::{self, Data, StateDict};
use nn::{Schedule, load_state_dict};
use parking_lot::{Mutex, MutexGuard};

/// Steps of each run.
const STEPS: u64 = 4;

/// The golden run's losses in PyTorch, of one process with both crops of each batch, and of two with one each.
const ONE: [f32; 12] = [
    0.17241669, 0.10613725, 0.0945529, 0.08832017, 0.08158236, 0.07850773, 0.07712086, 0.07420056,
    0.07358227, 0.07092693, 0.07016438, 0.06839769,
];
const TWO: [f32; 12] = [
    0.17238458, 0.10609291, 0.0945528, 0.08828671, 0.08154648, 0.07849855, 0.07715758, 0.07418824,
    0.07355772, 0.07093106, 0.07021306, 0.06840552,
];

/// One test at a time: a run takes all processors there are.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock()
}

/// A program on so many processes.
fn mpirun(processes: usize, program: &Path) -> Command {
    let mut command = Command::new("mpirun");
    command
        .args([
            "--allow-run-as-root",
            "--oversubscribe",
            "--mca", // one that waits leaves the processor to the others
            "mpi_yield_when_idle",
            "1",
            "-np",
            &processes.to_string(),
        ])
        .arg(program)
        .stdin(Stdio::null());
    command
}

/// `catanet train` on so many processes, at the smallest size.
fn command(processes: usize, out: &Path, steps: u64, more: &[&str]) -> Command {
    let mut command = mpirun(processes, Path::new(env!("CARGO_BIN_EXE_catanet")));
    command
        .args([
            "train",
            "--patch",
            "28",
            "--out",
            text(out),
            "--iterations",
            &steps.to_string(),
        ])
        .args(["--set", "logger.print_freq=1", "--val-freq", "100000"])
        .args(small_validation())
        .args(more);
    command
}

fn train(processes: usize, out: &Path, steps: u64, more: &[&str]) -> Output {
    let output = command(processes, out, steps, more)
        .output()
        .expect("mpirun");
    assert!(output.status.success(), "{output:?}");
    output
}

fn weights(out: &Path) -> Vec<u8> {
    fs::read(weights_file(out)).expect("saved")
}

/// A folder with images of 56×56: each has one crop of 28×28 at ×2.
fn images(root: &Path, count: u64) -> std::path::PathBuf {
    let folder = root.join(format!("images_{count}"));
    common::write_scenes(&folder, 5, count, 56);
    folder
}

/// No symmetries: a crop is what it is cut from.
const AS_THEY_ARE: [&str; 4] = [
    "--set",
    "datasets.train.use_hflip=false",
    "--set",
    "datasets.train.use_rot=false",
];

#[test]
fn two_processes_with_the_same_crops_give_the_bits_of_one() {
    let _alone = alone();
    let root = Folder::new("same");
    let data = images(&root, 1);
    let more = |batch| [&["--data", text(&data), "--batch", batch][..], &AS_THEY_ARE].concat();
    let [one, two] = ["one", "two"].map(|name| root.join(name));
    train(1, &one, STEPS, &more("1"));
    train(2, &two, STEPS, &more("2"));
    assert!(weights(&one) == weights(&two), "weights differ");
    // And again: as many processes give the same bits.
    let again = root.join("again");
    train(2, &again, STEPS, &more("2"));
    assert!(weights(&two) == weights(&again), "two runs differ");
}

/// Where the processes of the next test write their losses.
const LOSSES: &str = "CATANET_TEST_LOSSES";

/// The losses of the golden run of twelve steps with batches of two, by so many processes.
fn golden_losses(processes: usize) -> Vec<f32> {
    let root = Folder::new("losses");
    let file = root.join("losses.json");
    let this = std::env::current_exe().expect("a test");
    let output = mpirun(processes, &this)
        .args(["--ignored", "--exact", "takes_its_share_of_golden_batches"])
        .args(["--test-threads", "1"])
        .env(LOSSES, &file)
        .output()
        .expect("mpirun");
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&fs::read(file).expect("written")).expect("numbers")
}

/// One of the processes that [`golden_losses`] starts.
#[test]
#[ignore = "is started by another test, with mpirun"]
fn takes_its_share_of_golden_batches() {
    let Some(out) = std::env::var_os(LOSSES) else {
        return;
    };
    let processes = Processes::connected().expect("MPI");
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/adam_x2_12_steps.safetensors");
    let golden = checkpoint::load(&path).expect("golden numbers");
    let net = CATANet::new(common::device(), 2, 0);
    let named = golden.arrays.iter();
    let weights = StateDict {
        arrays: named
            .filter_map(|(k, array)| Some((k.strip_prefix("before.")?.to_owned(), array.clone())))
            .collect(),
        ..StateDict::default()
    };
    load_state_dict(&net, &weights, |_| true).expect("weights of ×2");
    let recipe = Recipe {
        schedule: Schedule::MultiStep {
            lr: 2e-4,
            milestones: Vec::new(),
            gamma: 1.0,
        },
        processes: processes.count(),
        ..Recipe::small(2, 12)
    };
    let mut run = Run::new(net, &recipe);
    let mut losses = Vec::new();
    for step in 0..recipe.iterations {
        // Images are stored [B, 3, side, side]; a process takes its part of B.
        let share = |key: &str, side: usize| {
            let array = &golden.arrays[&format!("{key}.{step}")];
            let Data::F32(values) = &array.data else {
                panic!("not floats")
            };
            let plane = side * side;
            let first = processes.rank() * recipe.share();
            let crops = first..first + recipe.share();
            let pixels = crops.flat_map(|b| (0..plane).map(move |i| (b, i)));
            let values =
                pixels.flat_map(|(b, i)| (0..3).map(move |c| values[(b * 3 + c) * plane + i]));
            Crops::new(values.collect(), side)
        };
        let batch = Batch {
            number: step,
            origins: Vec::new(),
            lq: share("lq", 32),
            gt: share("gt", 64),
        };
        let loss = run.step(&batch, &recipe, &processes).expect("a step");
        losses.push(loss.item().expect("read-back"));
    }
    if processes.is_first() {
        fs::write(out, serde_json::to_vec(&losses).expect("numbers")).expect("written");
    }
}

/// Two processes on different crops: as PyTorch's data-parallel training has it, gradients are means and the
/// centres follow the first process. Its losses were computed with the network's oracle, on the batches of
/// `tests/golden/adam_x2_12_steps.safetensors`, halved.
#[test]
fn two_processes_with_different_crops_have_the_losses_of_pytorchs() {
    let _alone = alone();
    for (processes, expected) in [(1, ONE), (2, TWO)] {
        let losses = golden_losses(processes);
        println!("{processes}: {losses:?}");
        for (step, (loss, expected)) in losses.iter().zip(expected).enumerate() {
            let error = (loss - expected).abs() / expected;
            // Already the first loss shows whose tokens moved the centres: ONE and TWO differ by 2e-4 there.
            let tolerance = if step == 0 { 1e-5 } else { 1e-3 };
            assert!(
                error < tolerance,
                "{processes} processes, step {step}: {loss}, not {expected}"
            );
        }
    }
}

#[test]
fn a_killed_process_ends_all_and_another_number_of_them_goes_on() {
    let _alone = alone();
    let out = Folder::new("killed");
    let run = command(2, &out, 200, &["--save-every", "1", "--batch", "2"])
        .stdout(Stdio::null())
        .spawn();
    let mut run = run.expect("mpirun");
    let end = Instant::now() + Duration::from_secs(480);
    let newest = || {
        states(&out)
            .first()?
            .file_stem()?
            .to_str()?
            .parse::<u64>()
            .ok()
    };
    while newest().is_none_or(|step| step < 3) {
        assert!(Instant::now() < end, "no state in time");
        sleep(Duration::from_millis(100));
    }
    let killed = Command::new("pkill")
        .args(["-KILL", "-n", "-P", &run.id().to_string()])
        .status();
    assert!(killed.is_ok_and(|status| status.success()), "pkill");
    assert!(!run.wait().expect("it ends").success());
    let step = newest().expect("a whole state");
    let output = train(1, &out, step + 1, &["--resume", "--batch", "2"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("processes 2; from here on it is 1"), "{said}");
    train(2, &out, step + 2, &["--resume", "--batch", "2"]);
    assert_eq!(newest(), Some(step + 2));
}

#[test]
fn a_batch_that_cannot_be_divided_is_refused() {
    let _alone = alone();
    let out = Folder::new("odd");
    let output = command(2, &out, STEPS, &["--batch", "3"])
        .output()
        .expect("mpirun");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("3 cannot be divided among 2 processes"),
        "{said}"
    );
}
