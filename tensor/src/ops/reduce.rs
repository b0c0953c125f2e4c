//! Sums in a fixed order, and the L1 loss made of one.

use crate::Tensor;
use crate::kernel::launch::Launch;
use crate::kernel::tiles::vec_width;

const CHUNK: usize = 32; // rows added up by one invocation

/// Runs a kernel of reduce.wgsl on x of this many rows.
fn run(entry: &'static str, x: &Tensor, y: &Tensor, rows: usize) {
    let vec = vec_width(x.device().target(), x.channels());
    let count = y.len() / vec;
    Launch::new("plain/reduce", entry)
        .input(x)
        .output(y)
        .constants(&[("VEC", vec), ("CHUNK", CHUNK)])
        .params(&[count, rows, x.channels() / vec])
        .each(count)
        .run();
}

/// The sum over all rows: `[.., C]` → `[C]`.
pub fn sum_rows(x: &Tensor) -> Tensor {
    let (mut rows, columns) = (x.rows(), x.channels());
    let mut x = x.clone();
    while rows > 1 {
        let chunks = rows.div_ceil(CHUNK);
        let y = Tensor::uninit(x.device(), &[chunks, columns]);
        run("sum_rows", &x, &y, rows);
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
    run("broadcast_rows", x, &y, rows);
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
    Launch::new("plain/l1_loss", "abs_difference")
        .input(a)
        .input(b)
        .output(&y)
        .param(a.len())
        .param(0.0)
        .each(a.len())
        .run();
    super::scale(&sum(&y), 1.0 / a.len() as f32)
}

/// `da = sign(a − b)·dy / n`, with `dy` `[1]`; `db` is its negative.
#[track_caller]
pub fn l1_loss_backward(a: &Tensor, b: &Tensor, dy: &Tensor) -> Tensor {
    assert_eq!(a.shape(), b.shape(), "l1_loss_backward: shapes differ");
    assert_eq!(dy.len(), 1, "l1_loss_backward: dy {:?}", dy.shape());
    let da = Tensor::uninit(a.device(), a.shape());
    Launch::new("plain/l1_loss", "l1_loss_backward")
        .input(a)
        .input(b)
        .input(dy)
        .output(&da)
        .param(a.len())
        .param(1.0 / a.len() as f32)
        .each(a.len())
        .run();
    da
}
