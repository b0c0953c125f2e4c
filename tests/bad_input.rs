//! Whatever is wrong with files, options or the device: one clear error that names it, and nothing
//! half-written.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use catanet::CATANet;
use catanet::data::dead_leaves::scene;
use catanet::evaluate::enlarge;
use catanet::image::Image;
use catanet::weights::{Notes, load, load_body, save};
use catanet_cli::{eval_cli, upscale_cli};
use clap::Parser;
use common::{Folder, contents, device, text};
use nn::checkpoint::{Data, Precision, StateDict, save_pth, save_safetensors};
use nn::state_dict;
use tensor::Device;

/// A folder of this test's own, empty. Also leaves the source tree, whose ./experiments and
/// ./datasets may hold anything.
fn folder(name: &str) -> Folder {
    let elsewhere = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bad_input");
    fs::create_dir_all(&elsewhere).expect("made");
    std::env::set_current_dir(elsewhere).expect("a folder");
    Folder::new(name)
}

/// ×2 weights in both formats.
fn good_weights(root: &Path) -> [PathBuf; 2] {
    ["x2.pth", "x2.safetensors"].map(|name| {
        let path = root.join(name);
        save(
            &CATANet::new(device(), 2, 7),
            &path,
            Precision::F32,
            Notes::new(),
        )
        .expect("written");
        path
    })
}

/// Asserts one line that has all of `words` in it.
#[track_caller]
fn assert_says(error: impl std::fmt::Display, words: &[&str]) {
    let line = error.to_string();
    assert!(!line.contains('\n'), "several lines: {line}");
    for word in words {
        assert!(line.contains(word), "no {word:?} in: {line}");
    }
}

/// Runs `eval` with these arguments, which has to fail; in `root` nothing may change.
#[track_caller]
fn eval_fails(root: &Path, arguments: &[&str], words: &[&str]) {
    let before = contents(root);
    let cli = eval_cli::Cli::parse_from([&["eval"], arguments].concat());
    assert_says(
        eval_cli::run_on(device(), &cli).expect_err("bad input"),
        words,
    );
    assert!(
        contents(root) == before,
        "files were left in {}",
        root.display()
    );
}

/// Likewise for `upscale`.
#[track_caller]
fn upscale_fails(root: &Path, arguments: &[&str], words: &[&str]) {
    let before = contents(root);
    let cli = upscale_cli::Cli::parse_from([&["upscale"], arguments].concat());
    assert_says(
        upscale_cli::run_on(device(), &cli).expect_err("bad input"),
        words,
    );
    assert!(
        contents(root) == before,
        "files were left in {}",
        root.display()
    );
}

/// A PNG whose header claims 200000×200000 pixels.
const ABSURD: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\
    \0\x03\r@\0\x03\r@\x08\x02\0\0\0vY\x1f]\0\0\0\0IDAT5\xaf\x06\x1e";

#[track_caller]
fn load_fails(path: &Path, words: &[&str]) {
    let error = load(device(), path, None)
        .map(drop)
        .expect_err("bad weights");
    assert_says(error, &[&[text(path)], words].concat());
}

#[test]
fn truncated_weights_are_refused_wherever_they_end() {
    let root = folder("truncated");
    for path in good_weights(&root) {
        let bytes = fs::read(&path).expect("readable");
        let cut = path.with_file_name(format!(
            "cut_{}",
            path.file_name().expect("a name").display()
        ));
        for length in [0, 1, 7, 8, 9, 100, bytes.len() / 2, bytes.len() - 1] {
            fs::write(&cut, &bytes[..length]).expect("written");
            load_fails(&cut, &[]);
        }
    }
}

#[test]
fn safetensors_whose_header_lies_are_refused_without_allocating_what_it_claims() {
    let root = folder("lying");
    let path = root.join("lying.safetensors");
    let file = |length: u64, header: &str| {
        fs::write(&path, [&length.to_le_bytes(), header.as_bytes()].concat()).expect("written");
    };
    let header = r#"{"first_conv.weight":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}"#;
    file(header.len() as u64, header);
    load_fails(&path, &["damaged"]);
    file(u64::MAX, header);
    load_fails(&path, &["damaged"]);
}

#[test]
fn pth_files_whose_storages_are_gone_are_refused() {
    let root = folder("lying_pth");
    let [pth, _] = good_weights(&root);
    let mut bytes = fs::read(&pth).expect("readable");
    // The archive's directory at the end still lists every storage; their bytes are overwritten.
    let middle = bytes.len() / 4..bytes.len() / 2;
    bytes[middle].fill(0xff);
    fs::write(&pth, bytes).expect("written");
    load_fails(&pth, &[]);
}

