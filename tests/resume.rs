//! A run goes on only as what it was, and its folder holds what starts it again.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use catanet::data::dead_leaves::scene;
use catanet::train::weights_file;
use common::{Folder, small_validation, text};

/// `catanet train` at the smallest size on two processor cores.
fn train(out: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_catanet"));
    command.args(["train", "--out", text(out), "--set", "logger.print_freq=1"]);
    command.args(small_validation()).args(more);
    command.output().expect("it runs")
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

#[track_caller]
fn is_done(output: &Output) -> String {
    let said = said(output);
    assert!(output.status.success(), "{said}");
    said
}

#[track_caller]
fn is_refused(output: &Output, words: &[&str]) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for word in words {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
}

/// Images of 90×90 under these names.
fn images(folder: &Path, names: &[&str]) {
    fs::create_dir_all(folder).expect("made");
    for (i, name) in names.iter().enumerate() {
        let image = scene(4, i as u64, 90, 90);
        image.save_png(folder.join(name)).expect("written");
    }
}

fn iterations(out: &Path) -> String {
    let weights = nn::checkpoint::load(weights_file(out)).expect("weights");
    weights.metadata["iterations"].clone()
}

const SMALL: [&str; 6] = ["--batch", "1", "--patch", "28", "--val-freq", "100000"];

/// As [`SMALL`], without `--val-freq`: options that go on have it.
fn on<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["--resume"], more].concat()
}

#[test]
fn a_run_goes_on_with_the_same_images_and_schedule_alone_and_ends_with_its_newest_weights() {
    let root = Folder::new("resume");
    let (out, photos) = (root.join("run"), root.join("photos"));
    images(&photos, &["a.png", "b.png"]);
    let data = ["--data", text(&photos)];
    let first = [&SMALL[..], &data, &["--iterations", "2", "--paper"]].concat();
    is_done(&train(&out, &first));
    assert_eq!(iterations(&out), "2");

    // Weights that are older than the state, as a run leaves them that is killed between the two.
    let newest = fs::read(weights_file(&out)).expect("weights");
    is_done(&train(&out, &on(&["--iterations", "3"])));
    fs::write(weights_file(&out), newest).expect("written");
    is_done(&train(&out, &on(&["--iterations", "3"])));
    assert_eq!(iterations(&out), "3");

    let four = ["--iterations", "4"];
    for (change, word) in [
        ("train.scheduler.gamma=0.1", "gamma 0.1"),
        ("train.scheduler.milestones=[1]", "milestones [1]"),
        ("train.warmup_iter=2", "2 steps of warm-up"),
        ("datasets.train.use_rot=false", "symmetries"),
    ] {
        is_refused(
            &train(&out, &on(&["--set", change])),
            &["the saved run has", word],
        );
    }
    images(&photos, &["c.png"]);
    let other = train(&out, &on(&four));
    is_refused(
        &other,
        &["2 images", "here are 3 images", "name the same images"],
    );
    fs::remove_file(photos.join("c.png")).expect("removed");
    // The folder may have moved.
    let moved = root.join("moved");
    fs::rename(&photos, &moved).expect("renamed");
    is_done(&train(
        &out,
        &on(&[&four[..], &["--data", text(&moved)]].concat()),
    ));
    assert_eq!(iterations(&out), "4");
}

#[test]
fn what_a_command_line_makes_of_options_is_looked_at_as_an_option_file_is() {
    let root = Folder::new("looked_at");
    let out = root.join("run");
    let periods = [
        "--set",
        "train.scheduler.type=CosineAnnealingRestartLR",
        "--set",
        "train.scheduler.periods=[2, 2]",
        "--set",
        "train.scheduler.restart_weights=[1, 1]",
        "--set",
        "train.total_iter=4",
    ];
    let longer = [&SMALL[..], &periods, &["--iterations", "8"]].concat();
    is_refused(
        &train(&out, &longer),
        &["periods end after 4 steps", "total_iter is 8"],
    );
    let negative = [&SMALL[..], &["--ema=-0.5"]].concat();
    is_refused(&train(&out, &negative), &["ema_decay is -0.5"]);
    assert!(!out.exists());
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::ffi::OsStrExt;
        let odd = root.join(std::ffi::OsStr::from_bytes(b"f\xe4"));
        images(&odd, &["a.png"]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_catanet"));
        command
            .args(["train", "--out", text(&out), "--data"])
            .arg(&odd);
        is_refused(
            &command.output().expect("it runs"),
            &["no UTF-8", "rename it"],
        );
    }
}

#[test]
fn the_options_in_a_folder_start_the_same_run_again() {
    let root = Folder::new("again");
    let (out, photos) = (root.join("run"), root.join("photos"));
    images(&photos, &["a.png", "b.png", "c.png", "d.png", "e.png"]);
    let tune = [
        "--fine-tune",
        "--data",
        text(&photos),
        "--iterations",
        "1",
        "--scale",
        "3",
    ];
    let first = train(&out, &[&SMALL[..4], &tune].concat());
    assert!(is_done(&first).contains("starting from the shipped weights for ×3"));
    let weights = fs::read(weights_file(&out)).expect("weights");
    let options = out.join("options.yml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_catanet"));
    let again = command.args(["train", "--opt", text(&options)]).output();
    let again = is_done(&again.expect("it runs"));
    assert!(
        again.contains("starting from the shipped weights for ×3"),
        "{again}"
    );
    assert!(
        again.contains("archived_1"),
        "not in the same folder: {again}"
    );
    assert!(
        weights == fs::read(weights_file(&out)).expect("weights"),
        "other bits"
    );

    // Weights of another scale, in an option file, lack a part: that has to be meant.
    let x2 = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/weights/catanet_x2.safetensors"
    );
    let from_x2 = format!("path.pretrain_network_g={x2}");
    let body = |strict| {
        let more = ["--opt", text(&options), "--set", &from_x2, "--set", strict];
        train(&root.join("body"), &more)
    };
    is_refused(
        &body("path.strict_load_g=true"),
        &["path.strict_load_g: false"],
    );
    let taken = is_done(&body("path.strict_load_g=false"));
    assert!(taken.contains("all but the upsampler"), "{taken}");
}

#[test]
fn folders_and_states_of_others_are_left_alone() {
    let out = Folder::new("others");
    fs::create_dir_all(out.join("models")).expect("made");
    fs::write(out.join("models/notes.txt"), "mine").expect("written");
    is_done(&train(&out, &[&SMALL[..], &["--iterations", "1"]].concat()));
    assert!(out.join("models/notes.txt").is_file());
    assert!(!out.join("archived_1").exists());
    // A state that cannot be read is told, passed over and kept.
    let foreign = out.join("training_states/900.state");
    fs::write(&foreign, "a state of something else").expect("written");
    let told = is_done(&train(&out, &on(&["--iterations", "2"])));
    assert!(told.contains("900.state"), "{told}");
    assert!(foreign.is_file());
    assert_eq!(iterations(&out), "2");
}
