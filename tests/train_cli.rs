//! The training commands: what a run is started and gone on with, and that a wrong command costs
//! nothing that was there before.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use catanet::CATANet;
use catanet::data::dead_leaves::scene;
use catanet::train::{states, weights_file};
use catanet::weights::{Notes, save};
use catanet_cli::train_cli::{Resume, TrainArgs, run_on};
use clap::Parser;
use common::{Folder, contents, device_alone, small_validation, text};
use nn::checkpoint::{Data, Precision, load, save_safetensors};
use nn::parameters;
use serde_json::Value;
use tensor::Device;

fn parse(arguments: &[&str]) -> Result<TrainArgs, clap::Error> {
    TrainArgs::try_parse_from([&["train"], arguments].concat())
}

/// Smallest steps; 28 is the least crop there is.
const TINY: [&str; 4] = ["--batch", "1", "--patch", "28"];

/// Trains ×`scale` in the folder `out`.
fn train(device: &Device, scale: usize, out: &Path, arguments: &[&str]) -> Result<()> {
    let small = small_validation();
    let small = small.each_ref().map(String::as_str);
    let arguments = [&["--out", text(out), "--quiet"], &small[..], arguments].concat();
    run_on(
        device,
        Some(scale),
        &parse(&arguments).expect("right arguments"),
    )
    .map(drop)
}

/// Trains ×2 in `root/run`, which has to fail in one line that has all of `words` in it; nothing
/// under `root` may change.
#[track_caller]
fn fails(device: &Device, root: &Folder, arguments: &[&str], words: &[&str]) {
    let kept = || {
        let mut files = contents(root);
        files.remove(Path::new("run/.lock")); // the number of a process
        files
    };
    let before = kept();
    let error = train(device, 2, &root.join("run"), arguments).expect_err("a wrong command");
    let line = error.to_string();
    assert!(!line.contains('\n'), "several lines: {line}");
    for word in words {
        assert!(line.contains(word), "no {word:?} in: {line}");
    }
    assert!(kept() == before, "files changed: {line}");
}

/// Files that stand for an earlier run's.
fn earlier_run(root: &Folder) {
    for name in ["models/net_g_latest.safetensors", "training_states/old"] {
        let path = root.join("run").join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, name).expect("written");
    }
}

fn newest(out: &Path) -> PathBuf {
    states(out).swap_remove(0)
}

/// What a run goes on from, and its weights.
fn saved(out: &Path) -> [Vec<u8>; 2] {
    [newest(out), weights_file(out)].map(|file| fs::read(file).expect("saved"))
}

fn state(out: &Path) -> BTreeMap<String, String> {
    load(newest(out)).expect("a saved run").metadata
}

/// The recipe that a run's state holds.
fn recipe(out: &Path) -> Value {
    serde_json::from_str(&state(out)["recipe"]).expect("JSON")
}

#[test]
fn the_parser_refuses_rates_that_no_training_has() {
    for rate in ["nan", "-1", "0", "inf", "1e999", "fast"] {
        let error = parse(&[&format!("--lr={rate}")]).expect_err(rate);
        assert!(error.to_string().contains("a number above 0"), "{error}");
    }
    assert_eq!(parse(&["--lr", "5e-4"]).expect("a rate").lr, Some(5e-4));
    for zero in ["--iterations", "--batch", "--patch"] {
        parse(&[zero, "0"]).expect_err(zero);
    }
    for (given, resume) in [
        (&["--resume"][..], Some(Resume::Always)),
        (&["--resume=auto"], Some(Resume::Auto)),
        (&[], None),
    ] {
        assert_eq!(parse(given).expect("right").resume, resume);
    }
}

#[test]
fn a_wrong_command_leaves_an_earlier_run_where_it_was() {
    let (_alone, device) = device_alone();
    let root = Folder::new("wrong");
    earlier_run(&root);
    let [gone, empty, photos] = ["gone", "empty", "photos"].map(|name| root.join(name));
    fs::create_dir_all(&empty).expect("made");
    fs::create_dir_all(&photos).expect("made");

    fails(device, &root, &["--patch", "27"], &["27×27", "--patch 28"]);
    let arguments = ["--data", text(&gone)];
    fails(device, &root, &arguments, &[text(&gone)]);
    let arguments = ["--data", text(&empty)];
    fails(device, &root, &arguments, &["no images", text(&empty)]);
    let arguments = ["--weights", text(&gone)];
    fails(device, &root, &arguments, &[text(&gone)]);

    let other = root.join("other.safetensors");
    save(
        &CATANet::new(device, 2, 1),
        &other,
        Precision::F16,
        Notes::new(),
    )
    .expect("written");
    let mut state = load(&other).expect("just written");
    state.arrays.remove("last_conv.bias");
    save_safetensors(&other, &state, Precision::F16).expect("written");
    let arguments = ["--weights", text(&other)];
    fails(device, &root, &arguments, &[text(&other), "last_conv.bias"]);

    let bad = photos.join("bad.png");
    let arguments = [&TINY[..], &["--data", text(&photos)]].concat();
    fs::write(&bad, "not an image").expect("written");
    fails(device, &root, &arguments, &[text(&bad)]);
    scene(1, 0, 40, 40).save_png(&bad).expect("written");
    fails(device, &root, &arguments, &[text(&bad), "40×40", "56×56"]);
    // Its head is right: only decoding tells. A run that ends so has not ended well.
    scene(1, 0, 64, 64).save_png(&bad).expect("written");
    let bytes = fs::read(&bad).expect("readable");
    fs::write(&bad, &bytes[..bytes.len() / 2]).expect("written");
    fails(device, &root, &arguments, &[text(&bad)]);
}

