//! The matrix product of a linear layer, and its gradients.

use super::reduce::sum_rows;
use crate::pipeline::Kernel;
use crate::record::grid;
use crate::{Device, Tensor};

const SOURCE: &str = concat!(
    include_str!("../../../shaders/erf.wgsl"),
    include_str!("../../../shaders/linear.wgsl")
);
const WEIGHT_GRAD: &str = include_str!("../../../shaders/linear_weight_grad.wgsl");

/// What is applied to a product before it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// The exact GELU.
    Gelu,
}

/// `act(x·wᵀ + bias) + residual`, for every row of `x`: PyTorch's `F.linear`.
///
/// `x` `[.., K]`, `w` `[N, K]`, `bias` `[N]`, `residual` `[.., N]` → `[.., N]`.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn linear(
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    activation: Activation,
    residual: Option<&Tensor>,
) -> Tensor {
    let (n, k) = matrix(w);
    assert_eq!(
        x.channels(),
        k,
        "linear: x {:?}, w {:?}",
        x.shape(),
        w.shape()
    );
    product(x, w, [n, k], [k, 1], bias, activation, residual)
}

/// `dx = dy·w`: `dy` `[.., N]`, `w` `[N, K]` → `[.., K]`.
#[track_caller]
pub fn linear_input_grad(dy: &Tensor, w: &Tensor) -> Tensor {
    let (n, k) = matrix(w);
    assert_eq!(
        dy.channels(),
        n,
        "linear_input_grad: dy {:?}, w {:?}",
        dy.shape(),
        w.shape()
    );
    product(dy, w, [k, n], [1, k], None, Activation::None, None)
}

/// `dw = dyᵀ·x`: `x` `[.., K]`, `dy` `[.., N]` → `[N, K]`.
#[track_caller]
pub fn linear_weight_grad(x: &Tensor, dy: &Tensor) -> Tensor {
    let (m, n, k) = (x.rows(), dy.channels(), x.channels());
    assert_eq!(
        dy.rows(),
        m,
        "linear_weight_grad: x {:?}, dy {:?}",
        x.shape(),
        dy.shape()
    );
    let (tn, tk) = if x.device().is_software() {
        (16, 20)
    } else {
        (8, 10)
    };
    let tiles = n.div_ceil(tn) * k.div_ceil(tk);
    let rows_per_chunk = 128.max(m.div_ceil(4096));
    let chunks = m.div_ceil(rows_per_chunk);
    let partial = Tensor::uninit(x.device(), &[chunks, n * k]);
    let wg = if x.device().is_software() { 8 } else { 32 };
    let kernel = Kernel {
        source: WEIGHT_GRAD,
        entry: "linear_weight_grad",
        constants: &[("TN", tn as u32), ("TK", tk as u32), ("WG", wg as u32)],
    };
    let params = [m, n, k, rows_per_chunk, tiles].map(|v| v as u32);
    let groups = [tiles.div_ceil(wg), chunks, 1];
    let inputs = [dy.buffer(), x.buffer()];
    x.device()
        .dispatch(&kernel, &inputs, &[partial.buffer()], &params, groups);
    sum_rows(&partial).reshape(&[n, k])
}

#[track_caller]
fn matrix(w: &Tensor) -> (usize, usize) {
    let &[n, k] = w.shape() else {
        panic!("linear: w {:?} is not [N, K]", w.shape())
    };
    (n, k)
}

/// The tile of an invocation (rows R × columns C) and the workgroup's size, for N columns.
fn tile(device: &Device, n: usize) -> (usize, usize, usize) {
    let divides = |c: &&usize| n.is_multiple_of(**c);
    if device.is_software() {
        // Loads are dear and spilled registers cheap there: the larger the tile, the better.
        let c = *[24, 20, 18, 16].iter().find(divides).unwrap_or(&8);
        (16, c, 8)
    } else {
        (4, *[8, 6].iter().find(divides).unwrap_or(&4), 64)
    }
}

#[track_caller]
fn product(
    x: &Tensor,
    w: &Tensor,
    [n, k]: [usize; 2],
    [stride_n, stride_k]: [usize; 2],
    bias: Option<&Tensor>,
    activation: Activation,
    residual: Option<&Tensor>,
) -> Tensor {
    let device = x.device();
    let shape = [&x.shape()[..x.shape().len() - 1], &[n]].concat();
    if let Some(b) = bias {
        assert_eq!(
            b.len(),
            n,
            "linear: bias {:?}, w {:?}",
            b.shape(),
            w.shape()
        );
    }
    if let Some(r) = residual {
        assert_eq!(
            r.shape(),
            shape,
            "linear: residual {:?}, result {shape:?}",
            r.shape()
        );
    }
    let y = Tensor::uninit(device, &shape);
    let (r, c, wg) = tile(device, n);
    let kernel = Kernel {
        source: SOURCE,
        entry: "linear",
        constants: &[
            ("R", r as u32),
            ("C", c as u32),
            ("WG", wg as u32),
            ("BIAS", bias.is_some() as u32),
            ("GELU", (activation == Activation::Gelu) as u32),
            ("RESIDUAL", residual.is_some() as u32),
        ],
    };
    let row_tiles = x.rows().div_ceil(r * wg);
    let params = [x.rows(), n, k, stride_n, stride_k, row_tiles].map(|v| v as u32);
    // An absent bias or residual is compiled out; any buffer stands in for it.
    let (bias, residual) = (bias.unwrap_or(w), residual.unwrap_or(x));
    let inputs = [x.buffer(), w.buffer(), bias.buffer(), residual.buffer()];
    let [gx, gz, _] = grid(row_tiles);
    device.dispatch(
        &kernel,
        &inputs,
        &[y.buffer()],
        &params,
        [gx, n.div_ceil(c), gz],
    );
    y
}
