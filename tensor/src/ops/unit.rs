//! Rows of unit length.

use crate::Tensor;
use crate::pipeline::{Kernel, vec_width};
use crate::record::grid;
use crate::tensor::WG;

const SOURCE: &str = include_str!("../../../shaders/unit.wgsl");

fn per_row(entry: &'static str, inputs: &[&Tensor]) -> Tensor {
    let x = inputs[0];
    let (c, rows) = (x.channels(), x.rows());
    let y = Tensor::uninit(x.device(), x.shape());
    let vec = vec_width(c);
    let constants = [("VEC", vec), ("CV", c / vec), ("WG", WG)];
    let constants = &constants.map(|(name, value)| (name, value as u32));
    let kernel = Kernel {
        source: SOURCE,
        entry,
        constants,
    };
    let inputs: Vec<_> = inputs.iter().map(|t| t.buffer()).collect();
    x.device().dispatch(
        &kernel,
        &inputs,
        &[y.buffer()],
        &[rows as u32],
        grid(rows.div_ceil(WG)),
    );
    y
}

/// `x / max(‖x‖₂, 1e-12)` over the last axis: PyTorch's `F.normalize`. `[.., C]` → `[.., C]`.
pub fn unit(x: &Tensor) -> Tensor {
    per_row("unit", &[x])
}

/// `dx = (dy − y·⟨y, dy⟩)/‖x‖`, y the unit row.
#[track_caller]
pub fn unit_backward(x: &Tensor, dy: &Tensor) -> Tensor {
    assert_eq!(x.shape(), dy.shape(), "unit_backward: shapes differ");
    per_row("unit_backward", &[x, dy])
}
