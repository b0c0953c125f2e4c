//! Layer normalisation over the channels.

use super::reduce::{RowSum, few_rows};
use crate::Tensor;
use crate::pipeline::{Kernel, vec_width};
use crate::record::grid;
use crate::tensor::WG;

const SOURCE: &str = include_str!("../../../shaders/layer_norm.wgsl");
const BACKWARD: &str = include_str!("../../../shaders/layer_norm_backward.wgsl");

/// `(x − mean)/√(variance + eps)·w + b` over the last axis: `x` `[.., C]`, `w` and `b` `[C]`.
/// Returns the result `[.., C]` and the rows' (mean, 1/√…) [rows, 2] for the backward pass.
#[track_caller]
pub fn layer_norm(x: &Tensor, w: &Tensor, b: &Tensor, eps: f32) -> (Tensor, Tensor) {
    let (c, rows) = (x.channels(), x.rows());
    assert!(
        w.len() == c && b.len() == c,
        "layer_norm: x {:?}, w {:?}",
        x.shape(),
        w.shape()
    );
    let y = Tensor::like(x, x.shape());
    let stats = Tensor::uninit(x.device(), &[rows, 2]);
    let (r, wg) = match x.device().is_software() {
        true => (2, 8.max(x.device().lanes())),
        false => (1, WG),
    };
    let vec = vec_width(c);
    let kernel = Kernel {
        source: SOURCE,
        entry: "layer_norm",
        constants: &[
            ("VEC", vec as u32),
            ("CV", (c / vec) as u32),
            ("R", r as u32),
            ("WG", wg as u32),
        ],
    };
    let params = [rows as u32, eps.to_bits()];
    let inputs = [x.buffer(), w.buffer(), b.buffer()];
    let outputs = [y.buffer(), stats.buffer()];
    x.device().dispatch(
        &kernel,
        &inputs,
        &outputs,
        &params,
        grid(rows.div_ceil(r * wg)),
    );
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
) -> (Tensor, Tensor, Tensor) {
    let (dx, dw, db) = layer_norm_backward_sums(x, w, stats, dy, residual);
    (dx, dw.total(), db.total())
}

/// [`layer_norm_backward`] but for the last step of dw and db.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn layer_norm_backward_sums(
    x: &Tensor,
    w: &Tensor,
    stats: &Tensor,
    dy: &Tensor,
    residual: Option<&Tensor>,
) -> (Tensor, RowSum, RowSum) {
    assert!(
        x.shape() == dy.shape() && residual.is_none_or(|r| r.shape() == x.shape()),
        "layer_norm_backward: x {:?}, dy {:?}, residual {:?}",
        x.shape(),
        dy.shape(),
        residual.map(|r| r.shape())
    );
    let (c, rows) = (x.channels(), x.rows());
    let (r, wg) = match x.device().is_software() {
        true => (4, 8.max(x.device().lanes())),
        false => (8, WG),
    };
    let count = rows.div_ceil(r * wg);
    let dx = Tensor::uninit(x.device(), x.shape());
    let partial = Tensor::uninit(x.device(), &[count * wg, 2 * c]);
    let vec = vec_width(c);
    let kernel = Kernel {
        source: BACKWARD,
        entry: "layer_norm_backward",
        constants: &[
            ("VEC", vec as u32),
            ("CV", (c / vec) as u32),
            ("R", r as u32),
            ("RESIDUAL", residual.is_some() as u32),
            ("WG", wg as u32),
        ],
    };
    let residual = residual.unwrap_or(x); // stands in for none
    let inputs = [x, dy, w, stats, residual].map(Tensor::buffer);
    let outputs = [dx.buffer(), partial.buffer()];
    let params = [rows, count].map(|n| n as u32);
    x.device()
        .dispatch(&kernel, &inputs, &outputs, &params, grid(count));
    let (partial, _) = few_rows(partial, 0..2 * c);
    let sum = |columns| RowSum::of_columns(partial.clone(), columns, &[c]);
    (dx, sum(0..c), sum(c..2 * c))
}
