//! Training: steady memory, no hidden waits, the same bits twice, and runs that go on.

mod common;

use std::path::Path;
use std::sync::OnceLock;

use catanet::data::benchmark::dead_leaves_set;
use catanet::data::{Batch, Loader, LoaderOptions, Source};
use catanet::options::SaveEvery;
use catanet::train::{
    End, Event, Processes, Recipe, Report, Run, RunFolder, TrainOptions, Validate, best_file,
    states, train, weights_file,
};
use catanet::{CATANet, Error};
use common::{Folder, device_alone};
use nn::Schedule;
use tensor::Device;

fn options(iterations: u64) -> TrainOptions {
    let recipe = Recipe {
        batch: 1,
        patch: 28,
        schedule: Schedule::Cosine {
            lr: 1e-3,
            floor: 1e-5,
            iterations: 6,
        },
        seed: 7,
        ..Recipe::small(2, iterations)
    };
    TrainOptions {
        report_every: 1,
        save_every: SaveEvery::Seconds(3600.0),
        ..TrainOptions::new(recipe)
    }
}

fn fresh(device: &Device, options: &TrainOptions) -> Run {
    Run::new(CATANet::new(device, 2, 7), &options.recipe)
}

/// Trains in `out`; the reports.
fn train_in(run: &mut Run, out: &Path, options: &TrainOptions) -> Result<Vec<Report>, Error> {
    let mut reports = Vec::new();
    let mut folder = RunFolder::open(out)?;
    let end = train(run, &mut folder, options, &mut |event| {
        if let Event::Report(report) = event {
            reports.push(report);
        }
    })?;
    assert_eq!(end, End::Done);
    Ok(reports)
}

fn resumed(device: &Device, out: &Path) -> Run {
    let (run, faults) = Run::resume(device, 2, out).expect("saved");
    assert!(faults.is_empty(), "{faults:?}");
    run
}

fn newest(out: &Path) -> std::path::PathBuf {
    states(out).swap_remove(0)
}

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn one_seed_gives_the_same_bytes_in_one_sitting_or_two() {
    let (_alone, device) = device_alone();
    let [once, twice, resumed_in] = ["once", "twice", "resumed"].map(Folder::new);
    for folder in [&once, &twice] {
        train_in(&mut fresh(device, &options(6)), folder, &options(6)).expect("training");
    }
    train_in(&mut fresh(device, &options(4)), &resumed_in, &options(4)).expect("first sitting");
    let mut run = resumed(device, &resumed_in);
    assert_eq!(run.iteration(), 4);
    train_in(&mut run, &resumed_in, &options(6)).expect("second sitting");
    for file in [weights_file, newest] {
        assert!(
            bytes(&file(&once)) == bytes(&file(&twice)),
            "two runs differ"
        );
        assert!(
            bytes(&file(&once)) == bytes(&file(&resumed_in)),
            "the resumed run differs"
        );
    }
}

