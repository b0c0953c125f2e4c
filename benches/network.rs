//! The whole network: `cargo bench --bench network`.

use std::time::Duration;

use autograd::Var;
use catanet::{CATANet, Mode};
use criterion::{Criterion, criterion_group, criterion_main};
use nn::l1_loss;
use tensor::{Device, Tensor};

fn image(device: &Device, height: usize, width: usize) -> Tensor {
    let values: Vec<f32> = (0..height * width * 3)
        .map(|i| (i * 2_654_435_761 % 1000) as f32 / 1000.0)
        .collect();
    Tensor::new(device, &values, &[1, height, width, 3])
}

fn network(c: &mut Criterion) {
    let device = Device::open(None).expect("a benchmark needs an adapter");
    let mut group = c.benchmark_group("network");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(10));

    for (scale, side) in [(2, 64), (4, 64), (2, 128)] {
        let net = CATANet::new(&device, scale, 0);
        let x = image(&device, side, side);
        group.bench_function(format!("forward_x{scale}_{side}"), |b| {
            b.iter(|| {
                let y = net.upscale(&x);
                device.wait_idle().expect("the device works");
                y
            });
        });
    }

    let net = CATANet::new(&device, 2, 0);
    let (x, target) = (
        Var::constant(image(&device, 64, 64)),
        Var::constant(image(&device, 128, 128)),
    );
    group.bench_function("forward_backward_x2_64", |b| {
        b.iter(|| {
            let loss = l1_loss(&net.forward(&x, Mode::Train), &target);
            loss.backward();
            nn::parameters(&net).iter().for_each(|(_, p)| p.zero_grad());
            device.wait_idle().expect("the device works");
        });
    });
    group.finish();
}

criterion_group!(benches, network);
criterion_main!(benches);
