//! The matrix product of a linear layer, and its gradients.

use super::parts::fits_window;
use super::reduce::RowSum;
use crate::pipeline::Kernel;
use crate::record::grid;
use crate::tensor::{WG, dispatch_1d};
use crate::{Device, Tensor};

const SOURCE: &str = concat!(
    include_str!("../../../shaders/erf.wgsl"),
    include_str!("../../../shaders/linear.wgsl")
);
const ANY: &str = concat!(
    include_str!("../../../shaders/erf.wgsl"),
    include_str!("../../../shaders/linear_any.wgsl")
);
const WEIGHT_GRAD: &str = include_str!("../../../shaders/linear_weight_grad.wgsl");
const WEIGHT_GRAD_ANY: &str = include_str!("../../../shaders/linear_weight_grad_any.wgsl");
const TRANSPOSE: &str = include_str!("../../../shaders/transpose.wgsl");

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
    product(x, w, [n, k], bias, activation, residual, None)
}

/// `y = gelu(h)`, `h = x·wᵀ + bias`, where h is wanted too, for the gradient: (y, h), both `[.., N]`.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn linear_gelu(x: &Tensor, w: &Tensor, bias: &Tensor) -> (Tensor, Tensor) {
    let (n, k) = matrix(w);
    assert_eq!(
        x.channels(),
        k,
        "linear_gelu: x {:?}, w {:?}",
        x.shape(),
        w.shape()
    );
    let shape = [&x.shape()[..x.shape().len() - 1], &[n]].concat();
    let h = Tensor::uninit(x.device(), &shape);
    let y = product(x, w, [n, k], Some(bias), Activation::Gelu, None, Some(&h));
    (y, h)
}

/// `dx = dy·w + residual`: `dy` `[.., N]`, `w` `[N, K]`, `residual` `[.., K]` → `[.., K]`.
#[track_caller]
pub fn linear_input_grad(dy: &Tensor, w: &Tensor, residual: Option<&Tensor>) -> Tensor {
    let (n, k) = matrix(w);
    assert_eq!(
        dy.channels(),
        n,
        "linear_input_grad: dy {:?}, w {:?}",
        dy.shape(),
        w.shape()
    );
    product(
        dy,
        &transpose(w),
        [k, n],
        None,
        Activation::None,
        residual,
        None,
    )
}

/// `dw = dyᵀ·x` and `db = Σ_rows dy`: `x` `[.., K]`, `dy` `[.., N]` → `[N, K]` and `[N]`.
#[track_caller]
pub fn linear_weight_grad(x: &Tensor, dy: &Tensor) -> (Tensor, Tensor) {
    let [dw, db] = linear_weight_sums(x, dy);
    (dw.total(), db.total())
}

/// [`linear_weight_grad`] but for its last step.
#[track_caller]
pub fn linear_weight_sums(x: &Tensor, dy: &Tensor) -> [RowSum; 2] {
    let (m, n, k) = (x.rows(), dy.channels(), x.channels());
    assert_eq!(
        dy.rows(),
        m,
        "linear_weight_grad: x {:?}, dy {:?}",
        x.shape(),
        dy.shape()
    );
    let device = x.device();
    let rows_per_chunk = 128.max(m.div_ceil(4096));
    let chunks = m.div_ceil(rows_per_chunk);
    let dw = Tensor::uninit(device, &[chunks, n * k]);
    let inputs = [dy.buffer(), x.buffer()];
    if !(n.is_multiple_of(4) && k.is_multiple_of(4)) {
        let params = [dw.len(), m, n, k, rows_per_chunk].map(|v| v as u32);
        dispatch_1d(
            WEIGHT_GRAD_ANY,
            "linear_weight_grad_any",
            &inputs,
            &[dw.buffer()],
            &params,
            dw.len(),
        );
        return [RowSum::new(dw, &[n, k]), RowSum::new(dy.clone(), &[n])];
    }
    let db = Tensor::uninit(device, &[chunks, n]);
    let (lanes, k4) = (device.lanes(), k / 4);
    // Columns of an invocation, fours of k: a software driver's caches hold the sums of a tile of 48
    // times 48 and the loop that adds to them, unrolled.
    let (columns, fours, wg) = match device.is_software() {
        true => ((48 / lanes).min(32), 12, 8.max(lanes)),
        false => (8, 2, WG),
    };
    let tiles_n = n.div_ceil(columns * lanes);
    let c = n.div_ceil(tiles_n * lanes);
    let divides = |t: &usize| k4.is_multiple_of(*t);
    let tk4 = (1..=fours).rev().find(divides).unwrap_or(1);
    let count = chunks * tiles_n * (k4 / tk4);
    let constants =
        [("C", c), ("TK4", tk4), ("LANES", lanes), ("WG", wg)].map(|(c, v)| (c, v as u32));
    let kernel = Kernel {
        source: WEIGHT_GRAD,
        entry: "linear_weight_grad",
        constants: &constants,
    };
    let params = [m, n, k4, rows_per_chunk, tiles_n, count].map(|v| v as u32);
    let groups = grid((count * lanes).div_ceil(wg));
    let outputs = [dw.buffer(), db.buffer()];
    device.dispatch(&kernel, &inputs, &outputs, &params, groups);
    [RowSum::new(dw, &[n, k]), RowSum::new(db, &[n])]
}

