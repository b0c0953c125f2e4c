//! Which pixels a patch of the output comes from: `cargo run --example attribution`.
//!
//! The local attribution map of Gu and Dong (2021), which `catanet/src/attribution.rs` computes, as text.

use anyhow::{Context, ensure};
use catanet::attribution::{Patch, PathOptions, attribute};
use catanet::data::dead_leaves::scene;
use catanet::imresize::downscale;
use catanet::weights::load_bytes;
use catanet_cli::weights::shipped;
use tensor::Device;

const SIDE: usize = 48; // of the picture; the output has twice that
const PATCH: usize = 16; // the patch's side, in the output's middle
const STEPS: usize = 12;

fn main() -> anyhow::Result<()> {
    let device = Device::open(None)?;
    let (net, _) = load_bytes(&device, shipped(2)?, "as shipped".as_ref(), Some(2))?;
    let picture = downscale(&scene(21, 4, 2 * SIDE, 2 * SIDE), 2).to_f32();
    let corner = SIDE - PATCH / 2;
    let patch = Patch {
        x: corner,
        y: corner,
        side: PATCH,
    };
    let options = PathOptions {
        steps: STEPS,
        ..PathOptions::default()
    };
    let found = attribute(&net, &picture, [SIDE; 2], patch, options, &mut |_| true)?;
    let found = found.context("nobody asked to stop")?;

    let [blurred, sharp] = found.detected;
    let (rise, sum) = (sharp - blurred, found.map.iter().sum::<f64>());
    println!("edges in the patch rise by {rise:.2} along the path; the map's sum is {sum:.2}");
    ensure!((sum - rise).abs() < 0.1 * rise.abs(), "too few steps");
    println!("diffusion index: {:.1}", found.diffusion_index());
    let mut sizes: Vec<f64> = found.map.iter().map(|v| v.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let most = sizes[sizes.len() - 9];
    let ink = |v: &f64| b" .:-=+*#%@"[((v.abs() / most).sqrt() * 9.0).min(9.0) as usize] as char;
    for row in found.map.chunks(SIDE) {
        println!("{}", String::from_iter(row.iter().map(ink)));
    }
    Ok(())
}
