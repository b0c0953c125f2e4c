//! One block of CATANet: its parts, and what each does: `cargo run --example 11_block -- 4`.
//!
//! Builds on 10, which is the first part of it. Of the network as shipped, one part of one block after
//! the other is switched off: the last layer of the part becomes zero, so that only its residual is left.

use std::collections::BTreeMap;

use catanet::data::dead_leaves::scene;
use catanet::imresize::downscale;
use catanet::metrics::psnr_y;
use catanet::weights::load_bytes;
use catanet_cli::weights::shipped;
use nn::{Parameter, parameters};
use tensor::{Device, Tensor};

/// The parts of block #: what they are called, where their parameters are, and their last layer.
#[rustfmt::skip]
const PARTS: [(&str, &[&str], &str); 5] = [
    ("TAB: attention in groups",
     &["blocks.#.0.norm.", "blocks.#.0.irca", "blocks.#.0.iasa", "blocks.#.0.conv"], "blocks.#.0.conv1x1."),
    ("TAB: ConvFFN", &["blocks.#.0.mlp."], "blocks.#.0.mlp.fn.fc2."),
    ("LRSA: attention in windows", &["blocks.#.1.layer.0."], "blocks.#.1.layer.0.fn.proj."),
    ("LRSA: ConvFFN", &["blocks.#.1.layer.1."], "blocks.#.1.layer.1.fn.fc2."),
    ("mid_conv", &["mid_convs.#."], "mid_convs.#."),
];

fn main() -> anyhow::Result<()> {
    let block = std::env::args().nth(1).unwrap_or("0".to_owned());
    let device = Device::open(None)?;
    let (net, _) = load_bytes(&device, shipped(2)?, "as shipped".as_ref(), Some(2))?;
    let all = parameters(&net);
    let below = |prefix: &str| -> Vec<&(String, Parameter)> {
        let blocks = (0..8).map(|i| i.to_string());
        let blocks = blocks.filter(|i| block == "all" || *i == block);
        let prefixes: Vec<String> = blocks.map(|i| prefix.replace('#', &i)).collect();
        let within = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
        all.iter().filter(|(name, _)| within(name)).collect()
    };

    let side = 96;
    let truth = scene(21, 4, side, side);
    let low = downscale(&truth, 2);
    let x = Tensor::new(&device, &low.to_f32(), &[1, side / 2, side / 2, 3]);
    let psnr = || -> anyhow::Result<f64> {
        let y = net.upscale(&x).to_vec()?; // [1, 2H, 2W, 3]
        let psnr = psnr_y(&y, &truth.to_f32(), side, side, 2);
        psnr.ok_or_else(|| anyhow::anyhow!("nothing is left within the border"))
    };
    let whole = psnr()?;
    println!("block {block} (0 to 7, or all); the whole network has {whole:.2} dB");
    for (part, within, last) in PARTS {
        println!("\n{part}");
        let of_part: Vec<_> = within.iter().flat_map(|prefix| below(prefix)).collect();
        anyhow::ensure!(!of_part.is_empty(), "there are blocks 0 to 7");
        for (name, parameter) in &of_part {
            println!("    {name:52} {:?}", parameter.shape());
        }
        let switched = below(last);
        let values: Vec<_> = switched.iter().map(|(_, p)| p.value()).collect();
        let before = Tensor::to_vecs(&values)?;
        values.iter().for_each(|v| v.set(&vec![0.0; v.len()]));
        let without = psnr()?;
        values
            .iter()
            .zip(&before)
            .for_each(|(v, before)| v.set(before));
        let count: usize = of_part.iter().map(|(_, p)| p.len()).sum();
        println!(
            "    {count} weights; without it {without:.2} dB, {:+.2}",
            without - whole
        );
    }
    let same = psnr()? == whole;
    anyhow::ensure!(same, "not all is as it was");

    let (_, profile) = device.profile(0, || net.upscale(&x).to_vec())?;
    println!("\nwhere the time of all eight blocks goes");
    let mut shares: BTreeMap<&str, f64> = BTreeMap::new();
    for kernel in &profile.kernels {
        let op = kernel.name.split(' ').next().unwrap_or_default(); // constants follow
        *shares.entry(op).or_default() += kernel.time.as_secs_f64();
    }
    let total: f64 = shares.values().sum();
    let mut shares: Vec<_> = shares.into_iter().collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (op, seconds) in shares.iter().take(8) {
        println!("{op:24} {:5.1} %", 100.0 * seconds / total);
    }
    Ok(())
}