#[test]
fn weights_of_another_network_are_refused_by_the_name_of_the_array() {
    let root = folder("misfit");
    let net = CATANet::new(device(), 2, 7);
    let good = state_dict(&net).expect("read");
    let changed = |change: fn(&mut StateDict)| {
        let mut state = good.clone();
        change(&mut state);
        let paths = ["misfit.pth", "misfit.safetensors"].map(|name| root.join(name));
        save_pth(&paths[0], &state).expect("written");
        save_safetensors(&paths[1], &state, Precision::F32).expect("written");
        paths
    };
    for path in changed(|state| drop(state.arrays.remove("blocks.3.0.means"))) {
        load_fails(&path, &["`blocks.3.0.means` is missing"]);
        let before = state_dict(&net).expect("read");
        let error = load_body(&net, &path).expect_err("a missing array");
        assert_says(error, &[text(&path), "`blocks.3.0.means` is missing"]);
        assert!(
            state_dict(&net).expect("read") == before,
            "half of it was loaded"
        );
    }
    for path in changed(|state| {
        let array = state.arrays.get_mut("last_conv.bias").expect("there");
        *array = nn::checkpoint::Array {
            shape: vec![4],
            data: Data::F32(vec![0.0; 4]),
        };
    }) {
        load_fails(&path, &["`last_conv.bias`", "[4]", "[3]"]);
    }
    for path in changed(|state| {
        let array = state.arrays.get_mut("upconv.weight").expect("there");
        array.shape[0] = 40;
        array.data = Data::F32(vec![0.0; 40 * 40 * 9]);
        state.arrays.remove("upconv.bias");
    }) {
        load_fails(&path, &["`upconv.weight`", "[40, 40, 3, 3]"]);
    }
    // What stands beside the network's own arrays does no harm.
    for path in changed(|state| {
        let array = state.arrays["last_conv.bias"].clone();
        state.arrays.insert("discriminator.bias".to_owned(), array);
    }) {
        let (read, _) = load(device(), &path, None).expect("all arrays are there");
        assert!(state_dict(&read).expect("read") == good);
    }
}

#[test]
fn a_scale_that_the_weights_are_not_for_is_refused() {
    let root = folder("scale");
    for path in good_weights(&root) {
        let words = [text(&path), "×2", "×3", "--scale 2"];
        eval_fails(&root, &["--weights", text(&path), "--scale", "3"], &words);
    }
}

#[test]
fn files_and_folders_that_are_not_there_are_named() {
    let root = folder("missing");
    let [weights, _] = good_weights(&root);
    let gone = root.join("gone");
    eval_fails(&root, &["--weights", text(&gone)], &[text(&gone)]);
    eval_fails(&root, &["--data", text(&gone)], &[text(&gone)]);
    eval_fails(&root, &["--data", text(&root)], &[text(&root), "HR"]);
    eval_fails(&root, &["--set", "Set6"], &["Set6", "DeadLeaves"]);
    upscale_fails(
        &root,
        &[text(&gone), "--weights", text(&weights)],
        &[text(&gone)],
    );
    let image = root.join("a.png");
    scene(1, 0, 40, 40).save_png(&image).expect("written");
    for output in [gone.join("a.png"), root.join("a.png/b.png")] {
        let arguments = [
            text(&image),
            "--weights",
            text(&weights),
            "-o",
            text(&output),
        ];
        upscale_fails(&root, &arguments, &["cannot write", text(&output)]);
        let arguments = ["--weights", text(&weights), "--json", text(&output)];
        eval_fails(&root, &arguments, &["cannot write", text(&output)]);
    }
    let arguments = ["--weights", text(&weights), "--json", text(&root)];
    eval_fails(&root, &arguments, &["cannot write", text(&root)]);
    // ×1 has no upsampler to ship.
    eval_fails(&root, &["--scale", "1"], &["×1", "--weights"]);
}

