//! The figures that are known for published images and weights come out here too.
//!
//! Looks into the folder named by `CATANET_PUBLISHED`: `datasets/Set5` and `datasets/Set14` with their
//! low-resolution files, and `checkpoints/catanet_x4_aerial.pth`. Their licences keep them out of the
//! project, so without the variable nothing is checked.

use std::path::{Path, PathBuf};

use catanet::CATANet;
use catanet::data::benchmark::{BenchmarkSet, Pair, find_sets, select_sets};
use catanet::evaluate::{EvaluateOptions, evaluate};
use catanet::image::Image;
use catanet::imresize::{downscale, upscale};
use catanet::metrics::Quality;
use catanet::weights::{Notes, load, save};
use nn::checkpoint::Precision;
use tensor::Device;

const SETS: [&str; 2] = ["Set5", "Set14"];

/// The folder of published files; None, said aloud, where none is named.
fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("CATANET_PUBLISHED").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: CATANET_PUBLISHED names no folder with datasets/ and checkpoints/");
    }
    folder
}

fn set(shared: &Path, name: &str) -> BenchmarkSet {
    let sets = find_sets(&shared.join("datasets")).expect("benchmark sets");
    let mut sets = select_sets(sets, &[name.to_owned()]).expect("the set");
    sets.remove(0)
}

#[track_caller]
fn assert_figures(what: &str, got: Option<Quality>, [psnr, ssim]: [f64; 2], within: [f64; 2]) {
    let got = got.expect("images large enough to score");
    println!(
        "{what}: {:.4} dB / {:.5}, known: {psnr} / {ssim}",
        got.psnr, got.ssim
    );
    assert!((got.psnr - psnr).abs() <= within[0], "{what}: PSNR");
    assert!((got.ssim - ssim).abs() <= within[1], "{what}: SSIM");
}

#[test]
fn low_resolution_images_are_the_published_ones_to_the_last_byte() {
    let Some(shared) = shared() else { return };
    for name in SETS {
        let root = shared.join("datasets").join(name);
        for scale in [2, 3, 4] {
            let mut compared = 0;
            for pair in set(&shared, name).pairs(scale) {
                let pair = pair.expect("a pair");
                let file = format!("LR_bicubic/X{scale}/{}x{scale}.png", pair.name);
                let published = Image::load(root.join(&file)).expect("a low-resolution file");
                assert!(downscale(&pair.hr, scale) == published, "{name}/{file}");
                compared += 1;
            }
            println!("{name} ×{scale}: {compared} images");
        }
    }
}

#[test]
fn bicubic_interpolation_scores_what_it_is_known_to() {
    let Some(shared) = shared() else { return };
    let known = [
        [[33.67, 0.9303], [30.40, 0.8689], [28.43, 0.8111]],
        [[30.32, 0.8699], [27.63, 0.7759], [26.09, 0.7048]],
    ];
    for (name, known) in SETS.into_iter().zip(known) {
        for (scale, known) in (2..).zip(known) {
            let score = |pair: catanet::Result<Pair>| {
                let Pair { lr, hr, .. } = pair.expect("a pair");
                let output = upscale(&lr, scale).to_f32();
                Quality::of(&output, &hr.to_f32(), hr.height, hr.width, scale).expect("a score")
            };
            let scores: Vec<_> = set(&shared, name).pairs(scale).map(score).collect();
            let what = format!("{name} ×{scale}, bicubic");
            assert_figures(&what, Quality::mean(&scores), known, [0.01, 0.0001]);
        }
    }
}

#[test]
fn published_weights_score_what_they_are_known_to_from_either_format() {
    let Some(shared) = shared() else { return };
    let device = Device::open(None).expect("tests need an adapter");
    let check = |net: &CATANet, name: &str, known: [f64; 2]| {
        let set = set(&shared, name);
        let options = EvaluateOptions::default();
        let score = evaluate(net, &set, &options, |_| ()).expect("evaluated");
        let what = format!("{name} ×4, published weights");
        assert_figures(&what, score.network(), known, [0.005, 0.0002]);
    };
    let set5 = [31.724, 0.8901];
    let file = shared.join("checkpoints/catanet_x4_aerial.pth");
    let (net, _) = load(&device, &file, None).expect("weights");
    check(&net, "Set5", set5);
    check(&net, "Set14", [28.400, 0.7772]);

    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("published.safetensors");
    save(&net, &copy, Precision::F32, Notes::new()).expect("written");
    let (net, _) = load(&device, &copy, None).expect("the copy");
    check(&net, "Set5", set5);
}
