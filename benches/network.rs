//! The whole network, enlarging and training: `cargo bench --bench network [NAME] [-- --quick]`.
//!
//! A forward pass is one image with the weights that come with the project; a training step is
//! forward, L1, backward and Adam on a batch of 64×64 crops, copying them to the device included.
//! Multiply-adds are those of `catanet::multi_adds`, a training step counted as three forward
//! passes; bytes are what the network as one op would have to move: images, and the weights (and,
//! in training, their moments) read and written.

mod ceiling;
mod common;

use std::path::Path;

use anyhow::Result;
use catanet::CATANet;
use catanet::data::{Batch, Crops};
use catanet::multi_adds::{MultiAdds, parameters};
use catanet::train::{Processes, Recipe, Run};
use catanet::weights::load;
use common::{Bench, Cost, noise, noise_vec};
use tensor::Device;

/// Side of a training crop.
const PATCH: usize = 64;

fn main() -> Result<()> {
    let device = Device::open(None)?;
    let mut bench = Bench::new(&device, 5);
    for (name, scale, [height, width]) in [
        ("forward_x2_64", 2, [64, 64]),
        ("forward_x4_64", 4, [64, 64]),
        ("forward_x4_128", 4, [128, 128]),
        ("forward_x4_256", 4, [256, 256]),
        ("forward_x2_320x180", 2, [180, 320]),
        ("forward_x2_640x360", 2, [360, 640]),
    ] {
        forward(&mut bench, &device, name, scale, [height, width])?;
    }
    for (name, batch) in [("train_x2_b1", 1), ("train_x2_b4", 4), ("train_x2_b16", 16)] {
        train(&mut bench, &device, name, batch);
    }
    bench.finish()
}

fn forward(
    bench: &mut Bench,
    device: &Device,
    name: &str,
    scale: usize,
    [height, width]: [usize; 2],
) -> Result<()> {
    let file = format!("weights/catanet_x{scale}.safetensors");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let (net, _) = load(device, &file, Some(scale))?;
    let image = noise(device, &[1, height, width, 3]);
    let pixels = image.len() * (1 + scale * scale);
    let run = || {
        let y = net.upscale(&image);
        device.wait_idle()?; // one image after the other, as a user waits for it
        Ok(y)
    };
    bench.work(
        name,
        cost(&net, [height, width], 1, pixels + parameters(&net)),
        run,
        |y| y.to_vec().map(drop),
    );
    device.trim(); // the next size takes other buffers
    Ok(())
}

fn train(bench: &mut Bench, device: &Device, name: &str, batch: usize) {
    const SCALE: usize = 2;
    let recipe = Recipe::small(SCALE, 1);
    let mut run = Run::new(CATANet::new(device, SCALE, 0), &recipe);
    let first = nn::parameters(&run.net).swap_remove(0).1;
    let pixels = batch * PATCH * PATCH * 3;
    let pairs = Batch {
        number: 0,
        origins: Vec::new(),
        lq: Crops::new(noise_vec(pixels), PATCH),
        gt: Crops::new(noise_vec(pixels * SCALE * SCALE), PATCH * SCALE),
    };
    let state = 2 * 3 * parameters(&run.net); // weights and two moments, read and written
    let elements = pixels * (1 + SCALE * SCALE) + state;
    let forward = cost(&run.net, [PATCH, PATCH], batch, elements);
    let cost = Cost {
        flops: 3.0 * forward.flops,
        ..forward
    };
    let step = || {
        let loss = run.step(&pairs, &recipe, &Processes::alone());
        let loss = loss.expect("one process exchanges nothing");
        device.wait_idle()?;
        Ok(loss)
    };
    // The first convolution is the last to get its gradient: whatever failed, it tells.
    bench.work(name, cost, step, |loss| {
        loss.item()?;
        first.value().to_vec().map(drop)
    });
    device.trim();
}

fn cost(net: &CATANet, [height, width]: [usize; 2], batch: usize, elements: usize) -> Cost {
    let count = MultiAdds::of(net.scale(), height, width);
    Cost::new(batch * count.with_attention as usize, &[elements])
}