#[test]
fn broken_images_are_named_and_none_is_written() {
    let root = folder("images");
    let [weights, _] = good_weights(&root);
    let [good, empty, cut, text_file, absurd] =
        ["good.png", "empty.png", "cut.png", "text.png", "absurd.png"].map(|name| root.join(name));
    scene(1, 0, 40, 40).save_png(&good).expect("written");
    fs::write(&empty, []).expect("written");
    fs::write(&text_file, "not an image").expect("written");
    fs::write(&absurd, ABSURD).expect("written");
    let bytes = fs::read(&good).expect("readable");
    fs::write(&cut, &bytes[..bytes.len() / 2]).expect("written");
    for bad in [&empty, &text_file, &absurd, &cut] {
        upscale_fails(
            &root,
            &[text(bad), "--weights", text(&weights)],
            &[text(bad)],
        );
    }

    let hr = root.join("sets/Broken/HR");
    fs::create_dir_all(&hr).expect("made");
    let sets = root.join("sets");
    let arguments = ["--data", text(&sets), "--weights", text(&weights)];
    eval_fails(&root, &arguments, &["no images", text(&hr)]);
    for bad in [&empty, &text_file, &cut, &absurd] {
        let path = hr.join("bad.png");
        fs::copy(bad, &path).expect("copied");
        let json = root.join("results.json");
        let arguments = [&arguments[..], &["--json", text(&json)]].concat();
        eval_fails(&root, &arguments, &[text(&path)]);
    }
}

#[test]
fn weights_that_give_nan_make_neither_images_nor_figures() {
    let root = folder("nan");
    let mut state = state_dict(&CATANet::new(device(), 2, 7)).expect("read");
    let bias = state.arrays.get_mut("last_conv.bias").expect("there");
    bias.data = Data::F32(vec![0.0, f32::NAN, 0.0]);
    let [weights, image] = ["nan.safetensors", "sets/One/HR/a.png"].map(|name| root.join(name));
    save_safetensors(&weights, &state, Precision::F32).expect("written");
    let [sets, json] = ["sets", "results.json"].map(|name| root.join(name));
    fs::create_dir_all(sets.join("One/HR")).expect("made");
    scene(1, 0, 40, 40).save_png(&image).expect("written");
    let weights = ["--weights", text(&weights)];
    let arguments = [&[text(&image)], &weights[..]].concat();
    upscale_fails(&root, &arguments, &[text(&image), "NaN", "--weights"]);
    let arguments = [
        &weights[..],
        &["--data", text(&sets), "--json", text(&json)],
    ]
    .concat();
    eval_fails(&root, &arguments, &["One/a", "NaN", "--weights"]);
}

#[test]
fn an_input_is_never_written_over() {
    let root = folder("over");
    let [weights, _] = good_weights(&root);
    let image = root.join("a.png");
    scene(1, 0, 40, 40).save_png(&image).expect("written");
    scene(1, 0, 40, 40)
        .save_png(root.join("a_x2.png"))
        .expect("written");
    let both = [text(&image), text(&root.join("a_x2.png"))].map(str::to_owned);
    let weights = ["--weights", text(&weights)];
    let dotted = root.join("./a.png");
    upscale_fails(
        &root,
        &[&[text(&image), "-o", text(&dotted)], &weights[..]].concat(),
        &["a.png", "over an input"],
    );
    upscale_fails(
        &root,
        &[&[&both[0][..], &both[1], "-o", "x.png"], &weights[..]].concat(),
        &["--save"],
    );
}

#[test]
fn an_unknown_adapter_is_answered_with_those_there_are() {
    let cli = eval_cli::Cli::parse_from(["eval", "--adapter", "no such adapter"]);
    let error = eval_cli::run(&cli).expect_err("there is none");
    assert_says(error, &["no such adapter", device().name()]);
}

#[test]
fn an_image_beyond_the_adapters_limit_is_refused_at_once_or_cut_into_tiles() {
    let root = folder("limit");
    // A device of its own, since the tests beside this one move the shared one's counters.
    let device = Device::open(None).expect("tests need an adapter");
    let net = CATANet::new(&device, 4, 7);
    // An output row of ×4 follows from five rows, with 2560 bytes a pixel in the widest tensor.
    let width = (device.max_tensor_bytes() / (5 * 2560)) as usize + 1;
    let image = Image::new(width, 1, vec![128; width * 3]);
    let before = device.stats();
    let error = enlarge(&net, &image, true).expect_err("too large");
    assert_says(error, &["smaller image", device.name(), "binds at most"]);
    assert_eq!(device.stats(), before, "nothing was allocated or run");

    let [path, weights] = ["large.png", "x4.safetensors"].map(|name| root.join(name));
    image.save_png(&path).expect("written");
    save(&net, &weights, Precision::F16, Notes::new()).expect("written");
    // The command line cuts it into tiles.
    let cli = ["upscale", text(&path), "--weights", text(&weights)];
    upscale_cli::run_on(&device, &upscale_cli::Cli::parse_from(cli)).expect("enlarged");
    let enlarged = Image::load(root.join("large_x4.png")).expect("an image");
    assert_eq!((enlarged.width, enlarged.height), (4 * width, 4));
}
