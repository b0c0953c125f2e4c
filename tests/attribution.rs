//! The local attribution map against PyTorch: the path of blurred images, the detector and the gradients.

mod common;

use std::path::Path;

use catanet::attribution::{Attribution, Patch, PathOptions, attribute};
use catanet::weights;
use common::device;
use nn::checkpoint::{self, Data};

const SIDE: usize = 28;
const OPTIONS: PathOptions = PathOptions {
    sigma: 1.2,
    side: 9,
    steps: 6,
};
const PATCH: Patch = Patch {
    x: 30,
    y: 36,
    side: 16,
};

/// Waves, another in each channel. `[28, 28, 3]`
fn image() -> Vec<f32> {
    let pixel = |i: usize| {
        let (y, x, c) = ((i / 3 / SIDE) as f64, (i / 3 % SIDE) as f64, (i % 3) as f64);
        (0.5 + 0.4 * (0.9 * x + 0.5 * y * (c + 1.0)).sin()) as f32
    };
    (0..SIDE * SIDE * 3).map(pixel).collect()
}

fn golden(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

fn map_of(options: PathOptions) -> Attribution {
    let (net, _) = weights::load(device(), &golden("ddp_ema_x3.pth"), Some(3)).expect("weights");
    let found = attribute(&net, &image(), [SIDE; 2], PATCH, options, &mut |_| true);
    found.expect("a map").expect("not stopped")
}

#[test]
fn the_map_is_pytorchs() {
    let expected = checkpoint::load(golden("attribution_x3.safetensors")).expect("golden numbers");
    let floats = |name: &str| match &expected.arrays[name].data {
        Data::F32(values) => values.clone(),
        _ => panic!("{name} is not floats"),
    };
    let found = map_of(OPTIONS);
    let map = floats("map");
    let most = map.iter().fold(0f32, |most, v| most.max(v.abs()));
    for (i, (a, b)) in found.map.iter().zip(&map).enumerate() {
        assert!(
            (*a as f32 - b).abs() < 1e-3 * most,
            "{i}: {a}, not {b} (of {most})"
        );
    }
    for (a, b) in found.detected.iter().zip(floats("detected")) {
        assert!((*a as f32 - b).abs() < 1e-4 * b, "{a}, not {b}");
    }
    let index = floats("diffusion_index")[0];
    assert!(
        (found.diffusion_index() as f32 - index).abs() < 0.02,
        "{index}"
    );
}

/// What a path integral promises: the map adds up to what the detector gained on the way.
#[test]
fn the_map_adds_up_to_what_the_detector_gained() {
    let steps = 16;
    let found = map_of(PathOptions { steps, ..OPTIONS });
    let [start, end] = found.detected;
    let sum: f64 = found.map.iter().sum();
    assert!(
        (sum - (end - start)).abs() < 0.1 * (end - start).abs(),
        "{sum}, {start}, {end}"
    );
}

#[test]
fn a_map_that_is_stopped_is_none() {
    let (net, _) = weights::load(device(), &golden("ddp_ema_x3.pth"), Some(3)).expect("weights");
    let found = attribute(&net, &image(), [SIDE; 2], PATCH, OPTIONS, &mut |done| {
        done < 2
    });
    assert!(found.expect("no fault").is_none());
}
