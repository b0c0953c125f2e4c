//! Rows of unit length.

use crate::Tensor;
use crate::kernel::launch::Launch;
use crate::kernel::tiles::vec_width;

/// Runs a kernel of the file, one row to an invocation.
fn run(entry: &'static str, inputs: &[&Tensor]) -> Tensor {
    let x = inputs[0];
    let y = Tensor::uninit(x.device(), x.shape());
    let vec = vec_width(x.device().target(), x.channels());
    let launch = Launch::new("plain/unit", entry);
    let launch = inputs.iter().fold(launch, |launch, x| launch.input(*x));
    launch
        .output(&y)
        .constants(&[("VEC", vec), ("CV", x.channels() / vec)])
        .param(x.rows())
        .each(x.rows())
        .run();
    y
}

/// `x / max(‖x‖₂, 1e-12)` over the last axis: PyTorch's `F.normalize`. `[.., C]` → `[.., C]`.
pub fn unit(x: &Tensor) -> Tensor {
    run("unit", &[x])
}

/// `dx = (dy − y·⟨y, dy⟩)/‖x‖`, y the unit row.
#[track_caller]
pub fn unit_backward(x: &Tensor, dy: &Tensor) -> Tensor {
    assert_eq!(x.shape(), dy.shape(), "unit_backward: shapes differ");
    run("unit_backward", &[x, dy])
}