#[test]
fn recomputed_activations_take_less_memory_and_change_no_bit_of_a_run() {
    let (_alone, device) = device_alone();
    let folders = ["all_kept", "recomputed"].map(Folder::new);
    let peaks = [false, true].map(|on| {
        let options = options(3);
        let mut run = fresh(device, &options);
        run.net.recompute_activations(on);
        device.trim();
        device.reset_peaks();
        let before = device.stats().used_bytes;
        let reports = train_in(&mut run, &folders[usize::from(on)], &options).expect("training");
        let losses: Vec<_> = reports.iter().map(|report| report.loss).collect();
        (losses, device.stats().peak_used_bytes - before)
    });
    assert_eq!(peaks[0].0, peaks[1].0, "losses");
    // Weights, centres and both of Adam's moments: all that three steps' gradients have made.
    let [kept, recomputed] = folders.map(|folder| bytes(&newest(&folder)));
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
        ..LoaderOptions::default()
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
    let recipe = Recipe {
        schedule: Schedule::MultiStep {
            lr: 1e-4,
            milestones: vec![],
            gamma: 1.0,
        },
        ..options(300).recipe
    };
    let mut run = Run::new(CATANet::new(device, 2, 7), &recipe);
    let mut losses = vec![];
    let mut settled = None;
    for step in 1..=300 {
        let before = device.stats().read_backs;
        let loss = run
            .step(&batch, &recipe, &Processes::alone())
            .expect("a step");
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
fn a_run_is_saved_by_steps_and_by_time_and_two_states_are_kept() {
    let (_alone, device) = device_alone();
    for (save_every, expected) in [
        (SaveEvery::Seconds(0.0), vec![1, 2, 3, 4, 5]),
        (SaveEvery::Steps(2), vec![2, 4, 5]),
        (SaveEvery::Seconds(3600.0), vec![5]),
    ] {
        let folder = Folder::new("saved");
        let options = TrainOptions {
            save_every,
            ..options(5)
        };
        let mut saved = vec![];
        let mut run_folder = RunFolder::open(&folder).expect("free");
        train(
            &mut fresh(device, &options),
            &mut run_folder,
            &options,
            &mut |event| {
                if let Event::Saved(step) = event {
                    assert_eq!(resumed(device, &folder).iteration(), step);
                    saved.push(step);
                }
            },
        )
        .expect("training");
        assert_eq!(saved, expected);
        assert_eq!(states(&folder).len(), 2);
    }
}

#[test]
fn validation_and_averages_change_no_bit_of_the_weights_and_the_best_is_kept() {
    let (_alone, device) = device_alone();
    let [without, with] = ["without", "with"].map(Folder::new);
    let plain = TrainOptions {
        recipe: Recipe {
            ema: Some(0.5),
            ..options(4).recipe
        },
        ..options(4)
    };
    train_in(&mut fresh(device, &plain), &without, &plain).expect("training");
    let validated = TrainOptions {
        validate: Some(Validate {
            every: Some(1),
            at_start: true,
            sets: vec![dead_leaves_set(1, 64, 1)],
            metrics: vec![],
            save: None,
        }),
        ..plain
    };
    let mut steps = vec![];
    let mut bests = vec![];
    let mut folder = RunFolder::open(&with).expect("free");
    train(
        &mut fresh(device, &validated),
        &mut folder,
        &validated,
        &mut |event| {
            if let Event::Validated(validation) = event {
                steps.push(validation.iteration);
                bests.push(validation.best.expect("a figure").0);
            }
        },
    )
    .expect("training");
    assert_eq!(steps, [0, 1, 2, 3, 4]);
    assert!(bests.is_sorted(), "{bests:?}");
    assert!(best_file(&with).is_file());
    let weights = |out: &Path| bytes(&weights_file(out));
    assert!(weights(&without) == weights(&with), "weights differ");
}

#[test]
fn a_run_that_is_asked_to_stop_is_saved_and_goes_on_to_the_bit() {
    let (_alone, device) = device_alone();
    let [once, stopped] = ["once", "stopped"].map(Folder::new);
    train_in(&mut fresh(device, &options(3)), &once, &options(3)).expect("training");
    let asked = TrainOptions {
        stop: || true,
        ..options(3)
    };
    let mut run = fresh(device, &asked);
    for step in 1..=2 {
        let mut folder = RunFolder::open(&stopped).expect("free");
        let end = train(&mut run, &mut folder, &asked, &mut |_| {}).expect("no error");
        assert_eq!((end, run.iteration()), (End::Stopped, step));
        drop(folder);
        run = resumed(device, &stopped);
    }
    train_in(&mut run, &stopped, &options(3)).expect("the last step");
    assert!(bytes(&weights_file(&once)) == bytes(&weights_file(&stopped)));
}

#[test]
fn a_folder_in_use_is_refused_before_anything_is_done() {
    let (_alone, device) = device_alone();
    let folder = Folder::new("locked");
    let first = RunFolder::open(&folder).expect("free");
    let error = RunFolder::open(&folder).expect_err("in use");
    assert!(error.to_string().contains("in use"), "{error}");
    drop(first);
    train_in(&mut fresh(device, &options(1)), &folder, &options(1)).expect("free again");
}

#[test]
fn a_torn_state_is_told_and_the_one_before_it_is_used() {
    let (_alone, device) = device_alone();
    let folder = Folder::new("torn");
    let each = TrainOptions {
        save_every: SaveEvery::Steps(1),
        ..options(3)
    };
    train_in(&mut fresh(device, &each), &folder, &each).expect("training");
    let torn = newest(&folder);
    let whole = bytes(&torn);
    for damaged in [
        &whole[..whole.len() / 2],
        &[],
        b"not a state",
        &whole[..100],
    ] {
        std::fs::write(&torn, damaged).expect("written");
        let (run, faults) = Run::resume(device, 2, &folder).expect("the one before");
        assert_eq!(run.iteration(), 2);
        assert!(
            faults.len() == 1 && faults[0].contains("3.state"),
            "{faults:?}"
        );
    }
}

#[test]
fn a_run_astray_tells_step_images_and_layer_and_keeps_its_state() {
    let (_alone, device) = device_alone();
    let folder = Folder::new("astray");
    let mut wild = options(6);
    // Two steps at a rate that no weights survive.
    wild.recipe.schedule = Schedule::MultiStep {
        lr: 1e-3,
        milestones: vec![3],
        gamma: 1e38,
    };
    let error = train_in(&mut fresh(device, &wild), &folder, &wild).expect_err("astray");
    let Error::TrainingEnded { saved, source, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(*saved, Some(0), "{error}");
    let text = source.to_string();
    for word in ["astray", "scene 4", "it began"] {
        assert!(text.contains(word), "no {word:?} in {text}");
    }
    assert_eq!(resumed(device, &folder).iteration(), 0);

    // With half the rate it comes no further, but it tries three times.
    let mut back = wild.clone();
    back.on_nan = catanet::options::OnNan::Rollback;
    let mut notes = vec![];
    let mut run_folder = RunFolder::open(&folder).expect("free");
    let mut run = resumed(device, &folder);
    train(&mut run, &mut run_folder, &back, &mut |event| {
        if let Event::Note(note) = event {
            notes.push(note);
        }
    })
    .expect_err("astray again");
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert!(notes[0].contains("half the learning rate"), "{notes:?}");
}

#[test]
fn a_crop_below_the_largest_window_is_refused_before_anything_is_written() {
    let (_alone, device) = device_alone();
    let folder = Folder::new("small_patch");
    let mut small = options(1);
    small.recipe.patch = 27;
    let out = folder.join("run");
    let error = train_in(&mut fresh(device, &small), &out, &small).expect_err("27 is too small");
    assert!(error.to_string().contains("27×27") && error.to_string().contains("28"));
    assert!(!out.exists());
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
    train_in(&mut fresh(device, &options(1)), &folder, &options(1)).expect("one step");
    let error = Run::resume(device, 3, &folder).err().expect("it is ×2");
    assert!(error.to_string().contains("upconv.weight"), "{error}");
}
