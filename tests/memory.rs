//! How much memory the network takes, and that what is worked on in parts is the same to the bit.

use std::sync::OnceLock;

use autograd::{Var, no_grad};
use catanet::limits::check_step;
use catanet::{CATANet, Mode};
use nn::{load_state_dict, state_dict};
use tensor::{Device, Overrides, Tensor};

/// The adapter as it is, and with kernels that take no more than 1.5 MiB of a tensor (4096 tokens in
/// attention) or 2.5 MiB.
fn devices() -> &'static [Device; 3] {
    static DEVICES: OnceLock<[Device; 3]> = OnceLock::new();
    DEVICES.get_or_init(|| {
        [None, Some(1536 << 10), Some(2560 << 10)].map(|limit| {
            let overrides = Overrides {
                binding_limit: limit,
                ..Default::default()
            };
            Device::open_with(None, overrides).expect("tests need an adapter")
        })
    })
}

fn image(device: &Device, shape: &[usize]) -> Tensor {
    let len = shape.iter().product();
    let values: Vec<f32> = (0..len)
        .map(|i: usize| (i * 2_654_435_761 % 1000) as f32 / 1000.0)
        .collect();
    Tensor::new(device, &values, shape)
}

/// The same network on all of them, its centres stored.
fn network(scale: usize, on: usize) -> CATANet {
    let net = CATANet::new(&devices()[0], scale, 5);
    let x = Var::constant(image(&devices()[0], &[1, 28, 28, 3]));
    no_grad(|| net.forward(&x, Mode::Train));
    let twin = CATANet::new(&devices()[on], scale, 6);
    let state = state_dict(&net).expect("read back");
    load_state_dict(&twin, &state, |_| true).expect("the same network");
    twin
}

#[test]
fn an_image_worked_on_in_parts_comes_out_the_same_to_the_bit() {
    // 90×46 tokens are beyond the limit, 50×50 in windows and in the upsampler only.
    for (scale, height, width) in [(1, 90, 46), (2, 50, 50), (3, 92, 45), (4, 93, 46)] {
        for half in [false, true] {
            let output = |i: usize| {
                let x = image(&devices()[i], &[1, height, width, 3]);
                let mut net = network(scale, i);
                net.store_half(half); // or not, where the adapter cannot
                net.upscale(&x).to_vec().expect("enlarged")
            };
            let same = output(0) == output(1);
            assert!(same, "×{scale} of {height}×{width}, in half: {half}");
        }
    }
}

#[test]
fn a_batch_beyond_the_limit_comes_out_the_same_to_the_bit() {
    let output = |i: usize| {
        let x = image(&devices()[i], &[5, 28, 31, 3]); // 4340 tokens
        network(2, i).upscale(&x).to_vec().expect("enlarged")
    };
    assert!(output(0) == output(1));
}

#[test]
fn a_training_step_beyond_the_limit_is_split_over_its_images() {
    // Two crops of 28×28 take 4 MB out of the second upconv; of seven, attention to centres 2.75.
    check_step(&devices()[2], 4, 2, 28).expect("fits in parts");
    check_step(&devices()[2], 4, 7, 28).expect_err("seven do not");
    let step = |i: usize| {
        let (device, net) = (&devices()[i], &network(4, i));
        let [x, target] = [28, 112].map(|side| Var::constant(image(device, &[2, side, side, 3])));
        let loss = nn::l1_loss(&net.forward(&x, Mode::Train), &target);
        loss.backward();
        let gradients = nn::parameters(net).into_iter().map(|(name, p)| {
            let gradient = p.grad().map(|g| g.to_vec().expect("read-back"));
            (name, gradient)
        });
        (loss.item().expect("a loss"), gradients.collect::<Vec<_>>())
    };
    let [whole, parts] = [step(0), step(2)];
    assert_eq!(whole.0, parts.0, "loss");
    for ((name, whole), (_, parts)) in whole.1.iter().zip(&parts.1) {
        let (Some(whole), Some(parts)) = (whole, parts) else {
            assert_eq!(whole, parts, "{name}");
            continue;
        };
        let largest = whole.iter().fold(0.0, |m: f32, g| m.max(g.abs()));
        for (whole, part) in whole.iter().zip(parts) {
            let error = (whole - part).abs();
            assert!(
                error <= 1e-5 * largest,
                "{name}: {whole} and {part} of {largest}"
            );
        }
    }
}

#[test]
fn four_times_enlarging_takes_less_than_half_a_gigabyte_for_256_by_256_pixels() {
    let device = Device::open(None).expect("tests need an adapter"); // no other test's numbers
    let net = CATANet::new(&device, 4, 5);
    device.reset_peaks();
    let before = device.stats().pool_bytes;
    let large = net.upscale(&image(&device, &[1, 256, 256, 3]));
    let taken = device.stats().peak_pool_bytes - before;
    large.to_vec().expect("it was computed");
    assert!(taken < 500_000_000, "{taken} bytes");
}
