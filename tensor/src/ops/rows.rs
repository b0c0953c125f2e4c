//! Whole rows: taken by an index made on the device, or scaled each by its own factor.

use crate::Tensor;
use crate::tensor::dispatch_1d;

const SOURCE: &str = include_str!("../../../shaders/rows.wgsl");

/// `y[r] = x[index[r]]`: `x` [M, C], `index` [.., rows] below M → [.., rows, C].
pub fn take_rows(x: &Tensor, index: &Tensor<u32>) -> Tensor {
    let y = Tensor::uninit(x.device(), &[index.shape(), &[x.channels()]].concat());
    let params = [y.len(), x.channels(), 1].map(|v| v as u32);
    dispatch_1d(
        SOURCE,
        "take_rows",
        &[x.buffer(), index.buffer()],
        &[y.buffer()],
        &params,
        y.len(),
    );
    y
}

/// Every row times its own factor, the same for all images: `x` [B, N, C], `factor` [N].
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
    let params = [x.len(), x.channels(), period].map(|v| v as u32);
    let inputs = [x.buffer(), factor.buffer()];
    dispatch_1d(
        SOURCE,
        "scale_rows",
        &inputs,
        &[y.buffer()],
        &params,
        y.len(),
    );
    y
}
