//! Option files on the command line: `eval --opt` and what it leaves behind.
//!
//! With `CATANET_PUBLISHED` (see published.rs) the six files of the published network are read, too, and one
//! is followed.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use catanet::CATANet;
use catanet::data::dead_leaves::scene;
use catanet::image::Image;
use catanet::imresize::downscale;
use catanet::options::{Images, NumGpu, Options, Scheduler};
use catanet::weights::{Notes, save};
use common::{Folder, contents, device, text};
use nn::checkpoint::Precision;
use serde_json::Value;

/// Two sets in BasicSR's layout, one of them with files of its own names, weights, and an option file.
fn stand_ins(root: &Path, scale: usize) -> PathBuf {
    for (set, template, sizes) in [
        ("Set5", "{}x", [(40, 36), (61, 50)]),
        ("Manga109", "{}_LRBI_x", [(44, 40), (33, 64)]),
    ] {
        let [hr, lr] = ["HR".into(), format!("LR_bicubic/X{scale}")]
            .map(|folder: String| root.join("datasets").join(set).join(folder));
        fs::create_dir_all(&hr).expect("made");
        fs::create_dir_all(&lr).expect("made");
        for (i, (width, height)) in sizes.into_iter().enumerate() {
            let image = scene(3, i as u64, width, height);
            image
                .save_png(hr.join(format!("p{i}.png")))
                .expect("written");
            let name = template.replace("{}", &format!("p{i}"));
            // Not what would be made on the way: that the file is taken shows in the figures.
            let mut low = downscale(&image.modcrop(scale), scale);
            low.data.iter_mut().for_each(|v| *v = v.saturating_add(9));
            low.save_png(lr.join(format!("{name}{scale}.png")))
                .expect("written");
        }
    }
    fs::create_dir_all(root.join("start")).expect("made");
    let net = CATANet::new(device(), scale, 7);
    let weights = root.join("start/w.safetensors");
    save(&net, &weights, Precision::F32, Notes::new()).expect("written");
    let file = root.join("test.yml");
    fs::write(&file, test_file(scale)).expect("written");
    file
}

fn test_file(scale: usize) -> String {
    let set = |number: usize, name: &str, template: &str| {
        format!(
            "  test_{number}:  # number {number}\n    name: {name}\n    type: PairedImageDataset\n    \
             dataroot_gt: datasets/{name}/HR\n    dataroot_lq: datasets/{name}/LR_bicubic/X{scale}\n    \
             filename_tmpl: '{template}{scale}'\n    io_backend:\n      type: disk\n"
        )
    };
    let sets = [
        set(1, "Set5", "{}x"),
        set(2, "Urban100", "{}x"),
        set(3, "Manga109", "{}_LRBI_x"),
    ];
    let metric = |name: &str, kind: &str, border: usize, y: bool| {
        format!(
            "    {name}:\n      type: {kind}\n      crop_border: {border}\n      test_y_channel: {y}\n"
        )
    };
    let metrics = [
        metric("psnr", "calculate_psnr_pt", scale, true),
        metric("ssim", "calculate_ssim_pt", scale, true),
        metric("rounded", "calculate_psnr", scale, true),
        metric("rgb", "calculate_psnr_pt", 1, false),
        metric("rgb_ssim", "calculate_ssim", 0, false),
    ];
    format!(
        "name: seen_x{scale}\nmodel_type: CATANetModel\nscale: {scale}\nnum_gpu: 1\nmanual_seed: 1\n\n\
         datasets:\n{}\nnetwork_g:\n  type: CATANet\n  upscale: {scale}\n\n\
         path:\n  pretrain_network_g: start/w.safetensors\n  strict_load_g: true\n  results_root: out/net\n\n\
         val:\n  save_img: true\n  suffix: net  # added to names\n  metrics:\n{}",
        sets.join("\n"),
        metrics.concat()
    )
}

fn catanet(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_catanet"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("the program runs")
}

fn lines(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn json(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).expect("written")).expect("JSON")
}

