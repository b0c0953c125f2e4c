//! Sums in a fixed order, and the L1 loss made of one.

use crate::Tensor;
use crate::pipeline::{Kernel, vec_width};
use crate::record::grid;
use crate::tensor::{WG, dispatch_1d};

const SOURCE: &str = include_str!("../../../shaders/reduce.wgsl");
const L1: &str = include_str!("../../../shaders/l1_loss.wgsl");
const CHUNK: usize = 32; // rows added up by one invocation

/// Dispatches a kernel of reduce.wgsl on x of this many rows.
fn dispatch(entry: &'static str, x: &Tensor, y: &Tensor, rows: usize) {
    let vec = vec_width(x.channels());
    let constants = [("VEC", vec), ("WG", WG), ("CHUNK", CHUNK)];
    let kernel = Kernel {
        source: SOURCE,
        entry,
        constants: &constants.map(|(name, value)| (name, value as u32)),
    };
    let n = y.len() / vec;
    let params = [n, rows, x.channels() / vec].map(|v| v as u32);
    let groups = grid(n.div_ceil(WG));
    x.device()
        .dispatch(&kernel, &[x.buffer()], &[y.buffer()], &params, groups);
}

/// The sum over all rows: `[.., C]` → `[C]`.
pub fn sum_rows(x: &Tensor) -> Tensor {
    let (mut rows, columns) = (x.rows(), x.channels());
    let mut x = x.clone();
    while rows > 1 {
        let chunks = rows.div_ceil(CHUNK);
        let y = Tensor::uninit(x.device(), &[chunks, columns]);
        dispatch("sum_rows", &x, &y, rows);
        (x, rows) = (y, chunks);
    }
    x.reshape(&[columns])
}

/// A row repeated: `[.., C]` of one row → [rows, C]. The derivative of [`sum_rows`].
#[track_caller]
pub fn broadcast_rows(x: &Tensor, rows: usize) -> Tensor {
    assert_eq!(
        x.rows(),
        1,
        "broadcast_rows: {:?} has several rows",
        x.shape()
    );
    let columns = x.channels();
    let y = Tensor::uninit(x.device(), &[rows, columns]);
    dispatch("broadcast_rows", x, &y, rows);
    y
}

/// The sum of all elements: `[..]` → `[1]`.
pub fn sum(x: &Tensor) -> Tensor {
    sum_rows(&x.reshape(&[x.len(), 1]))
}

/// `mean |a − b|` → `[1]`.
#[track_caller]
pub fn l1_loss(a: &Tensor, b: &Tensor) -> Tensor {
    assert_eq!(a.shape(), b.shape(), "l1_loss: shapes differ");
    let y = Tensor::uninit(a.device(), a.shape());
    let params = [a.len() as u32, 0];
    dispatch_1d(
        L1,
        "abs_difference",
        &[a.buffer(), b.buffer()],
        &[y.buffer()],
        &params,
        a.len(),
    );
    super::scale(&sum(&y), 1.0 / a.len() as f32)
}

/// `da = sign(a − b)·dy / n`, with `dy` `[1]`; `db` is its negative.
#[track_caller]
pub fn l1_loss_backward(a: &Tensor, b: &Tensor, dy: &Tensor) -> Tensor {
    assert_eq!(a.shape(), b.shape(), "l1_loss_backward: shapes differ");
    assert_eq!(dy.len(), 1, "l1_loss_backward: dy {:?}", dy.shape());
    let da = Tensor::uninit(a.device(), a.shape());
    let params = [a.len() as u32, (1.0 / a.len() as f32).to_bits()];
    let inputs = [a.buffer(), b.buffer(), dy.buffer()];
    dispatch_1d(
        L1,
        "l1_loss_backward",
        &inputs,
        &[da.buffer()],
        &params,
        a.len(),
    );
    da
}
