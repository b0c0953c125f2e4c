//! The whole network, enlarging and learning: `cargo run --example 12_catanet -- FOLDER`.
//!
//! Builds on all before. A generated scene is halved and enlarged again, by bicubic interpolation and
//! by CATANet with the shipped weights; then some training steps.

use std::path::PathBuf;

use autograd::{Var, l1_loss};
use catanet::data::dead_leaves::scene;
use catanet::data::{Loader, LoaderOptions, Source};
use catanet::evaluate::enlarge;
use catanet::image::Image;
use catanet::imresize::{downscale, upscale};
use catanet::metrics::Quality;
use catanet::multi_adds::{MultiAdds, parameters as count};
use catanet::weights::load_bytes;
use catanet::{CATANet, Mode};
use catanet_cli::weights::shipped;
use nn::{Adam, AdamOptions, parameters};
use tensor::Device;

const SCALE: usize = 2;
const SIDE: usize = 128;

fn main() -> anyhow::Result<()> {
    let device = Device::open(None)?;
    let bytes = shipped(SCALE)?;
    let (net, _) = load_bytes(&device, bytes, "as shipped".as_ref(), Some(SCALE))?;
    let work = MultiAdds::of(SCALE, SIDE / SCALE, SIDE / SCALE).with_attention;
    println!(
        "{} weights, {:.1} billion multiply-adds",
        count(&net),
        work as f64 / 1e9
    );

    // Enlarge, and compare with the original: on luma, the border cut, raw.
    let truth = scene(21, 4, SIDE, SIDE);
    let low = downscale(&truth, SCALE);
    let bicubic = upscale(&low, SCALE);
    let output = enlarge(&net, &low, false)?; // [2H, 2W, 3], about 0 to 1
    let ours = Image::from_f32(&output, SIDE, SIDE);
    for (name, pixels) in [("bicubic", bicubic.to_f32()), ("CATANet", output)] {
        let quality = Quality::of(&pixels, &truth.to_f32(), SIDE, SIDE, SCALE);
        let Some(Quality { psnr, ssim, .. }) = quality else {
            continue;
        };
        println!("{name} {psnr:.2} dB, SSIM {ssim:.4}");
    }
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.unwrap_or_else(std::env::temp_dir);
    for (name, image) in [("original", truth), ("bicubic", bicubic), ("catanet", ours)] {
        image.save_png(folder.join(format!("{name}.png")))?;
    }
    println!(
        "original.png, bicubic.png and catanet.png are in {}",
        folder.display()
    );
    learn(&device)
}

/// From fresh weights, always the same crop: what can be learnt in a few steps is to remember it.
fn learn(device: &Device) -> anyhow::Result<()> {
    let net = CATANet::new(device, SCALE, 3407);
    let options = LoaderOptions {
        scale: SCALE,
        patch: 32,
        batch: 1,
        ..LoaderOptions::default()
    };
    let pair = Loader::new(Source::DeadLeaves, options, 0)?.next();
    let pair = pair.ok_or_else(|| anyhow::anyhow!("the loader ended"))??;
    let [lq, gt] = [pair.lq, pair.gt].map(|crops| Var::constant(crops.to_tensor(device)));
    let options = AdamOptions {
        lr: 1e-3,
        ..Default::default()
    };
    let mut adam = Adam::new(parameters(&net), options);
    println!("\ntraining on {:?} → {:?}", lq.shape(), gt.shape());
    let mut first = None;
    for step in 1..=10 {
        let loss = l1_loss(&net.forward(&lq, Mode::Train), &gt);
        loss.backward();
        adam.step();
        let loss = loss.item()?;
        println!(
            "step {step:2}: loss {loss:.4} {}",
            "#".repeat((loss * 200.0) as usize)
        );
        anyhow::ensure!(step < 10 || Some(loss) < first, "it learns nothing");
        first = first.or(Some(loss));
    }
    Ok(())
}
