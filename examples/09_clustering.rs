//! Tokens grouped by what they show: `cargo run --example 09_clustering -- FOLDER`.
//!
//! Builds on 07, where tokens were colours. Here they are those of CATANet's first block.

use std::collections::BTreeMap;
use std::path::PathBuf;

use autograd::{Var, conv3x3, layer_norm, no_grad, unit};
use catanet::data::dead_leaves::scene;
use catanet::image::Image;
use catanet::weights::load_bytes;
use catanet_cli::weights::shipped;
use nn::{Parameter, parameters};
use tensor::{Device, Tensor, ops};

const WIDTH: usize = 96;
const HEIGHT: usize = 64;
const CENTRES: usize = 16;
const C: usize = 40;

fn main() -> anyhow::Result<()> {
    let device = Device::open(None)?;
    let (net, _) = load_bytes(&device, shipped(2)?, "as shipped".as_ref(), Some(2))?;
    let all: BTreeMap<String, Parameter> = parameters(&net).into_iter().collect();
    // What a token shows is its direction: all become unit vectors.
    let tokens = |image: &Image| {
        let p = |name: &str| &*all[name];
        let x = Tensor::new(&device, &image.to_f32(), &[1, HEIGHT, WIDTH, 3]);
        let (w, b) = (p("first_conv.weight"), p("first_conv.bias"));
        let f = no_grad(|| conv3x3(&Var::constant(x), w, b, None)); // [1, H, W, C]
        let (w, b) = (p("blocks.0.0.norm.weight"), p("blocks.0.0.norm.bias"));
        let tokens = no_grad(|| unit(&layer_norm(&f, w, b, 1e-5)));
        tokens.value().reshape(&[1, HEIGHT * WIDTH, C])
    };

    // Centres begin as the means of runs of tokens, whatever those show. A refinement gives every
    // token to its nearest centre, and makes each centre the direction of its tokens' sum.
    let image = scene(21, 4, WIDTH, HEIGHT);
    let x = tokens(&image); // [1, N, C]
    let mut centres = ops::unit(&ops::pool_tokens(&x, CENTRES)); // [M, C]
    println!("mean ⟨token, its centre⟩");
    for step in 0..=8 {
        let (by_host, _, likeness) = refined(&x.to_vec()?, &centres.to_vec()?);
        let next = ops::refine_centres(&x, &centres).0;
        let pairs = by_host.iter().zip(next.to_vec()?);
        let off = pairs.map(|(a, b)| (a - b).abs()).max_by(f32::total_cmp);
        let off = off.unwrap_or(0.0);
        println!("after {step} refinements {likeness:.4}; kernels differ from loops by {off:.0e}");
        anyhow::ensure!(off < 1e-4, "the kernels are wrong");
        centres = next;
    }
    let (_, owner, _) = refined(&x.to_vec()?, &centres.to_vec()?);

    // In training the stored centres follow those of each step. A mean of unit vectors is shorter
    // than one, the more so the more they differ. (The network keeps 0.999; 0.9 shows it sooner.)
    let mut stored = centres;
    for index in 0..24 {
        let x = tokens(&scene(22, index, WIDTH, HEIGHT));
        let start = ops::unit(&stored);
        let refine = |c: Tensor, _| ops::unit(&ops::refine_centres(&x, &c).0);
        stored = ops::weighted_sum(&stored, 0.9, &(0..5).fold(start, refine), 0.1);
    }
    let norm = |v: &[f32]| v.iter().map(|v| v * v).sum::<f32>().sqrt();
    let norms: Vec<f32> = stored.to_vec()?.chunks(C).map(norm).collect();
    println!("norms of the stored centres after 24 other scenes\n{norms:.2?}");

    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.unwrap_or_else(std::env::temp_dir);
    image.save_png(folder.join("scene.png"))?;
    let wave = |m: usize, c: usize| 128.0 + 127.0 * (3.9 * m as f32 + 2.1 * c as f32).cos();
    let colours = owner
        .iter()
        .flat_map(|&m| [0, 1, 2].map(|c| wave(m, c) as u8));
    let groups = Image::new(WIDTH, HEIGHT, colours.collect());
    groups.save_png(folder.join("groups.png"))?;
    println!("scene.png and groups.png are in {}", folder.display());
    Ok(())
}

/// One refinement in plain loops: new centres, every token's owner, and the mean ⟨token, owner⟩.
fn refined(tokens: &[f32], centres: &[f32]) -> (Vec<f32>, Vec<usize>, f32) {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let (mut sums, mut owner, mut likeness) = (vec![0.0; centres.len()], vec![], 0.0);
    for x in tokens.chunks(C) {
        let likes = Vec::from_iter(centres.chunks(C).map(|c| dot(x, c)));
        let nearest =
            (0..likes.len()).fold(0, |best, m| if likes[m] > likes[best] { m } else { best });
        (0..C).for_each(|c| sums[nearest * C + c] += x[c]);
        likeness += likes[nearest] * C as f32 / tokens.len() as f32;
        owner.push(nearest);
    }
    for (sum, old) in sums.chunks_mut(C).zip(centres.chunks(C)) {
        let length = dot(sum, sum).sqrt();
        match length > 0.0 {
            true => sum.iter_mut().for_each(|v| *v /= length),
            false => sum.copy_from_slice(old), // it owns nothing
        }
    }
    (sums, owner, likeness)
}
