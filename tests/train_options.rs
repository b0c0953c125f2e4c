//! `train --opt`: option files followed for a few steps, on stand-ins for DIV2K, and what is in the run's folder
//! then. With `CATANET_PUBLISHED` (see published.rs) the published files are followed, too.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use catanet::data::dead_leaves::scene;
use catanet::imresize::downscale;
use catanet::options::Options;
use catanet::train::{states, weights_file};
use common::{Folder, text};
use parking_lot::{Mutex, MutexGuard};

/// One test at a time: a run takes all processors there are.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock()
}

/// Images in BasicSR's layout, high-resolution and low-resolution.
fn images(hr: &Path, lr: &Path, scale: usize, count: u64, side: usize) {
    fs::create_dir_all(hr).expect("made");
    fs::create_dir_all(lr).expect("made");
    for i in 0..count {
        let image = scene(9, i, side, side);
        image
            .save_png(hr.join(format!("{i:04}.png")))
            .expect("written");
        let low = downscale(&image.modcrop(scale), scale);
        low.save_png(lr.join(format!("{i:04}x{scale}.png")))
            .expect("written");
    }
}

/// What the published training files ask for, below `root/datasets`.
fn stand_ins(root: &Path, scale: usize) {
    let datasets = root.join("datasets");
    let div2k = datasets.join("DIV2K");
    let low = div2k.join(format!("DIV2K_LR_bicubic/x{scale}"));
    images(&div2k.join("DIV2K_HR"), &low, scale, 3, 64 * scale);
    for set in ["Set5", "Set14"] {
        let low = datasets.join(set).join(format!("LR_bicubic/X{scale}"));
        images(&datasets.join(set).join("HR"), &low, scale, 1, 48);
    }
}

/// `catanet train` in the folder `root`, two small steps of what `file` says.
fn train(root: &Path, file: &Path, scale: usize, more: &[&str]) -> Output {
    let size = format!("datasets.train.gt_size={}", 28 * scale);
    Command::new(env!("CARGO_BIN_EXE_catanet"))
        .current_dir(root)
        .args(["train", "-opt", text(file)])
        .args([
            "--set",
            &size,
            "--set",
            "datasets.train.batch_size_per_gpu=1",
        ])
        .args([
            "--set",
            "train.total_iter=2",
            "--set",
            "logger.print_freq=1",
        ])
        .args(more)
        .stdin(Stdio::null())
        .output()
        .expect("it runs")
}

#[track_caller]
fn follows(root: &Path, file: &Path, scale: usize) {
    let output = train(root, file, scale, &[]);
    assert!(output.status.success(), "{output:?}");
    let text = fs::read_to_string(file).expect("read");
    let (options, _) = Options::parse(&text, file, &[]).expect("sound");
    let out = root.join("experiments").join(&options.name);
    assert!(weights_file(&out).is_file() && out.join("report.html").is_file());
    let entries = fs::read_dir(&out).expect("there").flatten();
    let logs = entries.map(|entry| entry.path());
    let log = logs.filter(|path| path.extension().is_some_and(|end| end == "log"));
    let log = fs::read_to_string(log.last().expect("a log")).expect("read");
    for words in [
        "iter:       2, lr:(2.000e-04,)",
        "l_pix: ",
        "Validation Set5",
        "# psnr: ",
        "Validation Set14",
    ] {
        let there =
            log.contains(words) || (words.contains("Set14") && options.datasets.scored.len() < 2);
        assert!(there, "no {words:?} in {log}");
    }
    if scale != 2 {
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            said.contains("starting from the shipped weights for ×2"),
            "{said}"
        );
    }
    assert!(
        out.join("tb_logger")
            .read_dir()
            .expect("there")
            .next()
            .is_some()
    );

    if scale != 2 {
        return;
    }
    // The options in the folder start the same run again: the same bits, in another folder.
    let again = root.join("again");
    let kept = out.join("options.yml");
    let output = train(root, &kept, scale, &["--out", common::text(&again)]);
    assert!(output.status.success(), "{output:?}");
    let weights = [&out, &again].map(|out| fs::read(weights_file(out)).expect("saved"));
    assert!(weights[0] == weights[1], "the weights are others");
    fs::remove_dir_all(again).expect("removed");
}

#[test]
fn the_template_of_each_scale_trains() {
    let _alone = alone();
    for scale in [2, 3, 4] {
        let root = Folder::new("template");
        stand_ins(&root, scale);
        let file = root.join("train.yml");
        fs::write(&file, Options::template(scale)).expect("written");
        follows(&root, &file, scale);
    }
}

