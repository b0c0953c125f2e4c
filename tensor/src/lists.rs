//! Lists of rows: what a gather takes, and who attends to whom.

use crate::Device;
use crate::tensor::Tensor;

/// A list of rows to take, in groups of equal length, with its inverse; on the device, and shared
/// by all images of a batch. A slot is a position in the list; each names a row, or none.
#[derive(Clone)]
pub struct RowLists {
    pub(crate) groups: usize,
    pub(crate) per_group: usize,
    pub(crate) source_rows: usize,
    pub(crate) index: Tensor<u32>, // [groups * per_group]: the row in each slot
    pub(crate) offsets: Tensor<u32>, // [source_rows + 1]: where each row's slots start
    pub(crate) slots: Tensor<u32>, // [entries, at least 1]: the slots of row 0, of row 1, …
    pub(crate) identity: bool,     // slot i holds row i: taking and summing change nothing
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

    pub(crate) fn len(&self) -> usize {
        self.groups * self.per_group
    }
}

/// Who attends to whom: the queries of group j to the keys of group j.
#[derive(Clone)]
pub struct AttentionLists {
    /// The rows of q, in groups; slots may be empty.
    pub queries: RowLists,
    /// The rows of k and v, in as many groups; no slot may be empty.
    pub keys: RowLists,
}

impl AttentionLists {
    /// Every row of a group attends to all rows of its group.
    pub fn within(rows: RowLists) -> Self {
        AttentionLists {
            queries: rows.clone(),
            keys: rows,
        }
    }
}

/// Moving pixels: padding, cropping, flips and the transpose. Each is a list of which pixel goes where, for
/// images seen as rows `[B, H·W, C]`. The op itself is [`gather`](crate::ops::gather) by that list, its
/// derivative [`segment_sum`](crate::ops::segment_sum).
impl RowLists {
    /// H×W pixels to a larger map, mirrored at the right and bottom without repeating the edge (back
    /// and forth where the image is smaller than the pad; a side of 1 repeats its pixel).
    #[track_caller]
    pub fn reflect_pad(device: &Device, from: [usize; 2], to: [usize; 2]) -> RowLists {
        let (h, w) = (from[0], from[1]);
        assert!(to[0] >= h && to[1] >= w, "reflect_pad: {from:?} to {to:?}");
        moved(device, from, to, |y, x| [reflect(y, h), reflect(x, w)])
    }

    /// The top left part of H×W pixels.
    #[track_caller]
    pub fn crop(device: &Device, from: [usize; 2], to: [usize; 2]) -> RowLists {
        assert!(
            to[0] <= from[0] && to[1] <= from[1],
            "crop: {from:?} to {to:?}"
        );
        moved(device, from, to, |y, x| [y, x])
    }

    /// H×W pixels, left and right exchanged.
    pub fn flip_x(device: &Device, size: [usize; 2]) -> RowLists {
        moved(device, size, size, |y, x| [y, size[1] - 1 - x])
    }

    /// H×W pixels, top and bottom exchanged.
    pub fn flip_y(device: &Device, size: [usize; 2]) -> RowLists {
        moved(device, size, size, |y, x| [size[0] - 1 - y, x])
    }

    /// H×W pixels to W×H.
    pub fn transpose(device: &Device, [h, w]: [usize; 2]) -> RowLists {
        moved(device, [h, w], [w, h], |y, x| [x, y])
    }
}

/// The list that takes pixel `source(y, x)` to (y, x).
fn moved(
    device: &Device,
    from: [usize; 2],
    to: [usize; 2],
    source: impl Fn(usize, usize) -> [usize; 2],
) -> RowLists {
    let take = |i: usize| {
        let [y, x] = source(i / to[1], i % to[1]);
        (y * from[1] + x) as u32
    };
    let index: Vec<u32> = (0..to[0] * to[1]).map(take).collect();
    RowLists::new(device, &index, 1, from[0] * from[1])
}

/// Position `i` of an endless axis reflected into 0..n without repeating the edge.
fn reflect(i: usize, n: usize) -> usize {
    let period = (2 * (n - 1)).max(1);
    let around = i % period;
    around.min(period - around)
}

#[cfg(test)]
mod tests {
    use super::reflect;

    #[test]
    fn reflection_does_not_repeat_the_edge() {
        let axis = |n| (0..9).map(|i| reflect(i, n)).collect::<Vec<_>>();
        assert_eq!(axis(4), [0, 1, 2, 3, 2, 1, 0, 1, 2]);
        assert_eq!(axis(2), [0, 1, 0, 1, 0, 1, 0, 1, 0]);
        assert_eq!(axis(1), [0; 9]);
    }
}
