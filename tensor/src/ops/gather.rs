//! Taking rows by lists, and summing them back.

use super::check::tokens;
use crate::kernel::launch::Launch;
use crate::kernel::tiles::{gather_part, vec_width};
use crate::{Device, Tensor};

/// A list of rows to take, in groups of equal length, with its inverse; on the device, and shared
/// by all images of a batch. A slot is a place in the list; each names a row, or none.
#[derive(Clone)]
pub struct RowLists {
    pub(super) groups: usize,
    pub(super) per_group: usize,
    pub(super) source_rows: usize,
    pub(super) index: Tensor<u32>, // [groups * per_group]: the row in each slot
    offsets: Tensor<u32>,          // [source_rows + 1]: where each row's slots start
    slots: Tensor<u32>,            // [entries, at least 1]: the slots of row 0, of row 1, …
    identity: bool,                // slot i holds row i: taking and summing change nothing
}

impl RowLists {
    /// An empty slot: reads as zeros and gives no gradient.
    pub const NONE: u32 = u32::MAX;

    /// Uploads `index` (`groups` lists of equal length, one after another; rows below
    /// `source_rows`, or [`RowLists::NONE`]) and its inverse.
    ///
    /// # Panics
    /// If the list is empty, not a multiple of `groups` long, or names a row that is not there.
    #[track_caller]
    pub fn new(device: &Device, index: &[u32], groups: usize, source_rows: usize) -> Self {
        let len = index.len();
        assert!(
            len > 0 && groups > 0 && len.is_multiple_of(groups),
            "RowLists: {len} slots in {groups} groups"
        );
        let mut offsets = vec![0u32; source_rows + 1];
        for &row in index.iter().filter(|&&row| row != Self::NONE) {
            assert!(
                (row as usize) < source_rows,
                "RowLists: row {row} of {source_rows}"
            );
            offsets[row as usize + 1] += 1;
        }
        for row in 0..source_rows {
            offsets[row + 1] += offsets[row];
        }
        // A counting sort keeps the slots of a row in ascending order.
        let mut next = offsets.clone();
        let mut slots = vec![0u32; (offsets[source_rows] as usize).max(1)];
        for (slot, &row) in index
            .iter()
            .enumerate()
            .filter(|(_, row)| **row != Self::NONE)
        {
            slots[next[row as usize] as usize] = slot as u32;
            next[row as usize] += 1;
        }
        RowLists {
            groups,
            per_group: len / groups,
            source_rows,
            index: Tensor::new(device, index, &[len]),
            offsets: Tensor::new(device, &offsets, &[offsets.len()]),
            slots: Tensor::new(device, &slots, &[slots.len()]),
            identity: len == source_rows && index.iter().enumerate().all(|(i, &r)| r as usize == i),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.groups * self.per_group
    }
}

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
