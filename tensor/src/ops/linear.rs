//! The matrix product of a linear layer, and its gradients.

use super::check::{self, matrix, with_channels};
use super::reduce::RowSum;
use crate::Tensor;
use crate::kernel::launch::Launch;
use crate::kernel::tiles;
use crate::kernel::uniform::{fits_uniform, scalars_fit_uniform};

const PLAIN: &str = "plain/linear";
const TUNED: &str = "tuned/linear";
const SCALAR: &str = "tuned/linear_scalar"; // where weights are scalars

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
/// `x` `[.., Ci]`, `w` `[Co, Ci]`, `bias` `[Co]`, `residual` `[.., Co]` → `[.., Co]`.
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
    product("linear", x, w, bias, activation, residual, None)
}

/// `y = gelu(h)`, `h = x·wᵀ + bias`, where h is wanted too, for the gradient: (y, h), both `[.., Co]`.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn linear_gelu(x: &Tensor, w: &Tensor, bias: &Tensor) -> (Tensor, Tensor) {
    let [co, _] = matrix("linear_gelu: w", w);
    let h = Tensor::uninit(x.device(), &with_channels(x, co));
    let (gelu, bias) = (Activation::Gelu, Some(bias));
    let y = product("linear_gelu", x, w, bias, gelu, None, Some(&h));
    (y, h)
}

/// `dx = dy·w + residual`: `dy` `[.., Co]`, `w` `[Co, Ci]`, `residual` `[.., Ci]` → `[.., Ci]`.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn linear_backward_x(dy: &Tensor, w: &Tensor, residual: Option<&Tensor>) -> Tensor {
    let op = "linear_backward_x";
    let [co, ci] = matrix(op, w);
    if tiles::linear(dy.device().target(), ci, co).is_some() {
        // It is the product with the transposed weights.
        let (wt, none) = (transpose(w), Activation::None);
        return product(op, dy, &wt, None, none, residual, None);
    }
    let dims = [dy.rows(), ci, co, 0];
    check::shape(op, "dy", dy, &with_channels(dy, co));
    let dx = Tensor::like(residual.unwrap_or(dy), &with_channels(dy, ci));
    check::shape(op, "residual", residual, dx.shape());
    Launch::new(PLAIN, op)
        .input(dy)
        .input(w)
        .optional("RESIDUAL", residual)
        .output(&dx)
        .constant("VEC", 1)
        .param(dx.len())
        .params(&dims)
        .each(dx.len())
        .run();
    dx
}

/// `dw = dyᵀ·x` and `db = Σ_rows dy`: `x` `[.., Ci]`, `dy` `[.., Co]` → `[Co, Ci]` and `[Co]`. Summed over
/// chunks of rows first, then over the chunks, in a fixed order.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn linear_backward_w(x: &Tensor, dy: &Tensor) -> [RowSum; 2] {
    let (rows, co, ci) = (x.rows(), dy.channels(), x.channels());
    let shapes = || format!("linear_backward_w: x {:?}, dy {:?}", x.shape(), dy.shape());
    assert!(dy.rows() == rows, "{}", shapes());
    let device = x.device();
    let chunk = 128.max(rows.div_ceil(4096));
    let chunks = rows.div_ceil(chunk);
    let dw = Tensor::uninit(device, &[chunks, co * ci]);
    let db = Tensor::uninit(device, &[chunks, co]);
    let kernel = |file| {
        let launch = Launch::new(file, "linear_backward_w");
        launch.input(x).input(dy).output(&dw).output(&db)
    };
    let plain = kernel(PLAIN)
        .constant("VEC", 1) // of erf
        .params(&[dw.len(), rows, ci, co, chunk])
        .each(dw.len());
    if let Some(tile) = tiles::linear_backward_w_fours(device.target(), co, ci) {
        let count = chunks * tile.tiles;
        kernel("tuned/linear_backward_w_fours")
            .constants(&tile.constants)
            .params(&[count, rows, ci / 4, co / 4, chunk])
            .each(count)
            .or(plain)
            .run();
        return [RowSum::new(dw, &[co, ci]), RowSum::new(db, &[co])];
    }
    match tiles::linear_backward_w(device.target(), co, ci) {
        Some(tile) => {
            let count = chunks * tile.tiles;
            kernel("tuned/linear_backward_w")
                .constants(&tile.constants)
                .params(&[count, rows, ci / 4, co, chunk, tile.column_tiles])
                .teams(count, tile.team)
                .or(plain)
                .run();
        }
        None => drop(plain.run()),
    }
    [RowSum::new(dw, &[co, ci]), RowSum::new(db, &[co])]
}

/// `[N, C]` → `[C, N]`.
///
/// # Panics
/// If x is not a matrix.
#[track_caller]
pub fn transpose(x: &Tensor) -> Tensor {
    let [rows, columns] = matrix("transpose", x);
    let y = Tensor::uninit(x.device(), &[columns, rows]);
    Launch::new("plain/transpose", "transpose")
        .input(x)
        .output(&y)
        .params(&[y.len(), rows, columns])
        .each(y.len())
        .run();
    y
}

#[track_caller]
fn product(
    op: &str,
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    activation: Activation,
    residual: Option<&Tensor>,
    kept: Option<&Tensor>,
) -> Tensor {
    let [co, ci] = matrix(op, w);
    assert!(
        x.channels() == ci,
        "{op}: x {:?}, w {:?}",
        x.shape(),
        w.shape()
    );
    check::shape(op, "bias", bias, &[co]);
    let shape = with_channels(x, co);
    check::shape(op, "residual", residual, &shape);
    let y = Tensor::like(residual.unwrap_or(x), &shape);
    let kernel = |file, vec| {
        let is_uniform = match file {
            TUNED => fits_uniform(w),
            SCALAR => scalars_fit_uniform(w),
            _ => false,
        };
        Launch::new(file, "linear")
            .input(x)
            .input_as(w, is_uniform)
            .optional("BIAS", bias)
            .optional("RESIDUAL", residual)
            .output(&y)
            .optional_output("KEEP", kept)
            .constant("GELU", usize::from(activation == Activation::Gelu))
            .constant("VEC", vec) // of erf
    };
    let plain = kernel(PLAIN, 1)
        .params(&[y.len(), x.rows(), ci, co, 0])
        .each(y.len());
    let Some(tile) = tiles::linear(x.device().target(), co, ci) else {
        plain.run();
        return y;
    };
    let [row_tiles, column_tiles] = tile.tiles(x.rows(), co);
    let kernel = match tile.scalar {
        true => kernel(SCALAR, 4).params(&[x.rows(), ci / 4]),
        false => kernel(TUNED, 1).params(&[x.rows(), row_tiles]),
    };
    let kernel = kernel.constants(&tile.constants);
    let kernel = kernel.teams(row_tiles, tile.team);
    kernel.columns(column_tiles).or(plain).run();
    y
}
