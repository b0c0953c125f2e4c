//! Taking rows by lists, and summing them back.

use super::check::tokens;
use crate::Tensor;
use crate::kernel::launch::Launch;
use crate::kernel::tiles::{gather_part, vec_width};
use crate::lists::RowLists;

/// A kernel that moves whole rows, for so many rows of y; and its invocations.
pub(super) fn row_kernel(
    file: &'static str,
    entry: &'static str,
    y: &Tensor,
    rows: usize,
) -> (Launch, usize) {
    let target = y.device().target();
    let vec = vec_width(target, y.channels());
    let all = y.channels() / vec;
    let part = gather_part(target, all);
    let constants = [("VEC", vec), ("CV", all), ("PART", part)];
    let launch = Launch::new(file, entry).constants(&constants);
    (launch, rows * all / part)
}

/// The listed rows of x `[B, N, C]`: `[B, slots, C]`, zeros where the slot is empty.
/// [`segment_sum`] is its derivative.
///
/// # Panics
/// If the lists are not for N rows.
#[track_caller]
pub fn gather(x: &Tensor, lists: &RowLists) -> Tensor {
    let [batch, rows, channels] = tokens("gather", x);
    assert_eq!(
        rows,
        lists.source_rows,
        "gather: {:?}, lists for other rows",
        x.shape()
    );
    if lists.identity {
        return x.clone();
    }
    let slots = lists.len();
    let y = Tensor::like(x, &[batch, slots, channels]);
    let (launch, count) = row_kernel("plain/gather", "gather", &y, batch * slots);
    let launch = launch.input(x).input(&lists.index).output(&y);
    launch.params(&[count, slots, rows]).each(count).run();
    y
}

/// For each row the sum of y `[B, slots, C]` over the slots that hold it, in ascending order:
/// `[B, N, C]`, zeros where none does. [`gather`] is its derivative.
///
/// # Panics
/// If y has not the lists' number of slots.
#[track_caller]
pub fn segment_sum(y: &Tensor, lists: &RowLists) -> Tensor {
    let [batch, slots, channels] = tokens("segment_sum", y);
    assert_eq!(
        slots,
        lists.len(),
        "segment_sum: {:?}, lists of other slots",
        y.shape()
    );
    if lists.identity {
        return y.clone();
    }
    let rows = lists.source_rows;
    let x = Tensor::like(y, &[batch, rows, channels]);
    let (launch, count) = row_kernel("plain/gather", "segment_sum", &x, batch * rows);
    let launch = launch.input(y).input(&lists.offsets).input(&lists.slots);
    let launch = launch.output(&x).params(&[count, slots, rows]);
    launch.each(count).run();
    x
}
