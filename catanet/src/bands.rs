//! Maps that are too large to work on at once: in bands of rows, and tokens in runs.
//!
//! Without gradients nothing keeps the network's widest tensors (160 channels in the ×4 upsampler, 96
//! in ConvFFN and attention) but their next reader. So they exist for one band of rows at a time, with
//! the rows around it that its own follow from, and what is whole has 40 channels or 3. An output's
//! arithmetic does not depend on its band: the result has the same bits. How much is cut off at a
//! time, [`limits`](crate::limits) says.

use std::ops::Range;

use autograd::{Var, in_parts, is_recording};
use tensor::ops;

use crate::limits::{self, Part};

/// `f`, the given part of the network, of images `[B, H, W, ..]`, where need be in bands of rows. `f`
/// gets some rows of the inputs, and their numbers; every row of its result stands for the same number
/// of output rows. Where gradients are recorded, `f` gets whole images: all at once, or as many as the
/// adapter takes.
pub fn in_bands(inputs: &[&Var], part: Part, f: impl Fn(&[Var], Range<usize>) -> Var) -> Var {
    let &[batch, height, width, _] = inputs[0].shape() else {
        unreachable!("images are [B, H, W, C]")
    };
    let (device, map) = (inputs[0].device(), [height, width]);
    let all = || -> Vec<Var> { inputs.iter().map(|&x| x.clone()).collect() };
    if is_recording() {
        let fit = limits::images_at_once(device, part, map);
        if batch <= fit {
            return f(&all(), 0..height);
        }
        let starts = (0..batch).step_by(fit);
        let parts: Vec<_> = starts.map(|at| at..batch.min(at + fit)).collect();
        return in_parts(inputs, &parts, |images| f(images, 0..height));
    }
    let budget = limits::band_bytes(device);
    if batch as u64 * part.bytes(map, 0..height) <= budget {
        return f(&all(), 0..height);
    }
    let cut = |count: usize| (0..count).map(move |i| i * height / count..(i + 1) * height / count);
    let fits = |rows| part.bytes(map, part.reach(height, rows)) <= budget;
    let count = (1..height).find(|&count| cut(count).all(fits));
    let count = count.unwrap_or(height);
    let band = |image: usize, rows: Range<usize>| {
        let around = part.reach(height, rows.clone());
        let of = |x: &&Var| {
            let image = ops::slice(x.value(), image..image + 1); // [1, H, ..]
            let band = ops::slice(&image.reshape(&image.shape()[1..]), around.clone());
            Var::constant(band.reshape(&[&[1], band.shape()].concat()))
        };
        let inputs: Vec<Var> = inputs.iter().map(of).collect();
        let y = f(&inputs, around.clone()).value().clone();
        let scale = y.shape()[1] / around.len();
        let own = (rows.start - around.start) * scale..(rows.end - around.start) * scale;
        ops::slice(&y.reshape(&y.shape()[1..]), own)
    };
    let bands = (0..batch).flat_map(|image| cut(count).map(move |rows| (image, rows)));
    let mut bands = bands
        .map(|(image, rows)| (rows.len(), band(image, rows)))
        .peekable();
    let scale = bands.peek().map_or(1, |(rows, y)| y.shape()[0] / rows);
    let height = height * scale;
    let y = ops::concat(batch * height, bands.map(|(_, y)| y)); // [B·H·s, W·s, C]
    Var::constant(y.reshape(&[&[batch, height], &y.shape()[1..]].concat()))
}

/// The runs in which to work on tokens `[1, N, C]` in sub-groups of `group`; None where a kernel can
/// take them all at once, or gradients are recorded.
pub fn in_runs(tokens: &Var, group: usize) -> Option<Vec<Range<usize>>> {
    let (device, n) = (tokens.device(), tokens.rows());
    if is_recording() || tokens.shape()[0] > 1 || limits::tokens_fit(device, n) {
        return None;
    }
    let run = limits::run_length(device, group);
    let mut starts: Vec<usize> = (0..n).step_by(run).collect();
    if n - starts[starts.len() - 1] < 2 * group {
        starts.pop();
    }
    let ends = starts.iter().skip(1).copied().chain([n]);
    Some(
        starts
            .iter()
            .copied()
            .zip(ends)
            .map(|(from, to)| from..to)
            .collect(),
    )
}
