//! Super-resolution in three layers, against bicubic: `cargo run --example 06_super_resolution`.
//!
//! Builds on 04 and 05, and is CATANet without what 07 shows: the same ends, trained the same way.

use autograd::{Var, add, bilinear, leaky_relu, no_grad, pixel_shuffle};
use catanet::data::{Loader, LoaderOptions, Source, dead_leaves};
use catanet::imresize::{downscale, upscale};
use catanet::metrics::psnr_y;
use nn::{
    Adam, AdamOptions, Conv2d, Module, ParameterStore, Schedule, State, join, l1_loss, parameters,
};
use tensor::{Device, Tensor};

const SCALE: usize = 2;
const STEPS: u64 = 400;

/// ESPCN (Shi et al. 2016) with a residual: all layers work at low resolution, which costs a quarter;
/// the last gives the 2×2 pixels that take the place of one as channels.
struct Net([Conv2d; 3]);

impl Net {
    fn new(store: &mut ParameterStore, channels: usize) -> Self {
        let c = channels;
        Net([(3, c), (c, c), (c, 3 * SCALE * SCALE)].map(|(i, o)| Conv2d::new(store, i, o)))
    }

    fn forward(&self, x: &Var) -> Var {
        let [first, middle, last] = &self.0;
        let f = leaky_relu(&first.forward(x), 0.1); // [B, H, W, C]
        let f = leaky_relu(&middle.forward(&f), 0.1); // [B, H, W, C]
        let details = pixel_shuffle(&last.forward(&f), SCALE); // [B, 2H, 2W, 3]
        add(&details, &bilinear(x, SCALE)) // the easy part is given, the details are learnt
    }
}

impl Module for Net {
    fn visit(&self, name: &str, visitor: &mut dyn FnMut(String, State)) {
        for (i, layer) in self.0.iter().enumerate() {
            layer.visit(&join(name, &i.to_string()), visitor);
        }
    }
}

/// Mean PSNR on luma over scenes that training does not see: of bicubic enlargement, and of `net`.
fn score(device: &Device, net: &Net) -> anyhow::Result<[f64; 2]> {
    let (scenes, side, mut mean) = (8, 96, [0.0; 2]);
    for index in 0..scenes {
        let truth = dead_leaves::scene(1, index, side, side);
        let small = downscale(&truth, SCALE);
        let shape = [1, small.height, small.width, 3];
        let x = Var::constant(Tensor::new(device, &small.to_f32(), &shape));
        let by_net = no_grad(|| net.forward(&x)).value().to_vec()?;
        let bicubic = upscale(&small, SCALE).to_f32();
        for (mean, output) in mean.iter_mut().zip([bicubic, by_net]) {
            // As papers do, the outermost pixels are left out: they lack neighbours.
            let psnr = psnr_y(&output, &truth.to_f32(), side, side, SCALE);
            *mean += psnr.unwrap_or(f64::NAN) / scenes as f64;
        }
    }
    Ok(mean)
}

fn main() -> anyhow::Result<()> {
    let device = Device::open(None)?;
    let net = Net::new(&mut ParameterStore::new(&device, 1), 24);
    let weights: usize = parameters(&net).iter().map(|(_, p)| p.len()).sum();
    let [bicubic, before] = score(&device, &net)?;
    println!("{weights} weights: bicubic {bicubic:.2} dB, the untrained network {before:.2} dB");

    // Threads draw scenes and shrink them while the device trains. Seed 1 is for the test.
    let options = LoaderOptions {
        scale: SCALE,
        patch: 24,
        batch: 4,
        seed: 2,
        ..LoaderOptions::default()
    };
    let loader = Loader::new(Source::DeadLeaves, options, 0)?;
    let schedule = Schedule::Cosine {
        lr: 4e-3,    // large steps to get somewhere
        floor: 4e-5, // small ones to settle
        iterations: STEPS,
    };
    let mut adam = Adam::new(parameters(&net), AdamOptions::default());
    for (step, pair) in (1..=STEPS).zip(loader) {
        let pair = pair?;
        let [lq, gt] = [pair.lq, pair.gt].map(|crops| Var::constant(crops.to_tensor(&device)));
        let loss = l1_loss(&net.forward(&lq), &gt); // of [B, 48, 48, 3]
        loss.backward();
        adam.set_lr(schedule.lr(step - 1));
        adam.step();
        // The loss jumps with what is on its four crops; the PSNR is always of the same.
        if step % 100 == 0 {
            let [_, psnr] = score(&device, &net)?;
            let (loss, gain) = (loss.item()?, psnr - bicubic);
            println!("step {step}: loss {loss:.4}, {psnr:.2} dB, {gain:+.2} over bicubic");
        }
    }
    Ok(())
}