#[test]
fn a_step_beyond_the_adapters_limit_is_refused_with_the_batch_that_fits() {
    let (_alone, device) = device_alone();
    let root = Folder::new("limit");
    earlier_run(&root);
    // Attention packs 24 numbers of 4 bytes for each of a token's 4 heads.
    let fits = device.max_tensor_bytes() / (256 * 256 * 4 * 24 * 4);
    let advice = format!("--batch {fits} or less");
    let words = ["4096 crops of 256×256", &advice, "--patch", device.name()];
    let before = device.stats();
    fails(
        device,
        &root,
        &["--batch", "4096", "--patch", "256"],
        &words,
    );
    assert_eq!(device.stats(), before, "nothing was allocated or run");
    // ×2: 160 channels for each pixel of the crop.
    let large = (device.max_tensor_bytes() as f64 / 640.0).sqrt() as u64 + 1;
    if large <= 4096 {
        let arguments = ["--batch", "1", "--patch", &large.to_string()];
        fails(device, &root, &arguments, &["choose a smaller --patch"]);
    }
}

#[test]
fn an_earlier_run_is_kept_beside_the_new_one() {
    let (_alone, device) = device_alone();
    let root = Folder::new("kept");
    let out = root.join("run");
    let one = [&TINY[..], &["--iterations", "1"]].concat();
    earlier_run(&root);
    for kept in ["archived_1", "archived_2"] {
        let old = ["models", "training_states"].map(|part| contents(&out.join(part)));
        train(device, 2, &out, &one).expect("one step");
        for (part, old) in ["models", "training_states"].into_iter().zip(old) {
            let found = contents(&out.join(kept).join(part));
            assert!(found.values().eq(old.values()), "{kept}/{part} changed");
        }
        assert_eq!(state(&out)["step"], "1");
    }
}

#[test]
#[cfg(unix)]
fn a_run_whose_folder_cannot_be_is_not_begun() {
    let (_alone, device) = device_alone();
    let root = Folder::new("blocked");
    let file = root.join("run");
    fs::write(&file, "a file").expect("written");
    let words = [text(&file), "ot a directory"];
    fails(device, &root, &TINY, &words);
    let error = train(device, 2, &file.join("x2"), &TINY).expect_err("below a file");
    assert!(error.to_string().contains("ot a directory"), "{error}");
}

#[test]
fn a_run_goes_on_with_the_options_it_was_started_with() {
    let (_alone, device) = device_alone();
    let root = Folder::new("resume");
    let out = root.join("run");
    fails(
        device,
        &root,
        &["--resume"],
        &["no run to resume", text(&out)],
    );

    let first = ["--iterations", "1", "--seed", "5", "--lr", "2e-4"];
    train(device, 2, &out, &[&TINY[..], &first].concat()).expect("one step");
    let started = recipe(&out);
    let photos = root.join("photos");
    fs::create_dir_all(&photos).expect("made");
    let image = scene(1, 0, 64, 64);
    image.save_png(photos.join("a.png")).expect("written");
    for (given, words) in [
        (&["--seed", "6"][..], ["seed 5", "6"]),
        (&["--batch", "2"], ["batch 1", "2"]),
        (&["--patch", "32"], ["patch 28", "32"]),
        (&["--paper"], ["schedule cosine", "--paper"]),
        (&["--data", text(&photos)], ["generated scenes", "--data"]),
    ] {
        let arguments = [&["--resume", "--iterations", "2"], given].concat();
        fails(device, &root, &arguments, &words);
    }
    train(device, 2, &out, &["--resume", "--iterations", "2"]).expect("a second step");
    let mut changed = started.clone();
    changed["iterations"] = 2.into();
    changed["schedule"]["Cosine"]["iterations"] = 2.into();
    assert_eq!(recipe(&out), changed, "all else is as it was");
    assert_eq!(
        ["seed", "batch", "patch"].map(|key| &changed[key]),
        [5, 1, 28]
    );
    assert_eq!(changed["schedule"]["Cosine"]["lr"], 0.0002);
    assert_eq!(state(&out)["step"], "2");
    assert!(!out.join("archived_1").exists(), "it is its own run");

    let before = saved(&out);
    for enough in [&["--resume"][..], &["--resume", "--iterations", "1"]] {
        train(device, 2, &out, enough).expect("nothing to do");
        assert!(saved(&out) == before, "a run at its end was trained");
    }
    let error = train(device, 2, &out, &["--resume", "--weights", "x2.pth"]).expect_err("both");
    assert!(error.to_string().contains("weights of its own"), "{error}");
}

