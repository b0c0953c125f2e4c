//! Evaluating and enlarging, from files to files.

mod common;

use std::fs;
use std::path::Path;

use catanet::CATANet;
use catanet::data::benchmark::dead_leaves_set;
use catanet::data::dead_leaves::scene;
use catanet::evaluate::{EvaluateOptions, Event, enlarge, evaluate};
use catanet::image::{Image, Symmetry};
use catanet::weights::{Notes, load, load_body, save};
use catanet_cli::{eval_cli, upscale_cli};
use clap::Parser;
use common::{Folder, device, text};
use nn::checkpoint::Precision;
use serde_json::Value;

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let name = |e: fs::DirEntry| e.file_name().to_string_lossy().into_owned();
    let mut names: Vec<_> = entries.map(|e| name(e.expect("an entry"))).collect();
    names.sort();
    names
}

#[test]
fn eval_scores_a_folder_of_sets_and_writes_json_and_images() {
    let root = Folder::new("eval");
    let sets = root.join("sets");
    let hr = sets.join("Tiny/HR");
    fs::create_dir_all(&hr).expect("made");
    scene(1, 0, 61, 50)
        .save_png(hr.join("b.png"))
        .expect("written");
    scene(1, 1, 40, 64)
        .save_png(hr.join("a.png"))
        .expect("written");
    scene(1, 2, 5, 3)
        .save_png(hr.join("mote.png"))
        .expect("written"); // too small for SSIM
    let weights = root.join("x2.safetensors");
    let net = CATANet::new(device(), 2, 7);
    save(&net, &weights, Precision::F32, Notes::new()).expect("written");

    let [json, images] = ["results.json", "images"].map(|name| root.join(name));
    let arguments = [
        "eval",
        "--data",
        text(&sets),
        "--weights",
        text(&weights),
        "--save",
        text(&images),
        "--json",
        text(&json),
        "--set",
        "tiny",
    ];
    eval_cli::run_on(device(), &eval_cli::Cli::parse_from(arguments)).expect("evaluated");

    assert_eq!(
        names_in(&images.join("Tiny")),
        ["a_x2.png", "b_x2.png", "mote_x2.png"]
    );
    let saved = Image::load(images.join("Tiny/b_x2.png")).expect("an image");
    assert_eq!((saved.width, saved.height), (60, 50));

    let json: Value = serde_json::from_slice(&fs::read(json).expect("written")).expect("JSON");
    let keys = |value: &Value| {
        value
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    let figures = ["psnr", "psnr_8bit", "ssim", "ssim_8bit"];
    assert_eq!(
        keys(&json),
        [
            "adapter",
            "multi_adds",
            "multi_adds_with_attention",
            "parameters",
            "sets"
        ]
    );
    assert_eq!(json["parameters"], 477_435);
    assert_eq!(json["adapter"], device().name());
    let set = &json["sets"][0];
    assert_eq!(
        keys(set),
        [
            "bicubic", "failed", "images", "mean", "name", "notes", "scale", "seconds"
        ]
    );
    assert_eq!((&set["name"], &set["scale"]), (&"Tiny".into(), &2.into()));
    assert!(set["seconds"].as_f64().expect("a number") > 0.0);
    assert_eq!(keys(&set["mean"]), figures);
    assert_eq!(keys(&set["bicubic"]), figures);
    assert_eq!(
        keys(&set["images"][0]),
        ["name", "psnr", "psnr_8bit", "ssim", "ssim_8bit"]
    );
    assert_eq!(
        set["images"][2]["psnr"],
        Value::Null,
        "no figure for what cannot be scored"
    );
    for figure in figures {
        let of = |value: &Value| value[figure].as_f64().expect("a number");
        let mean = (of(&set["images"][0]) + of(&set["images"][1])) / 2.0;
        assert!((of(&set["mean"]) - mean).abs() < 1e-12, "{figure}");
        assert!(of(&set["bicubic"]) > 0.0);
    }
}

#[test]
fn the_generated_set_is_scored_without_files() {
    let net = CATANet::new(device(), 3, 7);
    let mut seen = Vec::new();
    let options = EvaluateOptions::default();
    let set = dead_leaves_set(2, 100, 5);
    let score = evaluate(&net, &set, &options, |event| {
        if let Event::Scored(image, ..) = event {
            seen.push(image.name.clone());
        }
    })
    .expect("evaluated");
    assert_eq!((score.name.as_str(), score.scale), ("DeadLeaves", 3));
    assert_eq!(seen, ["leaves_001", "leaves_002"]);
    let (ours, bicubic) = (
        score.network().expect("scored"),
        score.bicubic().expect("scored"),
    );
    assert!(
        bicubic.psnr > ours.psnr,
        "an untrained network is no match for bicubic"
    );
}

#[test]
fn the_self_ensemble_is_the_mean_over_eight_symmetries() {
    let net = CATANet::new(device(), 2, 3);
    let image = scene(1, 0, 31, 17);
    let mut mean = vec![0.0f64; 62 * 34 * 3];
    for symmetry in Symmetry::ALL {
        let turned = image.transformed(symmetry);
        let output = enlarge(&net, &turned, false).expect("enlarged");
        // Where each pixel of the upright image went, found by turning their numbers.
        let numbers: Vec<usize> = (0..62 * 34).collect();
        for (at, number) in symmetry.apply(&numbers, 34, 62, 1).into_iter().enumerate() {
            for c in 0..3 {
                mean[number * 3 + c] += f64::from(output[at * 3 + c]) / 8.0;
            }
        }
    }
    let ensemble = enlarge(&net, &image, true).expect("enlarged");
    let worst = ensemble
        .iter()
        .zip(&mean)
        .map(|(a, b)| (f64::from(*a) - b).abs());
    assert!(
        worst
            .max_by(f64::total_cmp)
            .is_some_and(|worst| worst < 1e-6)
    );
    assert_ne!(ensemble, enlarge(&net, &image, false).expect("enlarged"));
}

#[test]
fn images_of_any_size_from_one_pixel_are_enlarged() {
    let net = CATANet::new(device(), 3, 3);
    for (width, height) in [(1, 1), (1, 40), (2, 3)] {
        let output = enlarge(&net, &scene(1, 0, width, height), true).expect("enlarged");
        assert_eq!(output.len(), width * 3 * height * 3 * 3);
        assert!(output.iter().all(|v| v.is_finite()), "{width}×{height}");
    }
}

#[test]
fn weights_come_back_from_files_the_same_to_the_bit_and_from_f16_nearly() {
    let root = Folder::new("weights");
    let net = CATANet::new(device(), 4, 11);
    let image = scene(1, 0, 30, 29);
    let output = |net: &CATANet| enlarge(net, &image, false).expect("enlarged");
    let before = output(&net);
    let notes = Notes::from([("iterations".to_owned(), "400".to_owned())]);
    let back = |name: &str, precision| {
        let path = root.join(name);
        save(&net, &path, precision, notes.clone()).expect("written");
        let (net, notes) = load(device(), &path, None).expect("read");
        assert_eq!(net.scale(), 4, "the file tells the scale");
        (output(&net), notes)
    };
    let (same, found) = back("x4.safetensors", Precision::F32);
    assert_eq!(before, same);
    assert_eq!(found, notes);
    assert_eq!(before, back("x4.pth", Precision::F32).0);
    let (near, _) = back("half.safetensors", Precision::F16);
    let worst = before
        .iter()
        .zip(&near)
        .map(|(a, b)| (a - b).abs())
        .max_by(f32::total_cmp)
        .unwrap_or(0.0);
    assert!(0.0 < worst && worst < 5e-3, "{worst}");
}

#[test]
fn a_larger_scale_takes_all_but_the_upsampler_from_x2() {
    let root = Folder::new("body");
    let path = root.join("x2.safetensors");
    let x2 = CATANet::new(device(), 2, 1);
    save(&x2, &path, Precision::F32, Notes::new()).expect("written");
    let x4 = CATANet::new(device(), 4, 2);
    let before = nn::state_dict(&x4).expect("read").arrays;
    load_body(&x4, &path).expect("loaded");
    let (after, source) = (
        nn::state_dict(&x4).expect("read").arrays,
        nn::state_dict(&x2).expect("read").arrays,
    );
    for (name, array) in &after {
        let expected = if name.starts_with("upconv") {
            &before
        } else {
            &source
        };
        assert_eq!(array, &expected[name], "{name}");
    }
}

#[test]
fn upscale_writes_a_png_beside_its_input_or_where_it_is_told() {
    let root = Folder::new("upscale");
    let [input, weights] = ["photo.png", "x2.pth"].map(|name| root.join(name));
    scene(1, 0, 33, 28).save_png(&input).expect("written");
    save(
        &CATANet::new(device(), 2, 7),
        &weights,
        Precision::F32,
        Notes::new(),
    )
    .expect("written");
    let run = |more: &[&str]| {
        let common = ["upscale", text(&input), "--weights", text(&weights)];
        upscale_cli::run_on(
            device(),
            &upscale_cli::Cli::parse_from([&common, more].concat()),
        )
    };
    run(&[]).expect("enlarged");
    run(&["--save", text(&root.join("deep/down"))]).expect("enlarged");
    run(&["-o", text(&root.join("mine.png"))]).expect("enlarged");
    assert_eq!(
        names_in(&root),
        ["deep", "mine.png", "photo.png", "photo_x2.png", "x2.pth"]
    );
    let output = Image::load(root.join("deep/down/photo_x2.png")).expect("an image");
    assert_eq!((output.width, output.height), (66, 56));
    assert_eq!(
        Ok(&output),
        Image::load(root.join("mine.png")).as_ref().map_err(drop)
    );
}