/// `[M, N]` → `[N, M]`.
///
/// # Panics
/// If x is not a matrix.
#[track_caller]
pub fn transpose(x: &Tensor) -> Tensor {
    let &[rows, columns] = x.shape() else {
        panic!("transpose: {:?} is not a matrix", x.shape())
    };
    let y = Tensor::uninit(x.device(), &[columns, rows]);
    let params = [y.len(), rows, columns].map(|v| v as u32);
    dispatch_1d(
        TRANSPOSE,
        "transpose",
        &[x.buffer()],
        &[y.buffer()],
        &params,
        y.len(),
    );
    y
}

#[track_caller]
fn matrix(w: &Tensor) -> (usize, usize) {
    let &[n, k] = w.shape() else {
        panic!("linear: w {:?} is not [N, K]", w.shape())
    };
    (n, k)
}

/// The tile of an invocation: rows R × columns C, of N, and the most fours of K that it takes at a
/// time; and the workgroup's size.
///
/// On a software driver four rows are enough, as the weights' loads are shared by the lanes, and
/// as many columns as make it load the rows once or twice. A sum that stays where it is for 48 of K is
/// worth more there than rows in registers: those go to the stack, and come from it with the product.
fn tile(device: &Device, n: usize) -> [usize; 4] {
    let [r, most, fours, wg] = match device.is_software() {
        true => [4, 48, 12, 8.max(device.lanes())],
        false => [4, 8, 2, 64],
    };
    let divides = |c: &usize| n.is_multiple_of(*c);
    [
        r,
        (4..=most).rev().step_by(4).find(divides).unwrap_or(4),
        fours,
        wg,
    ]
}

#[track_caller]
fn product(
    x: &Tensor,
    w: &Tensor,
    [n, k]: [usize; 2],
    bias: Option<&Tensor>,
    activation: Activation,
    residual: Option<&Tensor>,
    kept: Option<&Tensor>, // takes what the activation is of
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
    let y = Tensor::like(residual.unwrap_or(x), &shape);
    let flags = [
        ("BIAS", bias.is_some()),
        ("GELU", activation == Activation::Gelu),
        ("RESIDUAL", residual.is_some()),
        ("KEEP", kept.is_some()),
        ("VEC", true), // 1: erf.wgsl works on single numbers here
    ]
    .map(|(name, on)| (name, on as usize));
    // What is absent is compiled out; any buffer stands in for it, for an output one of its own.
    let (bias, residual) = (bias.unwrap_or(w), residual.unwrap_or(x));
    let kept = kept.map_or_else(|| Tensor::uninit(device, &[4]), Tensor::clone);
    let inputs = [x.buffer(), w.buffer(), bias.buffer(), residual.buffer()];
    let outputs = [y.buffer(), kept.buffer()];
    let run = |(source, entry), sizes: &[(&'static str, usize)], params: &[usize], groups| {
        let constants = [sizes, &flags].concat();
        let constants: Vec<_> = constants.iter().map(|&(c, v)| (c, v as u32)).collect();
        let kernel = Kernel {
            source,
            entry,
            constants: &constants,
        };
        let params: Vec<_> = params.iter().map(|&v| v as u32).collect();
        device.dispatch(&kernel, &inputs, &outputs, &params, groups);
    };
    if n.is_multiple_of(4) && k.is_multiple_of(4) {
        let ([r, c, fours, wg], lanes) = (tile(device, n), device.lanes());
        let uniform = fits_window(w);
        let row_tiles = x.rows().div_ceil(r * lanes);
        let [gx, gz, _] = grid((row_tiles * lanes).div_ceil(wg));
        let chunks = (k / 4).div_ceil(fours);
        let sizes = [
            ("K4", k / 4),
            ("KB", (k / 4).div_ceil(chunks)),
            ("CHUNKS", chunks),
            ("N4", n / 4),
            ("R", r),
            ("C", c),
            ("LANES", lanes),
            ("WG", wg),
            ("UNIFORM1", if uniform { n * k / 4 } else { 0 }),
        ];
        let params = [x.rows(), row_tiles];
        run((SOURCE, "linear"), &sizes, &params, [gx, n / c, gz]);
    } else {
        let params = [y.len(), n, k];
        run(
            (ANY, "linear_any"),
            &[("WG", WG)],
            &params,
            grid(y.len().div_ceil(WG)),
        );
    }
    y
}
