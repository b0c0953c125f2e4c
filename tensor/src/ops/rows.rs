//! Whole rows: taken by an index made on the device, or scaled each by its own factor.

use super::slice;
use crate::Tensor;
use crate::kernel::launch::Launch;
use crate::kernel::tiles::vec_width;

/// A kernel of the file, one vector of the output to an invocation.
fn launch(entry: &'static str, y: &Tensor) -> (Launch, usize) {
    let vec = vec_width(y.device().target(), y.channels());
    let launch = Launch::new("plain/rows", entry)
        .constants(&[("VEC", vec), ("CV", y.channels() / vec)])
        .param(y.len() / vec);
    (launch, y.len() / vec)
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
        let (launch, count) = launch("take_rows", &y);
        let launch = launch.input(&part).input(index).output(&y);
        launch.params(&[first, part.rows()]).each(count).run();
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
    let (launch, count) = launch("scale_rows", &y);
    let launch = launch.input(x).input(factor).output(&y);
    launch.params(&[0, period]).each(count).run();
    y
}