#[test]
fn the_published_files_train() {
    let _alone = alone();
    let Some(shared) = std::env::var_os("CATANET_PUBLISHED") else {
        return;
    };
    for (scale, kind) in [(2, "scratch"), (3, "finetune"), (4, "finetune")] {
        let root = Folder::new("published");
        stand_ins(&root, scale);
        let name = format!("options/train_CATANet_x{scale}_{kind}.yml");
        let file = PathBuf::from(&shared).join(name);
        follows(&root, &file.canonicalize().expect("there"), scale);
    }
}

#[test]
fn every_optimiser_schedule_and_loss_of_a_file_trains_and_goes_on_to_the_bit() {
    let _alone = alone();
    let root = Folder::new("kinds");
    stand_ins(&root, 2);
    let file = root.join("train.yml");
    let template = Options::template(2);
    let kinds: [&[&str]; 3] = [
        &[
            "train.optim_g.type=AdamW",
            "train.optim_g.weight_decay=0.01",
            "train.ema_decay=0.9",
            "train.pixel_opt.type=CharbonnierLoss",
            "train.warmup_iter=2",
        ],
        &[
            "train.scheduler.type=CosineAnnealingRestartLR",
            "train.scheduler.periods=[2, 2]",
            "train.scheduler.restart_weights=[1, 0.5]",
            "train.pixel_opt.type=MSELoss",
            "train.use_grad_clip=true",
        ],
        &[
            "datasets.train.degrade=jpeg=60..95,noise=0..8,blur=0..1.2",
            "datasets.train.use_rot=false",
            "train.pixel_opt.loss_weight=0.5",
            "train.pixel_opt.reduction=sum",
        ],
    ];
    for (i, kind) in kinds.into_iter().enumerate() {
        // What goes with the other scheduler is no key of this one.
        let cosine = kind
            .iter()
            .any(|set| set.ends_with("CosineAnnealingRestartLR"));
        let others = |line: &&str| {
            !cosine
                || !["milestones:", "gamma:"]
                    .iter()
                    .any(|key| line.contains(key))
        };
        let lines: Vec<_> = template.lines().filter(others).collect();
        fs::write(&file, lines.join("\n")).expect("written");
        let more: Vec<_> = kind.iter().flat_map(|set| ["--set", *set]).collect();
        let with = |out: &Path, more: &[&str], last: &[&str]| {
            let more = [more, &["--out", text(out)], last].concat();
            let output = train(&root, &file, 2, &more);
            assert!(output.status.success(), "{output:?}");
        };
        let [once, twice] = ["once", "twice"].map(|name| root.join(format!("{name}_{i}")));
        let stepwise = ["--save-every", "1", "--set", "train.total_iter=4"];
        with(&once, &[&more[..], &stepwise].concat(), &[]);
        // Two steps of the same four: what is saved after them goes on.
        with(&twice, &[&more[..], &stepwise].concat(), &[]);
        let newest = states(&twice).swap_remove(0);
        fs::remove_file(newest).expect("removed");
        with(&twice, &[&more[..], &stepwise].concat(), &["--resume"]);
        let weights = [&once, &twice].map(|out| fs::read(weights_file(out)).expect("saved"));
        assert!(weights[0] == weights[1], "{kind:?}: the weights are others");
    }
}

#[test]
fn fine_tuning_holds_images_out_in_every_sitting_and_says_what_came_of_it() {
    let _alone = alone();
    let root = Folder::new("fine_tune");
    let photos = root.join("photos");
    common::write_scenes(&photos, 9, 5, 64);
    let out = root.join("run");
    let sitting = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_catanet"))
            .args([
                "train",
                "--batch",
                "1",
                "--patch",
                "28",
                "--out",
                text(&out),
            ])
            .args(more)
            .stdin(Stdio::null())
            .output()
            .expect("it runs");
        assert!(output.status.success(), "{output:?}");
        let [said, notes] = [output.stdout, output.stderr]
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(notes.contains("2 images are held out"), "{notes}");
        assert!(said.contains("3 photographs"), "{said}");
        // Beside what the shipped weights did, in the second sitting, too.
        for set in ["held-out images: ", "DeadLeaves: "] {
            let verdict = said.lines().find(|line| line.starts_with(set));
            assert!(
                verdict.is_some_and(|line| line.contains("dB before")),
                "{said}"
            );
        }
        said
    };
    let data = ["--data", text(&photos), "--fine-tune", "--iterations", "1"];
    let first = sitting(&data);
    assert!(
        first.contains("starting from the shipped weights for ×2"),
        "{first}"
    );
    // The folder's own options know of it.
    let second = sitting(&["--resume", "--iterations", "2"]);
    assert!(second.contains("resumed at iteration 1"), "{second}");
}
