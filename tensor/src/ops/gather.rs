//! Taking rows by lists, and summing them back.

use crate::tensor::dispatch_1d;
use crate::{Device, Tensor};

const SOURCE: &str = include_str!("../../../shaders/gather.wgsl");

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

/// Batch, rows and channels of a `[B, N, C]` tensor.
#[track_caller]
pub(super) fn tokens(op: &str, x: &Tensor) -> [usize; 3] {
    let shape = x.shape();
    shape
        .try_into()
        .unwrap_or_else(|_| panic!("{op}: {shape:?} is not [B, N, C]"))
}

/// Invocations per row: see the shader.
fn parts(device: &Device, channels: usize) -> usize {
    if device.is_software() { 1 } else { channels }
}

/// Takes rows `index[b, slot]` with `index` as long as `index_stride` tells: one list for the
/// batch (0), or one for each image.
fn take(x: &Tensor, index: &Tensor<u32>, slots: usize, index_stride: usize) -> Tensor {
    let &[batch, rows, channels] = x.shape() else {
        unreachable!("checked by the callers")
    };
    let y = Tensor::uninit(x.device(), &[batch, slots, channels]);
    let parts = parts(x.device(), channels);
    let count = batch * slots * parts;
    let params = [slots, rows, channels, parts, count, index_stride].map(|n| n as u32);
    dispatch_1d(
        SOURCE,
        "gather",
        &[x.buffer(), index.buffer()],
        &[y.buffer()],
        &params,
        count,
    );
    y
}

/// The listed rows of x `[B, N, C]`: `[B, slots, C]`, zeros where the slot is empty.
/// [`segment_sum`] is its derivative.
///
/// # Panics
/// If the lists are not for N rows.
#[track_caller]
pub fn gather(x: &Tensor, lists: &RowLists) -> Tensor {
    let [_, rows, _] = tokens("gather", x);
    assert_eq!(
        rows,
        lists.source_rows,
        "gather: {:?}, lists for other rows",
        x.shape()
    );
    if lists.identity {
        return x.clone();
    }
    take(x, &lists.index, lists.len(), 0)
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
    let x = Tensor::uninit(y.device(), &[batch, rows, channels]);
    let parts = parts(y.device(), channels);
    let count = batch * rows * parts;
    let params = [slots, rows, channels, parts, count, 0].map(|n| n as u32);
    let inputs = [y.buffer(), lists.offsets.buffer(), lists.slots.buffer()];
    dispatch_1d(
        SOURCE,
        "segment_sum",
        &inputs,
        &[x.buffer()],
        &params,
        count,
    );
    x
}

/// `out[b, i] = x[b, order[b, i]]` for x `[B, N, C]` and order `[B, N]`, whose entries are below N
/// (not checked: they are on the device). With a permutation as order, the derivative is the same
/// op with the inverse permutation.
///
/// # Panics
/// If order is not `[B, N]`.
#[track_caller]
pub fn permute_rows(x: &Tensor, order: &Tensor<u32>) -> Tensor {
    let [batch, rows, _] = tokens("permute_rows", x);
    assert_eq!(
        order.shape(),
        [batch, rows],
        "permute_rows: order of x {:?}",
        x.shape()
    );
    take(x, order, rows, rows)
}
