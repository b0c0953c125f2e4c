//! Whole rows: taken by an index made on the device, or scaled each by its own factor.

use super::slice;
use crate::Tensor;
use crate::device::Buffer;
use crate::pipeline::{Kernel, vec_width};
use crate::record::grid;
use crate::tensor::WG;

const SOURCE: &str = include_str!("../../../shaders/rows.wgsl");

fn per_vec(entry: &'static str, inputs: [&Buffer; 2], y: &Tensor, [first, rows]: [usize; 2]) {
    let vec = vec_width(y.channels());
    let constants = [("VEC", vec), ("CV", y.channels() / vec), ("WG", WG)];
    let kernel = Kernel {
        source: SOURCE,
        entry,
        constants: &constants.map(|(name, value)| (name, value as u32)),
    };
    let params = [y.len() / vec, first, rows].map(|n| n as u32);
    let groups = grid((y.len() / vec).div_ceil(WG));
    y.device()
        .dispatch(&kernel, &inputs, &[y.buffer()], &params, groups);
}

/// `y[r] = x[index[r]]`: `x` `[M, C]`, `index` `[.., rows]` below M → `[.., rows, C]`. x may be larger
/// than what a kernel can take at once.
#[track_caller]
pub fn take_rows(x: &Tensor, index: &Tensor<u32>) -> Tensor {
    let &[m, c] = x.shape() else {
        panic!("take_rows: x {:?} is not [M, C]", x.shape())
    };
    let y = Tensor::like(x, &[index.shape(), &[c]].concat());
    // 64 rows of any width end where kernels can begin to read.
    let at_once = x.device().max_tensor_bytes() as usize / (4 * c * 64) * 64;
    for first in (0..m).step_by(at_once.max(64)) {
        let part = slice(x, first..m.min(first + at_once.max(64)));
        let range = [first, part.rows()];
        per_vec("take_rows", [part.buffer(), index.buffer()], &y, range);
    }
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
    let y = Tensor::like(x, x.shape());
    per_vec("scale_rows", [x.buffer(), factor.buffer()], &y, [0, period]);
    y
}
