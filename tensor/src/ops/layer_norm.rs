//! Layer normalisation over the channels.

use super::check;
use super::reduce::{RowSum, few_rows};
use crate::Tensor;
use crate::kernel::launch::Launch;
use crate::kernel::tiles::{self, NormRows, vec_width};

/// `(x − mean)/√(variance + eps)·w + b` over the last axis: `x` `[.., C]`, `w` and `b` `[C]`.
/// Returns the result `[.., C]` and the rows' (mean, 1/√…) `[N, 2]` for the backward pass.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn layer_norm(x: &Tensor, w: &Tensor, b: &Tensor, eps: f32) -> (Tensor, Tensor) {
    let (c, rows) = (x.channels(), x.rows());
    check::shape("layer_norm", "w", w, &[c]);
    check::shape("layer_norm", "b", b, &[c]);
    let y = Tensor::like(x, x.shape());
    let stats = Tensor::uninit(x.device(), &[rows, 2]);
    let kernel = |file| {
        let launch = Launch::new(file, "layer_norm").input(x).input(w).input(b);
        launch.output(&y).output(&stats)
    };
    let plain = kernel("plain/layer_norm")
        .params(&[rows, rows, c, 0])
        .param(eps)
        .each(rows);
    let target = x.device().target();
    match tiles::layer_norm(target) {
        Some(tile) => {
            let vec = vec_width(target, c);
            kernel("tuned/layer_norm")
                .constants(&[("VEC", vec), ("CV", c / vec), ("R", tile.rows)])
                .param(rows)
                .param(eps)
                .invocations(rows.div_ceil(tile.rows), tile.wg)
                .or(plain)
                .run()
        }
        None => plain.run(),
    };
    (y, stats)
}

/// The gradients (dx `[.., C]` plus `residual`, dw `[C]`, db `[C]`), with `stats` from the forward
/// pass.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn layer_norm_backward(
    x: &Tensor,
    w: &Tensor,
    stats: &Tensor,
    dy: &Tensor,
    residual: Option<&Tensor>,
) -> (Tensor, RowSum, RowSum) {
    check::shape("layer_norm_backward", "dy", dy, x.shape());
    check::shape("layer_norm_backward", "residual", residual, x.shape());
    let (c, rows) = (x.channels(), x.rows());
    let target = x.device().target();
    if let Some(chunk) = tiles::layer_norm_backward_parts(target) {
        return backward_parts([x, dy, w, stats], residual, chunk);
    }
    let tile = tiles::layer_norm_backward(target);
    let NormRows { rows: each, wg } = tile.unwrap_or(NormRows::PLAIN);
    let groups = rows.div_ceil(each * wg);
    let dx = Tensor::uninit(x.device(), x.shape());
    let sums = Tensor::uninit(x.device(), &[groups * wg, 2 * c]); // of dw, db, for each invocation
    let kernel = |file| {
        Launch::new(file, "layer_norm_backward")
            .input(x)
            .input(dy)
            .input(w)
            .input(stats)
            .optional("RESIDUAL", residual)
            .output(&dx)
            .output(&sums)
            .invocations(groups * wg, wg)
    };
    let plain = kernel("plain/layer_norm")
        .params(&[groups * wg, rows, c, each])
        .param(0.0); // eps is in stats
    match tile {
        Some(_) => {
            let vec = vec_width(target, c);
            kernel("tuned/layer_norm_backward")
                .constants(&[("VEC", vec), ("CV", c / vec), ("R", each)])
                .params(&[rows, groups])
                .or(plain)
                .run()
        }
        None => plain.run(),
    };
    let [dw, db] = halves(sums);
    (dx, dw, db)
}

/// The sums of the rows of dw and db, which lie side by side.
fn halves(sums: Tensor) -> [RowSum; 2] {
    let c = sums.channels() / 2;
    let (sums, _) = few_rows(sums, 0..2 * c);
    [0..c, c..2 * c].map(|columns| RowSum::of_columns(sums.clone(), columns, &[c]))
}

/// [`layer_norm_backward`] in two kernels: of dx, and of dw and db, summed over so many rows at first.
fn backward_parts(
    [x, dy, w, stats]: [&Tensor; 4],
    residual: Option<&Tensor>,
    chunk: usize,
) -> (Tensor, RowSum, RowSum) {
    let (c, rows) = (x.channels(), x.rows());
    let (vec, chunks) = (vec_width(x.device().target(), c), rows.div_ceil(chunk));
    let dx = Tensor::uninit(x.device(), x.shape());
    let sums = Tensor::uninit(x.device(), &[chunks, 2 * c]);
    let plain = || {
        let launch = Launch::new("plain/layer_norm", "layer_norm_backward");
        let launch = launch.input(x).input(dy).input(w).input(stats);
        let launch = launch.optional("RESIDUAL", residual);
        let launch = launch.output(&dx).output(&sums).each(chunks);
        launch.params(&[chunks, rows, c, chunk]).param(0.0)
    };
    let kernel = |entry| {
        let launch = Launch::new("tuned/layer_norm_backward_parts", entry);
        launch.constant("VEC", vec).input(x).input(dy)
    };
    kernel("layer_norm_backward_x")
        .input(w)
        .input(stats)
        .optional("RESIDUAL", residual)
        .output(&dx)
        .params(&[rows, rows, c / vec, 0])
        .each(rows)
        .or(plain())
        .run();
    let count = chunks * (c / vec);
    kernel("layer_norm_backward_w")
        .input(stats)
        .output(&sums)
        .params(&[count, rows, c / vec, chunk])
        .each(count)
        .or(plain())
        .run();
    let [dw, db] = halves(sums);
    (dx, dw, db)
}
