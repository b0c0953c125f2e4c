//! Dense 3×3 convolution: stride 1, zero padding 1.

use super::check::{self, images};
use super::reduce::RowSum;
use crate::Tensor;
use crate::kernel::launch::Launch;
use crate::kernel::tiles;
use crate::kernel::uniform::scalars_fit_uniform;

const PLAIN: &str = "plain/conv3x3";
const SCALAR: &str = "tuned/conv3x3_scalar"; // where weights are scalars

/// `y[b, v, u, o] = bias[o] + Σ x[b, v+ky−1, u+kx−1, i]·w[ky, kx, i, o] + residual[b, v, u, o]`,
/// zero outside the image.
///
/// `x`: `[B, H, W, Ci]`, `w`: `[3, 3, Ci, Co]`, `bias`: `[Co]`, `residual`: as the result,
/// `[B, H, W, Co]`.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn conv3x3(x: &Tensor, w: &Tensor, bias: Option<&Tensor>, residual: Option<&Tensor>) -> Tensor {
    forward("conv3x3", x, w, bias, After::add(residual))
}

/// The convolution, then LeakyReLU, then [`pixel_shuffle`](super::pixel_shuffle), in one pass over
/// memory.
///
/// `x`: `[B, H, W, Ci]`, `w`: `[3, 3, Ci, C·r²]`, `bias`: `[C·r²]`; gives `[B, H·r, W·r, C]`.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn conv3x3_leaky_relu_shuffle(
    x: &Tensor,
    w: &Tensor,
    bias: &Tensor,
    slope: f32,
    r: usize,
) -> Tensor {
    let op = "conv3x3_leaky_relu_shuffle";
    let divides = r > 0 && w.channels().is_multiple_of(r * r);
    assert!(divides, "{op}: weights {:?} by r = {r}", w.shape());
    let after = After {
        residual: None,
        slope: Some(slope),
        r,
    };
    forward(op, x, w, Some(bias), after)
}

/// The gradient by `x`, plus `residual`: `dy` `[B, H, W, Co]` and `w` `[3, 3, Ci, Co]` give
/// `[B, H, W, Ci]`. It is the convolution of `dy` with the weights' taps mirrored and channels
/// exchanged.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn conv3x3_backward_x(dy: &Tensor, w: &Tensor, residual: Option<&Tensor>) -> Tensor {
    let op = "conv3x3_backward_x";
    let [b, height, width, co] = images(op, dy);
    let ci = w.shape().get(2).copied().unwrap_or(0);
    check::shape(op, "weights", w, &[3, 3, ci, co]);
    let dx = Tensor::like(residual.unwrap_or(dy), &[b, height, width, ci]);
    check::shape(op, "residual", residual, dx.shape());
    let plain = Launch::new(PLAIN, op)
        .input(dy)
        .input(w)
        .optional("RESIDUAL", residual)
        .output(&dx)
        .constant("R", 1)
        .params(&[dx.len(), height, width, ci, co, 0, 0, 0])
        .each(dx.len());
    // Of the weights: where tap 0 lies, then from one tap, input and output channel to the next.
    let strides = [8 * ci * co, (ci * co).wrapping_neg(), 1, co];
    run(dy, w, None, &dx, strides, &After::add(residual), plain);
    dx
}

/// What follows a convolution before its result is stored.
struct After<'a> {
    residual: Option<&'a Tensor>, // added last
    slope: Option<f32>,           // of LeakyReLU
    r: usize,                     // of the pixel shuffle
}

impl<'a> After<'a> {
    /// A kernel of the convolution.
    fn kernel(
        &self,
        file: &'static str,
        [x, w]: [&Tensor; 2],
        bias: Option<&Tensor>,
        y: &Tensor,
    ) -> Launch {
        Launch::new(file, "conv3x3")
            .input(x)
            .input_as(w, file == SCALAR && scalars_fit_uniform(w))
            .optional("BIAS", bias)
            .optional("RESIDUAL", self.residual)
            .output(y)
            .constant("LEAKY", usize::from(self.slope.is_some()))
            .constant("R", self.r)
    }

