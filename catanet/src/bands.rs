//! Maps that are too large to work on at once: in bands of rows, and tokens in runs.
//!
//! Without gradients nothing keeps the network's widest tensors (160 channels in the ×4 upsampler, 96
//! in ConvFFN and attention) but their next reader. So they exist for one band of rows at a time, with the rows
//! around it that its own follow from, and what is whole has 40 channels or 3. An output's arithmetic
//! does not depend on its band: the result has the same bits.

use std::ops::Range;

use autograd::{Var, in_parts, is_recording};
use tensor::ops;

use crate::model::{DIM, MLP_DIM, RECORD_DIM, WINDOWS};

/// What the widest tensor of a band may take, if the adapter binds as much: enough work to fill a
/// GPU, and so many rows that those around them hardly count.
const BAND_BYTES: u64 = 64 << 20;
/// Rows on either side that an output row of the upsampler follows from: at most one of the last
/// convolution's and one of the first upconv's, and less than one of all between.
pub const TAIL_HALO: usize = 2;
/// Runs of tokens begin at multiples of this: of every sub-group, and where kernels can begin to read.
const RUN_STEP: usize = 256;

/// `f` of images `[B, H, W, ..]`, where need be in bands of rows. `reach` tells the input rows that
/// given output rows follow from, `bytes` how much the widest tensor on the way takes for some input
/// rows of one image. `f` gets those rows of the inputs, and their numbers; every row of its result
/// stands for the same number of output rows. Where gradients are recorded, `f` gets whole images: all
/// at once, or as many as the adapter takes.
pub fn in_bands(
    inputs: &[&Var],
    reach: impl Fn(Range<usize>) -> Range<usize>,
    bytes: impl Fn(Range<usize>) -> usize,
    f: impl Fn(&[Var], Range<usize>) -> Var,
) -> Var {
    let (batch, height) = (inputs[0].shape()[0], inputs[0].shape()[1]);
    let device = inputs[0].device();
    if is_recording() {
        let fit = device.max_tensor_bytes() as usize / bytes(0..height);
        let parts: Vec<_> = (0..batch)
            .step_by(fit.max(1))
            .map(|first| first..batch.min(first + fit.max(1)))
            .collect();
        if parts.len() > 1 {
            return in_parts(inputs, &parts, |images| f(images, 0..height));
        }
    }
    let budget = device.max_tensor_bytes().min(BAND_BYTES);
    let fits = |images: usize, rows: Range<usize>| (images * bytes(rows)) as u64 <= budget;
    if is_recording() || fits(batch, 0..height) {
        let inputs: Vec<Var> = inputs.iter().map(|x| (*x).clone()).collect();
        return f(&inputs, 0..height);
    }
    let cut = |count: usize| (0..count).map(move |i| i * height / count..(i + 1) * height / count);
    let enough = |&count: &usize| cut(count).all(|rows| fits(1, reach(rows)));
    let count = (1..height).find(enough).unwrap_or(height);
    let band = |image: usize, rows: Range<usize>| {
        let around = reach(rows.clone());
        let part = |x: &&Var| {
            let image = ops::slice(x.value(), image..image + 1); // [1, H, ..]
            let part = ops::slice(&image.reshape(&image.shape()[1..]), around.clone());
            Var::constant(part.reshape(&[&[1], part.shape()].concat()))
        };
        let inputs: Vec<Var> = inputs.iter().map(part).collect();
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

/// The rows within `rows` of the output rows, of `height`: what a convolution reaches.
pub fn halo(rows: usize, height: usize) -> impl Fn(Range<usize>) -> Range<usize> {
    move |out: Range<usize>| out.start.saturating_sub(rows)..height.min(out.end + rows)
}

/// The bytes of a tensor of so many channels for every pixel of some rows of the images `x`.
pub fn row_bytes(x: &Var, channels: usize) -> impl Fn(Range<usize>) -> usize + use<> {
    let row = 4 * channels * x.shape()[2];
    move |rows| row * rows.len()
}

/// The runs in which to work on tokens `[1, N, C]` in sub-groups of `group`; None where a kernel can
/// take them all at once, or gradients are recorded.
pub fn in_runs(tokens: &Var, group: usize) -> Option<Vec<Range<usize>>> {
    let limit = tokens.device().max_tensor_bytes() as usize;
    let n = tokens.rows();
    if is_recording() || tokens.shape()[0] > 1 || 4 * RECORD_DIM * n <= limit {
        return None;
    }
    // The last run also takes what is too short to be mirrored at its end as all tokens are.
    let most = (limit / (4 * RECORD_DIM)).saturating_sub(RUN_STEP + 3 * group);
    let run = (most / RUN_STEP).max(1) * RUN_STEP;
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

/// The largest tensors of a forward pass over a height×width image, though it is worked on in parts: of
/// those that are whole, and of those that a kernel has to take at once.
pub fn least(scale: usize, height: usize, width: usize) -> [[usize; 3]; 2] {
    let widest = MLP_DIM.max(DIM * scale * scale);
    let bytes = |&[a, b, c]: &[usize; 3]| a * b * c;
    let larger = |a, b| if bytes(&a) >= bytes(&b) { a } else { b };
    // Up to three windows meet in a row.
    let windows = WINDOWS.map(|size| [3 * size, (width - 2).div_ceil(size - 2) * size, RECORD_DIM]);
    let band = [2 * TAIL_HALO + 1, width, widest];
    [
        larger([height, width, DIM], [height * scale, width * scale, 3]),
        windows.into_iter().fold(band, larger),
    ]
}
