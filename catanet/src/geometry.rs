//! Which tokens attend to which: index lists that depend on sizes only.
//!
//! All are made on the host, once for each size, and kept on the device.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use tensor::ops::{AttentionLists, RowLists};
use tensor::{Device, Tensor};

/// Queries per list where all tokens attend to the same few keys; any number is right.
const CENTRE_QUERIES: usize = 128;
/// Sizes remembered; a folder of images of ever new sizes must not fill the device.
const REMEMBERED: usize = 64;

/// The windows of LRSA over some rows of an H×W map.
pub struct Windows {
    /// One list per window; queries and keys are the same tokens.
    pub lists: Arc<AttentionLists>,
    /// `[rows·W]`: what the sum of a token's results over its windows is multiplied by.
    pub average: Tensor,
    /// `[rows·W]`: the same, times the number of the token's windows, for what every window adds alike.
    /// None where that is 1 everywhere: it is, but for sides where three windows meet.
    pub residual: Option<Tensor>,
}

#[derive(PartialEq, Eq, Hash, Clone)]
enum Key {
    Windows {
        map: [usize; 2],
        size: usize,
        rows: Range<usize>,
    },
    SubGroups {
        tokens: usize,
        group: usize,
    },
    Centres {
        tokens: usize,
        centres: usize,
    },
}

#[derive(Clone)]
enum Entry {
    Windows(Arc<Windows>),
    Lists(Arc<AttentionLists>),
}

/// The lists made so far.
#[derive(Default)]
pub struct Geometry {
    made: Mutex<HashMap<Key, Entry>>,
}

impl Geometry {
    fn get(&self, key: Key, make: impl FnOnce() -> Entry) -> Entry {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.len() >= REMEMBERED && !made.contains_key(&key) {
            made.clear();
        }
        made.entry(key).or_insert_with(make).clone()
    }

    /// The windows of side `size` of a map of height×width that lie wholly in its `rows`. Rows that
    /// other windows reach into get no right result.
    pub fn windows(
        &self,
        device: &Device,
        map: [usize; 2],
        size: usize,
        rows: Range<usize>,
    ) -> Arc<Windows> {
        let key = Key::Windows {
            map,
            size,
            rows: rows.clone(),
        };
        match self.get(key, || {
            Entry::Windows(Arc::new(windows(device, map, size, rows)))
        }) {
            Entry::Windows(windows) => windows,
            Entry::Lists(_) => unreachable!("the key says which"),
        }
    }

    fn lists(&self, key: Key, make: impl FnOnce() -> AttentionLists) -> Arc<AttentionLists> {
        match self.get(key, || Entry::Lists(Arc::new(make()))) {
            Entry::Lists(lists) => lists,
            Entry::Windows(_) => unreachable!("the key says which"),
        }
    }

    /// The sub-groups of IASA over sorted tokens.
    pub fn sub_groups(&self, device: &Device, tokens: usize, group: usize) -> Arc<AttentionLists> {
        self.lists(Key::SubGroups { tokens, group }, || {
            let (queries, keys, count) = sub_groups(tokens, group);
            attention_lists(device, &queries, &keys, count, [tokens, tokens])
        })
    }

    /// Every token to all centres.
    pub fn to_centres(
        &self,
        device: &Device,
        tokens: usize,
        centres: usize,
    ) -> Arc<AttentionLists> {
        self.lists(Key::Centres { tokens, centres }, || {
            let count = tokens.div_ceil(CENTRE_QUERIES);
            let slot = |i: usize| if i < tokens { i as u32 } else { RowLists::NONE };
            let queries: Vec<_> = (0..count * CENTRE_QUERIES).map(slot).collect();
            let keys: Vec<_> = (0..count).flat_map(|_| 0..centres as u32).collect();
            attention_lists(device, &queries, &keys, count, [tokens, centres])
        })
    }
}

fn attention_lists(
    device: &Device,
    queries: &[u32],
    keys: &[u32],
    count: usize,
    [query_rows, key_rows]: [usize; 2],
) -> AttentionLists {
    AttentionLists {
        queries: RowLists::new(device, queries, count, query_rows),
        keys: RowLists::new(device, keys, count, key_rows),
    }
}

/// Sorted tokens in sub-groups of g: queries of sub-group j, keys of j and j+1, the end mirrored
/// (back and forth where there are too few tokens). Returns queries, keys and the number of groups.
fn sub_groups(tokens: usize, group: usize) -> (Vec<u32>, Vec<u32>, usize) {
    let g = tokens.min(group);
    let count = tokens.div_ceil(g);
    let query = |i: usize| if i < tokens { i as u32 } else { RowLists::NONE };
    let queries = (0..count * g).map(query).collect();
    let mirrored = |i: usize| {
        let around = i % (2 * tokens);
        around.min(2 * tokens - 1 - around) as u32
    };
    let keys = (0..count)
        .flat_map(|j| (j * g..(j + 2) * g).map(mirrored))
        .collect();
    (queries, keys, count)
}

