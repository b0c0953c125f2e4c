//! Features stored as 16-bit floats: what it costs in quality, and saves in memory.

use std::sync::OnceLock;

use catanet::CATANet;
use catanet::data::benchmark::dead_leaves_set;
use catanet::data::dead_leaves::scene;
use catanet::evaluate::{EvaluateOptions, evaluate};
use catanet::weights::load_bytes;
use catanet_cli::weights::shipped;
use tensor::{Device, Tensor};

/// None, with a word on it, where the adapter has no f16.
fn device() -> Option<&'static Device> {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    let device = DEVICE.get_or_init(|| Device::open(None).expect("tests need an adapter"));
    if !device.has_half() {
        println!("skipped: {} has no f16", device.name());
    }
    device.has_half().then_some(device)
}

/// The network that comes with the project.
fn network(device: &Device) -> CATANet {
    let weights = shipped(2).expect("the project's weights");
    let net = load_bytes(device, weights, "as shipped".as_ref(), Some(2));
    net.expect("loaded").0
}

fn psnr(a: &[f32], b: &[f32]) -> f64 {
    let squares: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    -10.0 * (squares / a.len() as f64).log10()
}

#[test]
fn an_image_differs_by_less_than_can_be_seen() {
    let Some(device) = device() else { return };
    let mut net = network(device);
    // Below the windows' size, and with rows of odd length.
    for (height, width) in [(48, 57), (19, 33)] {
        let lr = scene(7, 0, width, height).to_f32();
        let lr = Tensor::new(device, &lr, &[1, height, width, 3]);
        let [full, half] = [false, true].map(|half| {
            assert_eq!(net.store_half(half), half);
            net.upscale(&lr).to_vec().expect("enlarged")
        });
        assert!(full != half, "nothing was stored as f16");
        let psnr = psnr(&full, &half);
        assert!(psnr > 50.0, "{psnr:.2} dB at {height}×{width}");
    }
}

#[test]
fn scores_differ_by_less_than_a_hundredth_of_a_decibel() {
    let Some(device) = device() else { return };
    let mut net = network(device);
    let set = dead_leaves_set(3, 96, 3);
    let [full, half] = [false, true].map(|half| {
        net.store_half(half);
        let score = evaluate(&net, &set, &EvaluateOptions::default(), |_| ());
        let quality = score.expect("scored").network().expect("large enough");
        quality.psnr
    });
    assert!((full - half).abs() < 0.01, "{full} dB, in half {half} dB");
}

#[test]
fn features_take_half_the_memory() {
    let Some(_) = device() else { return };
    let device = Device::open(None).expect("it opened before"); // of its own, to measure
    let mut net = network(&device);
    let lr = scene(7, 0, 64, 64).to_f32();
    let lr = Tensor::new(&device, &lr, &[1, 64, 64, 3]);
    let [full, half] = [false, true].map(|half| {
        net.store_half(half);
        let _ = net.upscale(&lr).to_vec().expect("enlarged"); // index lists are made once
        let before = device.stats().used_bytes;
        device.reset_peaks();
        let _ = net.upscale(&lr).to_vec().expect("enlarged");
        device.stats().peak_used_bytes - before
    });
    println!("{full} bytes, in half {half}");
    assert!(half * 10 < full * 6, "{full} bytes, in half {half}");
}
