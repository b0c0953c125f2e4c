//! Whole rows: taken by an index made on the device, or scaled each by its own factor.

use crate::Tensor;
use crate::device::Buffer;
use crate::pipeline::{Kernel, vec_width};
use crate::record::grid;
use crate::tensor::WG;

const SOURCE: &str = include_str!("../../../shaders/rows.wgsl");

fn per_vec(entry: &'static str, inputs: [&Buffer; 2], y: &Tensor, period: usize) {
    let vec = vec_width(y.channels());
    let constants = [("VEC", vec), ("CV", y.channels() / vec), ("WG", WG)];
    let kernel = Kernel {
        source: SOURCE,
        entry,
        constants: &constants.map(|(name, value)| (name, value as u32)),
    };
    let params = [(y.len() / vec) as u32, period as u32];
    let groups = grid((y.len() / vec).div_ceil(WG));
    y.device()
        .dispatch(&kernel, &inputs, &[y.buffer()], &params, groups);
}

/// `y[r] = x[index[r]]`: `x` `[M, C]`, `index` `[.., rows]` below M → `[.., rows, C]`.
pub fn take_rows(x: &Tensor, index: &Tensor<u32>) -> Tensor {
    let y = Tensor::uninit(x.device(), &[index.shape(), &[x.channels()]].concat());
    per_vec("take_rows", [x.buffer(), index.buffer()], &y, 1);
    y
}

/// Every row times its own factor, the same for all images: `x` `[B, N, C]`, `factor` `[N]`.
/// It is its own derivative.
#[track_caller]
pub fn scale_rows(x: &Tensor, factor: &Tensor) -> Tensor {
    let period = factor.len();
    assert!(
        x.rows().is_multiple_of(period),
        "scale_rows: {:?}, {:?}",
        x.shape(),
        factor.shape()
    );
    let y = Tensor::uninit(x.device(), x.shape());
    per_vec("scale_rows", [x.buffer(), factor.buffer()], &y, period);
    y
}