fn figure(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

#[test]
fn a_file_of_tests_scores_what_the_folder_scores_and_saves_as_basicsr_does() {
    let root = Folder::new("options");
    stand_ins(&root, 2);
    // As BasicSR has it, relative to the working directory; one set is not there.
    let output = catanet(&root, &["eval", "-opt", "test.yml", "--json", "opt.json"]);
    let told = lines(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("not scored: Urban100"), "{told}");
    assert!(told.contains("start/w.safetensors"), "{told}");
    assert!(told.contains("Validation Manga109"), "{told}");

    let with_data = [
        "--data",
        "datasets",
        "--weights",
        "start/w.safetensors",
        "--json",
        "data.json",
    ];
    let output = catanet(&root, &[&["eval"], &with_data[..]].concat());
    assert!(output.status.success(), "{}", lines(&output));
    let [opt, data] = ["opt.json", "data.json"].map(|file| json(&root.join(file)));
    assert_eq!(opt["sets"].as_array().map(Vec::len), Some(2));
    for (a, b) in [(0, 0), (1, 1)] {
        let (a, b) = (&opt["sets"][a], &data["sets"][b]);
        assert_eq!((&a["name"], &a["mean"]), (&b["name"], &b["mean"]));
        assert_eq!(a["images"], b["images"]);
        let metrics = &a["metrics"];
        assert_eq!(figure(&metrics["psnr"]), figure(&a["mean"]["psnr"]));
        assert_eq!(figure(&metrics["ssim"]), figure(&a["mean"]["ssim"]));
        let rounded = figure(&metrics["rounded"]) - figure(&a["mean"]["psnr_8bit"]);
        assert!((0.0..1e-3).contains(&rounded), "{rounded}"); // 1e-8 less in the square
        assert!(
            told.contains(&format!("# psnr: {:.4}", figure(&metrics["psnr"]))),
            "{told}"
        );
        assert!(figure(&metrics["rgb"]) > 0.0 && figure(&metrics["rgb_ssim"]) < 1.0);
        assert!(b.get("metrics").is_none());
    }
    assert_eq!(opt["failed_sets"][0]["name"], "Urban100");

    let saved: Vec<_> = contents(&root.join("out"))
        .into_keys()
        .filter(|p| p.extension().is_some())
        .collect();
    let expected = [
        "Manga109/p0_LRBI_x2_net.png",
        "Manga109/p1_LRBI_x2_net.png",
        "Set5/p0x2_net.png",
        "Set5/p1x2_net.png",
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|p| Path::new("net/visualization").join(p))
        .collect();
    assert_eq!(saved, expected);
    let image =
        Image::load(root.join("out/net/visualization/Set5/p1x2_net.png")).expect("an image");
    assert_eq!((image.width, image.height), (60, 50));
}

#[test]
fn keys_are_changed_and_sets_chosen_on_the_command_line() {
    let root = Folder::new("changes");
    stand_ins(&root, 3);
    let output = catanet(
        &root,
        &[
            "eval",
            "--opt",
            "test.yml",
            "--set",
            "manga109",
            "--set",
            "val.save_img=false",
            "--set",
            "path.pretrain_network_g=~",
            "--set",
            "val:metrics=~",
            "--json",
            "opt.json",
        ],
    );
    let told = lines(&output);
    assert!(output.status.success(), "{told}");
    assert!(
        told.contains("catanet_x3 as shipped") && told.contains("path.pretrain_network_g"),
        "{told}"
    );
    let sets = json(&root.join("opt.json"))["sets"].take();
    assert_eq!(
        (sets[0]["name"].as_str(), sets[1].as_null()),
        (Some("Manga109"), Some(()))
    );
    assert!(!told.contains("Validation"), "{told}");
    assert!(!root.join("out").exists());

    for (arguments, words) in [
        (
            &["--opt", "test.yml", "--set", "val.metrik=1"][..],
            "--set: val.metrik is no key here; did you mean metrics?",
        ),
        (&["--opt", "test.yml", "--set", "Set12"], "Set12"),
        (&["--opt", "test.yml", "--scale", "2"], "×3"),
        (&["--opt", "none.yml"], "none.yml"),
        (&["--set", "val.save_img=false"], "--opt"),
        (
            &["--opt", "test.yml", "--set", "datasets=~"],
            "no set to score",
        ),
    ] {
        let output = catanet(&root, &[&["eval"], arguments].concat());
        let told = lines(&output);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn all_faults_of_a_file_are_told_before_anything_is_done() {
    let root = Folder::new("faults");
    let text = test_file(2)
        .replace("save_img", "save_image")
        .replace("upscale: 2", "upscale: 3");
    fs::write(root.join("a.yml"), text).expect("written");
    let output = catanet(&root, &["eval", "-opt=a.yml"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    // A driver may say something, too.
    let told: Vec<_> = told
        .lines()
        .filter(|line| line.starts_with("error: a.yml:"))
        .collect();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].contains("network_g.upscale is 3"));
    assert!(told[1].contains("val.save_image is no key here; did you mean save_img?"));
}

fn published() -> Option<PathBuf> {
    let folder = std::env::var_os("CATANET_PUBLISHED").map(PathBuf::from);
    let folder = folder.filter(|folder| folder.join("options").is_dir());
    if folder.is_none() {
        println!("skipped: CATANET_PUBLISHED names no folder with options/");
    }
    folder
}

#[test]
fn the_published_files_are_taken_unchanged() {
    let Some(shared) = published() else { return };
    for scale in 2..=4 {
        let start = if scale == 2 { "scratch" } else { "finetune" };
        let read = |name: String| {
            let file = shared.join("options").join(name);
            Options::read(&file, &[]).unwrap_or_else(|error| panic!("{error}"))
        };
        let (train, notes) = read(format!("train_CATANet_x{scale}_{start}.yml"));
        let idle = [
            "num_gpu",
            "prefetch_mode",
            "pin_memory",
            "wandb",
            "dist_params",
        ];
        assert_eq!(notes.len(), idle.len(), "{notes:#?}");
        for (note, key) in notes.iter().zip(idle) {
            assert!(note.contains(key), "{notes:#?}");
        }
        let set = train.datasets.train.as_ref().expect("there");
        let size = (
            set.gt_size,
            set.batch_size_per_gpu,
            set.dataset_enlarge_ratio,
        );
        assert_eq!(size, (64 * scale, 16, 100));
        assert!(
            matches!(&set.images, Images::Paired(pairs) if pairs.template == format!("{{}}x{scale}"))
        );
        let recipe = train.train.as_ref().expect("there");
        assert_eq!(
            (recipe.optim_g.lr, recipe.optim_g.betas),
            (2e-4, [0.9, 0.99])
        );
        let Scheduler::MultiStep {
            milestones, gamma, ..
        } = &recipe.scheduler
        else {
            panic!("{:?}", recipe.scheduler)
        };
        let count = if scale == 2 {
            (5, 800_000)
        } else {
            (4, 250_000)
        };
        assert_eq!(
            (milestones.len(), recipe.total_iter, *gamma),
            (count.0, count.1, 0.5)
        );
        assert_eq!(train.path.pretrain_network_g, None);
        assert_eq!(
            (train.num_gpu, train.manual_seed),
            (NumGpu::Auto, Some(3407))
        );
        assert_eq!(
            (train.logger.print_freq, train.logger.save_checkpoint_freq),
            (200, 2500)
        );
        let (test, notes) = read(format!("test_CATANet_x{scale}.yml"));
        assert!(notes.is_empty(), "{notes:#?}");
        let names: Vec<_> = test
            .datasets
            .scored
            .iter()
            .map(|(_, set)| &*set.name)
            .collect();
        assert_eq!(names, ["Set5", "Set14", "B100", "Urban100", "Manga109"]);
        assert_eq!(
            test.path.pretrain_network_g,
            Some(format!("pretrained_models/x{scale}.pth").into())
        );
        for options in [train, test] {
            let again = Options::parse(&options.to_yaml(), Path::new("again.yml"), &[]);
            assert_eq!(again.expect("sound").0, options);
        }
    }
}

#[test]
fn a_published_test_scores_what_is_known() {
    let Some(shared) = published() else { return };
    let root = Folder::new("published");
    let file = root.join("figures.json");
    let to = format!("path.results_root={}", text(&root));
    let output = catanet(
        &shared,
        &[
            "eval",
            "-opt",
            "options/test_CATANet_x4.yml",
            "--set",
            "Set5",
            "--set",
            &to,
            "--set",
            "path.pretrain_network_g=checkpoints/catanet_x4_aerial.pth",
            "--json",
            text(&file),
        ],
    );
    assert!(output.status.success(), "{}", lines(&output));
    let set = json(&file)["sets"][0].take();
    assert!(
        (figure(&set["metrics"]["psnr"]) - 31.724).abs() < 0.005,
        "{set}"
    );
    assert!(
        (figure(&set["metrics"]["ssim"]) - 0.8901).abs() < 0.0002,
        "{set}"
    );
    let saved = contents(&root.join("visualization/Set5"));
    let named = |path: &&PathBuf| path.to_string_lossy().ends_with("x4_CATANet.png");
    assert_eq!(saved.keys().filter(named).count(), 5);
}
