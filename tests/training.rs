//! Training: steady memory, no hidden waits, the same bits twice, and runs that go on.

mod common;

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use catanet::CATANet;
use catanet::data::{Batch, Loader, LoaderOptions, Source};
use catanet::train::{Recipe, Run, TrainOptions, state_file, train, weights_file};
use common::{Folder, device_alone};
use nn::Schedule;
use tensor::Device;

fn options(out: &Path, iterations: u64) -> TrainOptions {
    TrainOptions {
        recipe: Recipe {
            scale: 2,
            source: Source::DeadLeaves,
            iterations,
            batch: 1,
            patch: 28,
            schedule: Schedule::Cosine {
                lr: 1e-3,
                floor: 1e-5,
                iterations: 6,
            },
            seed: 7,
        },
        out: out.to_path_buf(),
        report_every: 1,
        save_every: Duration::from_secs(3600),
        notes: vec![],
    }
}

fn fresh(device: &Device) -> Run {
    Run::new(CATANet::new(device, 2, 7))
}

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn one_seed_gives_the_same_bytes_in_one_sitting_or_two() {
    let (_alone, device) = device_alone();
    let [once, twice, resumed] = ["once", "twice", "resumed"].map(Folder::new);
    for folder in [&once, &twice] {
        train(&mut fresh(device), &options(folder, 6), |_| {}).expect("training");
    }
    train(&mut fresh(device), &options(&resumed, 4), |_| {}).expect("first sitting");
    let mut run = Run::resume(device, 2, &resumed).expect("saved by the first sitting");
    assert_eq!(run.iteration(), 4);
    train(&mut run, &options(&resumed, 6), |_| {}).expect("second sitting");
    for file in [weights_file, state_file] {
        assert!(
            bytes(&file(&once)) == bytes(&file(&twice)),
            "two runs differ"
        );
        assert!(
            bytes(&file(&once)) == bytes(&file(&resumed)),
            "the resumed run differs"
        );
    }
}

#[test]
fn recomputed_activations_take_less_memory_and_change_no_bit_of_a_run() {
    let (_alone, device) = device_alone();
    let folders = ["all_kept", "recomputed"].map(Folder::new);
    let peaks = [false, true].map(|on| {
        let mut run = fresh(device);
        run.net.recompute_activations(on);
        let mut losses = vec![];
        device.trim();
        device.reset_peaks();
        let before = device.stats().used_bytes;
        let options = options(&folders[usize::from(on)], 3);
        train(&mut run, &options, |report| losses.push(report.loss)).expect("training");
        (losses, device.stats().peak_used_bytes - before)
    });
    assert_eq!(peaks[0].0, peaks[1].0, "losses");
    // Weights, centres and both of Adam's moments: all that three steps' gradients have made.
    let [kept, recomputed] = folders.map(|folder| bytes(&state_file(&folder)));
    assert!(kept == recomputed, "states differ");
    assert!(peaks[1].1 * 3 < peaks[0].1, "bytes at the peak: {peaks:?}");
}

fn first_batch(patch: usize) -> Batch {
    let options = LoaderOptions {
        scale: 2,
        patch,
        batch: 1,
        seed: 7,
        workers: 1,
        cache_bytes: LoaderOptions::CACHE_BYTES,
    };
    let mut loader = Loader::new(Source::DeadLeaves, options, 0).expect("generated scenes");
    loader.next().expect("endless").expect("a batch")
}

/// Bytes of this process in memory, where the system tells.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}

#[test]
fn three_hundred_steps_hold_their_memory_and_wait_only_for_the_printed_loss() {
    let (_alone, device) = device_alone();
    let batch = first_batch(28);
    let mut run = fresh(device);
    let mut losses = vec![];
    let mut settled = None;
    for step in 1..=300 {
        let before = device.stats().read_backs;
        let loss = run.step(&batch, 1e-4);
        assert_eq!(
            device.stats().read_backs,
            before,
            "step {step} read something back"
        );
        if step % 50 == 0 {
            losses.push(loss.item().expect("read-back"));
        }
        let stats = device.stats();
        let pool = (stats.pool_bytes, stats.pool_buffers);
        match step {
            // The stored centres move from the second step on, which then is like all others.
            2 => settled = Some(pool),
            3.. => assert_eq!(Some(pool), settled, "the pool grew in step {step}"),
            _ => {}
        }
        if step == 50 {
            device.wait_idle().expect("the device works");
        }
        static AT_50: OnceLock<Option<u64>> = OnceLock::new();
        if step >= 50
            && let (Some(then), Some(now)) = (AT_50.get_or_init(resident), resident())
        {
            let grown = now.saturating_sub(*then);
            assert!(
                grown < 16 << 20,
                "{grown} bytes more in memory after step {step}"
            );
        }
    }
    assert!(
        losses.windows(2).all(|w| w[1] < w[0]),
        "one batch is learnt: {losses:?}"
    );
}

#[test]
fn micro_batches_accumulate_gradients() {
    let (_alone, device) = device_alone();
    let batch = first_batch(28);
    let x = autograd::Var::constant(batch.lq.to_tensor(device));
    let target = autograd::Var::constant(batch.gt.to_tensor(device));
    let gradient = |net: &CATANet| {
        nn::l1_loss(&net.forward(&x, catanet::Mode::Eval), &target).backward();
        nn::parameters(net)[0]
            .1
            .grad()
            .expect("a gradient")
            .to_vec()
            .expect("read-back")
    };
    let net = CATANet::new(device, 2, 7);
    let (one, two) = (gradient(&net), gradient(&net));
    for (one, two) in one.iter().zip(two) {
        assert!(
            (2.0 * one - two).abs() <= 1e-6 + 1e-5 * two.abs(),
            "{one} then {two}"
        );
    }
}

#[test]
fn a_run_is_saved_by_time_between_two_reports() {
    let (_alone, device) = device_alone();
    let folder = Folder::new("by_time");
    let options = TrainOptions {
        report_every: 2,
        save_every: Duration::ZERO,
        ..options(&folder, 3)
    };
    let mut found = vec![];
    train(&mut fresh(device), &options, |report| {
        // The report comes before the save of the same step.
        let saved = Run::resume(device, 2, &folder).expect("saved");
        found.push((report.iteration, saved.iteration()));
    })
    .expect("training");
    assert_eq!(found, [(2, 1), (3, 2)]);
}

#[test]
fn a_crop_below_the_largest_window_is_refused_before_anything_is_written() {
    let (_alone, device) = device_alone();
    let folder = Folder::new("small_patch");
    let mut small = options(&folder.join("run"), 1);
    small.recipe.patch = 27;
    let error = train(&mut fresh(device), &small, |_| {}).expect_err("27 is too small");
    assert!(error.to_string().contains("27×27") && error.to_string().contains("28"));
    assert!(!small.out.exists());
}

#[test]
fn resuming_where_nothing_was_saved_says_so() {
    let (_alone, device) = device_alone();
    let folder = Folder::new("nothing_saved");
    let error = Run::resume(device, 2, &folder)
        .err()
        .expect("there is no run");
    assert!(error.to_string().contains("no run to resume"), "{error}");
}

#[test]
fn a_run_of_another_scale_is_not_resumed() {
    let (_alone, device) = device_alone();
    let folder = Folder::new("other_scale");
    train(&mut fresh(device), &options(&folder, 1), |_| {}).expect("one step");
    let error = Run::resume(device, 3, &folder).err().expect("it is ×2");
    assert!(error.to_string().contains("upconv.weight"), "{error}");
}
