//! Taking rows by lists, and summing them back.

use crate::device::Buffer;
use crate::pipeline::{Kernel, vec_width};
use crate::record::grid;
use crate::tensor::WG;
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

/// Dispatches a kernel of gather.wgsl for this many output rows.
fn dispatch(
    entry: &'static str,
    inputs: &[&Buffer],
    y: &Tensor,
    rows: usize,
    params: impl FnOnce(usize) -> [usize; 4],
) {
    let (device, channels) = (y.device(), y.channels());
    let vec = vec_width(channels);
    let all = channels / vec;
    // Whole rows on a software driver, in parts of few enough V's to be registers.
    let part = match device.is_software() {
        true => (1..=12).rev().find(|&n| all.is_multiple_of(n)).unwrap_or(1),
        false => 1,
    };
    let count = rows * all / part;
    let constants = [("VEC", vec), ("CV", all), ("PART", part), ("WG", WG)];
    let kernel = Kernel {
        source: SOURCE,
        entry,
        constants: &constants.map(|(name, value)| (name, value as u32)),
    };
    let params = params(count).map(|n| n as u32);
    device.dispatch(
        &kernel,
        inputs,
        &[y.buffer()],
        &params,
        grid(count.div_ceil(WG)),
    );
}

/// Takes rows `index[b, slot]` with `index` as long as `index_stride` tells: one list for the
/// batch (0), or one for each image.
fn take(x: &Tensor, index: &Tensor<u32>, slots: usize, index_stride: usize) -> Tensor {
    let &[batch, rows, channels] = x.shape() else {
        unreachable!("checked by the callers")
    };
    let y = Tensor::like(x, &[batch, slots, channels]);
    let params = |count| [slots, rows, count, index_stride];
    let inputs = [x.buffer(), index.buffer()];
    dispatch("gather", &inputs, &y, batch * slots, params);
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
    let x = Tensor::like(y, &[batch, rows, channels]);
    let params = |count| [slots, rows, count, 0];
    let inputs = [y.buffer(), lists.offsets.buffer(), lists.slots.buffer()];
    dispatch("segment_sum", &inputs, &x, batch * rows, params);
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