/// Along one axis: the windows' first positions and each position's weight, a half for every band
/// `[min(i, side − size), i + 2)` of a nominal start i = k·(size − 2), k ≥ 1, that it lies in.
fn axis(side: usize, size: usize) -> (Vec<usize>, Vec<f32>) {
    assert!(
        side >= size,
        "a side of {side} is shorter than the window, {size}"
    );
    let step = size - 2;
    let nominal: Vec<_> = (0..)
        .map(|k| k * step)
        .take_while(|i| i + size < side + step)
        .collect();
    let mut weight = vec![1.0; side];
    for &i in &nominal[1..] {
        weight[i.min(side - size)..i + 2]
            .iter_mut()
            .for_each(|w| *w *= 0.5);
    }
    (
        nominal.iter().map(|&i| i.min(side - size)).collect(),
        weight,
    )
}

/// The rows of all windows that reach into `rows`, of a map of this height.
pub fn window_rows(height: usize, size: usize, rows: Range<usize>) -> Range<usize> {
    let (tops, _) = axis(height, size);
    let reaching = |&&top: &&usize| top < rows.end && rows.start < top + size;
    let (first, last) = (tops.iter().find(reaching), tops.iter().rev().find(reaching));
    first.map_or(0, |&top| top)..last.map_or(height, |top| top + size)
}

/// How many slots the windows have that lie wholly in these rows of a map of height×width.
pub fn window_slots([height, width]: [usize; 2], size: usize, rows: Range<usize>) -> usize {
    let (tops, lefts) = (axis(height, size).0, axis(width, size).0);
    let inside = |&&top: &&usize| rows.start <= top && top + size <= rows.end;
    tops.iter().filter(inside).count() * lefts.len() * size * size
}

fn windows(
    device: &Device,
    [height, width]: [usize; 2],
    size: usize,
    rows: Range<usize>,
) -> Windows {
    let (tops, row_weight) = axis(height, size);
    let (lefts, column_weight) = axis(width, size);
    let inside = |&top: &usize| rows.start <= top && top + size <= rows.end;
    let tops: Vec<_> = tops.into_iter().filter(inside).collect();
    let tokens = rows.len() * width;
    let mut index = Vec::with_capacity(tops.len() * lefts.len() * size * size);
    for top in tops.iter().map(|top| top - rows.start) {
        for &left in &lefts {
            for y in top..top + size {
                index.extend((left..left + size).map(|x| (y * width + x) as u32));
            }
        }
    }
    let weight = |t: usize| row_weight[rows.start + t / width] * column_weight[t % width];
    let average: Vec<_> = (0..tokens).map(weight).collect();
    let mut residual = vec![0.0; tokens];
    index
        .iter()
        .for_each(|&t| residual[t as usize] += average[t as usize]);
    let lists = RowLists::new(device, &index, tops.len() * lefts.len(), tokens);
    Windows {
        lists: Arc::new(AttentionLists::within(lists)),
        average: Tensor::new(device, &average, &[tokens]),
        residual: residual
            .iter()
            .any(|&r| r != 1.0)
            .then(|| Tensor::new(device, &residual, &[tokens])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_overlap_by_two_and_the_last_is_pushed_back() {
        assert_eq!(axis(64, 16).0, [0, 14, 28, 42, 48]);
        assert_eq!(axis(16, 16).0, [0]);
        assert_eq!(axis(17, 16).0, [0, 1]);
        assert_eq!(axis(30, 16).0, [0, 14]);
        assert_eq!(axis(28, 28), (vec![0], vec![1.0; 28]));
    }

    #[test]
    fn overlaps_are_averaged_but_for_the_published_quirk() {
        for (side, size) in [(64, 16), (64, 28), (30, 16), (31, 16), (45, 16), (53, 20)] {
            let (starts, weight) = axis(side, size);
            let covered = |t| starts.iter().filter(|&&s| s <= t && t < s + size).count();
            let total: Vec<_> = (0..side).map(|t| covered(t) as f32 * weight[t]).collect();
            let odd: Vec<_> = total.iter().filter(|&&t| t != 1.0).collect();
            // Three windows meet in one row where side mod (size − 2) = 3: it is divided by 4.
            let expected = if side % (size - 2) == 3 {
                vec![&0.75]
            } else {
                vec![]
            };
            assert_eq!(odd, expected, "side {side}, window {size}");
        }
    }

    #[test]
    fn a_band_holds_every_window_that_reaches_into_its_rows() {
        assert_eq!(axis(64, 28).0, [0, 26, 36]);
        assert_eq!(window_rows(64, 28, 0..10), 0..28);
        assert_eq!(window_rows(64, 28, 10..27), 0..54);
        assert_eq!(window_rows(64, 28, 40..64), 26..64);
        assert_eq!(window_rows(64, 28, 0..64), 0..64);
        assert_eq!(window_slots([64, 28], 28, 26..64), 2 * 28 * 28);
    }

    #[test]
    fn keys_are_the_own_and_the_next_group_with_the_end_mirrored() {
        let (queries, keys, count) = sub_groups(5, 2);
        assert_eq!(count, 3);
        assert_eq!(queries, [0, 1, 2, 3, 4, RowLists::NONE]);
        assert_eq!(keys, [0, 1, 2, 3, 2, 3, 4, 4, 4, 4, 3, 2]);
        assert_eq!(
            sub_groups(1, 4),
            (vec![0], vec![0, 0], 1),
            "one token meets itself twice"
        );
    }
}
