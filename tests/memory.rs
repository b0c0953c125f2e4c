//! How much memory the network takes, and that what is worked on in parts is the same to the bit.

use std::sync::OnceLock;

use catanet::{CATANet, Mode};
use nn::{load_state_dict, state_dict};
use tensor::{Device, Tensor};

/// A device, and one whose kernels take no more than 640 KiB of a tensor: 4096 tokens of 40 channels.
fn devices() -> &'static [Device; 2] {
    static DEVICES: OnceLock<[Device; 2]> = OnceLock::new();
    DEVICES.get_or_init(|| {
        [None, Some(640 << 10)].map(|limit| {
            Device::open_with_binding_limit(None, limit).expect("tests need an adapter")
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

/// The same network on both devices, its centres stored.
fn networks(scale: usize) -> [CATANet; 2] {
    let [device, limited] = devices();
    let net = CATANet::new(device, scale, 5);
    let x = autograd::Var::constant(image(device, &[1, 28, 28, 3]));
    autograd::no_grad(|| net.forward(&x, Mode::Train));
    let twin = CATANet::new(limited, scale, 6);
    let state = state_dict(&net).expect("read back");
    load_state_dict(&twin, &state, |_| true).expect("the same network");
    [net, twin]
}

#[test]
fn an_image_worked_on_in_parts_comes_out_the_same_to_the_bit() {
    // 90×46 tokens are beyond the limit themselves, 30×33 in the upsampler only.
    for (scale, height, width) in [(1, 90, 46), (2, 30, 33), (3, 92, 45), (4, 93, 46)] {
        let output = |i: usize| {
            let net = &networks(scale)[i];
            let x = image(&devices()[i], &[1, height, width, 3]);
            net.upscale(&x).to_vec().expect("enlarged")
        };
        assert!(output(0) == output(1), "×{scale} of {height}×{width}");
    }
}

#[test]
fn a_batch_beyond_the_limit_comes_out_the_same_to_the_bit() {
    let output = |i: usize| {
        let x = image(&devices()[i], &[5, 28, 31, 3]); // 4340 tokens
        networks(2)[i].upscale(&x).to_vec().expect("enlarged")
    };
    assert!(output(0) == output(1));
}