#[test]
fn a_run_saved_before_recipes_were_goes_on_to_the_bit() {
    let (_alone, device) = device_alone();
    let root = Folder::new("before_recipes");
    let [now, before] = ["now", "before"].map(|name| root.join(name));
    let first = ["--iterations", "1", "--seed", "5", "--lr", "2e-4"];
    for out in [&now, &before] {
        train(device, 2, out, &[&TINY[..], &first].concat()).expect("one step");
    }
    // Every option had a key of its own.
    let mut old = load(newest(&before)).expect("a saved run");
    old.metadata.remove("recipe").expect("as it is kept now");
    let options = [
        ("scale", "2"),
        ("iterations", "1"),
        ("batch", "1"),
        ("patch", "28"),
        ("schedule", "cosine"),
        ("lr", "0.0002"),
        ("seed", "5"),
        ("data", "generated scenes"),
    ];
    let options = options.map(|(key, value)| (key.to_owned(), value.to_owned()));
    old.metadata.extend(options);
    for state in states(&before) {
        fs::remove_file(state).expect("removed");
    }
    fs::remove_file(before.join("options.yml")).expect("removed");
    let file = before.join("training_states/latest.safetensors");
    save_safetensors(&file, &old, Precision::F32).expect("written");

    for out in [&now, &before] {
        train(device, 2, out, &["--resume", "--iterations", "2"]).expect("a second step");
    }
    assert!(
        fs::read(weights_file(&now)).expect("saved")
            == fs::read(weights_file(&before)).expect("saved")
    );
}

#[test]
fn a_run_on_photographs_goes_on_with_photographs_only() {
    let (_alone, device) = device_alone();
    let root = Folder::new("photographs");
    let [out, photos, moved] = ["run", "photos", "moved"].map(|name| root.join(name));
    fs::create_dir_all(&photos).expect("made");
    scene(1, 0, 64, 64)
        .save_png(photos.join("a.png"))
        .expect("written");
    let arguments = ["--iterations", "1", "--data", text(&photos)];
    train(device, 2, &out, &[&TINY[..], &arguments].concat()).expect("one step");
    let arguments = ["--resume", "--iterations", "2"];
    fs::rename(&photos, &moved).expect("moved");
    fails(device, &root, &arguments, &[text(&photos), "folder"]);
    let arguments = [&arguments[..], &["--data", text(&moved)]].concat();
    train(device, 2, &out, &arguments).expect("a second step");
    assert_eq!(state(&out)["step"], "2");
}

#[test]
fn weights_that_are_no_longer_numbers_are_never_saved() {
    let (_alone, device) = device_alone();
    let root = Folder::new("diverged");
    let out = root.join("run");
    let one = [&TINY[..], &["--iterations", "1"]].concat();
    // The only loss is that before the update, and finite: the weights are not.
    let wild = [&one[..], &["--lr", "1e60"]].concat();
    let error = train(device, 2, &out, &wild)
        .expect_err("astray")
        .to_string();
    for word in [
        "astray",
        "after 1 iterations",
        "iteration 0 is saved",
        "--resume",
        "--lr",
    ] {
        assert!(error.contains(word), "no {word:?} in {error}");
    }
    train(device, 2, &out, &one).expect("one step");
    let before = saved(&out);
    let wild = ["--resume", "--iterations", "2", "--lr", "1e60"];
    let error = train(device, 2, &out, &wild)
        .expect_err("astray")
        .to_string();
    for word in ["astray", "iteration 1 is saved"] {
        assert!(error.contains(word), "no {word:?} in {error}");
    }
    assert!(saved(&out) == before, "the good state is another one");
}

#[test]
fn x3_starts_from_all_of_x2_but_the_upsampler_and_x2_from_that_too() {
    let (_alone, device) = device_alone();
    let root = Folder::new("start");
    let file = root.join("x2.safetensors");
    let net = CATANet::new(device, 2, 99);
    // Fresh biases could be 0 in any network.
    for (_, parameter) in parameters(&net) {
        let shape = parameter.shape().to_vec();
        let marked = tensor::Tensor::full(device, 0.01, &shape);
        parameter.value().copy_from(&marked);
    }
    save(&net, &file, Precision::F32, Notes::new()).expect("written");
    for scale in [2, 3] {
        let out = root.join(format!("x{scale}"));
        let arguments = [
            "--iterations",
            "1",
            "--lr",
            "1e-9",
            "--weights",
            text(&file),
        ];
        train(device, scale, &out, &[&TINY[..], &arguments].concat()).expect("one step");
        let trained = load(weights_file(&out)).expect("saved").arrays;
        for (name, array) in trained {
            let Data::F32(values) = array.data else {
                continue;
            };
            if name.ends_with("means") {
                continue; // pooled from the batch
            }
            let same = values.iter().all(|v| (v - 0.01).abs() < 1e-6);
            let fresh = scale == 3 && name.starts_with("upconv");
            assert_eq!(same, !fresh, "×{scale}: {name}");
        }
    }
}