    fn add(residual: Option<&'a Tensor>) -> After<'a> {
        After {
            residual,
            slope: None,
            r: 1,
        }
    }
}

#[track_caller]
fn forward(op: &str, x: &Tensor, w: &Tensor, bias: Option<&Tensor>, after: After) -> Tensor {
    let ([b, height, width, ci], co, r) = (images(op, x), w.channels(), after.r);
    check::shape(op, "weights", w, &[3, 3, ci, co]);
    check::shape(op, "bias", bias, &[co]);
    let shape = [b, height * r, width * r, co / (r * r)];
    check::shape(op, "residual", after.residual, &shape);
    let y = Tensor::like(after.residual.unwrap_or(x), &shape);
    let plain = after
        .kernel(PLAIN, [x, w], bias, &y)
        .params(&[y.len(), height, width, ci, co])
        .param(after.slope.unwrap_or(0.0))
        .params(&[0, 0])
        .each(y.len());
    run(x, w, bias, &y, [0, ci * co, co, 1], &after, plain);
    y
}

/// The tuned kernel, whose weights lie as `strides` tell, or the plain one.
fn run(
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    y: &Tensor,
    strides: [usize; 4],
    after: &After,
    plain: Launch,
) {
    let [b, height, width, ci] = images("conv3x3", x);
    let co = y.channels() * after.r * after.r;
    if let Some(tile) = tiles::conv3x3_scalar(x.device().target(), ci, co) {
        let packed = Tensor::uninit(x.device(), &[9 * ci, tile.outs]);
        let pack = Launch::new("tuned/conv3x3_pack", "conv3x3_pack")
            .input(w)
            .output(&packed)
            .params(&[packed.len(), co, tile.outs])
            .params(&strides)
            .each(packed.len())
            .feeds()
            .run();
        let strips = b * height * width.div_ceil(tile.cols);
        after
            .kernel(SCALAR, [x, &packed], bias, y)
            .constants(&tile.constants)
            .params(&[strips, height, width, ci / tile.vec, co])
            .param(after.slope.unwrap_or(0.0))
            .each(strips)
            .columns(tile.out_tiles)
            .needs(&pack)
            .or(plain)
            .run();
        return;
    }
    let Some(tile) = tiles::conv3x3(x.device().target(), co) else {
        plain.run();
        return;
    };
    let teams = tile.teams([b, height, width, co]);
    after
        .kernel("tuned/conv3x3", [x, w], bias, y)
        .constants(&tile.constants)
        .params(&[teams, height, width, ci, co])
        .params(&strides)
        .param(after.slope.unwrap_or(0.0))
        .teams(teams, tile.team)
        .or(plain)
        .run();
}

/// The gradients by `w` and by the bias: `x` `[B, H, W, Ci]` and `dy` `[B, H, W, Co]` give
/// `[3, 3, Ci, Co]` and `[Co]`. Summed over chunks of image rows first, then over the chunks, in a
/// fixed order.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn conv3x3_backward_w(x: &Tensor, dy: &Tensor) -> [RowSum; 2] {
    let op = "conv3x3_backward_w";
    let ([b, h, w, ci], co) = (images(op, x), dy.channels());
    check::shape(op, "dy", dy, &[b, h, w, co]);
    let (rows, taps) = (b * h, 9 * ci * co);
    let chunk = chunk_rows(rows, taps);
    let chunks = rows.div_ceil(chunk);
    let dw = Tensor::uninit(x.device(), &[chunks, taps]);
    let db = Tensor::uninit(x.device(), &[chunks, co]);
    let kernel = |file| {
        let launch = Launch::new(file, op).input(x).input(dy);
        launch.output(&dw).output(&db)
    };
    let plain = kernel(PLAIN)
        .constant("R", 1)
        .params(&[dw.len(), h, w, ci, co, 0, rows, chunk])
        .each(dw.len());
    let target = x.device().target();
    match tiles::conv3x3_backward_w(target, ci, co) {
        Some(_) if tiles::conv3x3_backward_w_by_fours(target, ci, co) => {
            let count = chunks * 3 * (ci / 4) * (co / 4);
            kernel("tuned/conv3x3_backward_w_fours")
                .params(&[count, rows, chunk, h, w, ci / 4, co / 4])
                .each(count)
                .or(plain)
                .run()
        }
        Some(tile) => {
            let teams = tile.teams(chunks, ci, co);
            kernel("tuned/conv3x3_backward_w")
                .constants(&tile.constants)
                .params(&[teams, rows, chunk, h, w, ci, co])
                .teams(teams, tile.team)
                .or(plain)
                .run()
        }
        None => plain.run(),
    };
    [RowSum::new(dw, &[3, 3, ci, co]), RowSum::new(db, &[co])]
}

/// Rows per chunk: few enough for many invocations and a small error, unless the partial sums,
/// `len` for each chunk, would take more than 16 MiB.
fn chunk_rows(rows: usize, len: usize) -> usize {
    let most_chunks = ((4 << 20) / len).max(1);
    rows.div_ceil(most_chunks).max(8)
}
