//! Which tokens attend to which: index lists that depend on sizes only.
//!
//! All are made on the host, once for each size, and kept on the device.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use tensor::ops::{AttentionLists, RowLists};
use tensor::{Device, Tensor};

/// Queries per list where all tokens attend to the same few keys; any number is right.
const CENTRE_QUERIES: usize = 128;
/// Lists remembered of each of the three kinds: of five sizes. A folder of images of ever new sizes must
/// not fill the device.
const REMEMBERED: usize = 20;

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

/// What was made so far of one kind, by what it was made for.
struct Memo<K, V>(Mutex<HashMap<K, Arc<V>>>);

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Memo(Mutex::default())
    }
}

impl<K: Eq + Hash, V> Memo<K, V> {
    fn get(&self, key: K, make: impl FnOnce() -> V) -> Arc<V> {
        let mut made = self.0.lock();
        if made.len() >= REMEMBERED && !made.contains_key(&key) {
            made.clear();
        }
        made.entry(key).or_insert_with(|| Arc::new(make())).clone()
    }
}

/// The lists of one device, each made when it is first asked for.
pub struct Geometry {
    device: Device,
    windows: Memo<([usize; 2], usize, Range<usize>), Windows>, // map, window, rows
    sub_groups: Memo<(usize, usize), AttentionLists>,          // tokens, group
    to_centres: Memo<(usize, usize), AttentionLists>,          // tokens, centres
}

impl Geometry {
    pub fn new(device: &Device) -> Self {
        Geometry {
            device: device.clone(),
            windows: Memo::default(),
            sub_groups: Memo::default(),
            to_centres: Memo::default(),
        }
    }

    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Forgets all lists, for memory's sake.
    pub fn clear(&self) {
        self.windows.0.lock().clear();
        self.sub_groups.0.lock().clear();
        self.to_centres.0.lock().clear();
    }

    /// The windows of side `window` of a map of height×width that lie wholly in its `rows`. Rows that
    /// other windows reach into get no right result.
    pub fn windows(&self, map: [usize; 2], window: usize, rows: Range<usize>) -> Arc<Windows> {
        let make = || windows(&self.device, map, window, rows.clone());
        self.windows.get((map, window, rows.clone()), make)
    }

    /// The sub-groups of IASA over sorted tokens.
    pub fn sub_groups(&self, tokens: usize, group: usize) -> Arc<AttentionLists> {
        self.sub_groups.get((tokens, group), || {
            let (queries, keys, count) = sub_groups(tokens, group);
            attention_lists(&self.device, &queries, &keys, count, [tokens, tokens])
        })
    }

    /// Every token to all centres.
    pub fn to_centres(&self, tokens: usize, centres: usize) -> Arc<AttentionLists> {
        self.to_centres.get((tokens, centres), || {
            let count = tokens.div_ceil(CENTRE_QUERIES);
            let slot = |i: usize| if i < tokens { i as u32 } else { RowLists::NONE };
            let queries: Vec<_> = (0..count * CENTRE_QUERIES).map(slot).collect();
            let keys: Vec<_> = (0..count).flat_map(|_| 0..centres as u32).collect();
            attention_lists(&self.device, &queries, &keys, count, [tokens, centres])
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
    let keys = (0..count).flat_map(|j| sub_group_keys(tokens, g, j).map(|key| key as u32));
    (queries, keys.collect(), count)
}

/// The places of the keys of sub-group `j` of g tokens.
pub fn sub_group_keys(tokens: usize, g: usize, j: usize) -> impl Iterator<Item = usize> {
    let mirrored = move |i: usize| {
        let around = i % (2 * tokens);
        around.min(2 * tokens - 1 - around)
    };
    (j * g..(j + 2) * g).map(mirrored)
}

/// How many windows lie along a side: the nominal starts k·(window − 2) until one reaches the border.
pub fn windows_along(side: usize, window: usize) -> usize {
    (side - 2).div_ceil(window - 2)
}

/// The windows' first positions along a side, the last one pushed back to end with it.
pub fn window_starts(side: usize, window: usize) -> impl DoubleEndedIterator<Item = usize> {
    assert!(
        side >= window,
        "a side of {side} is shorter than the window, {window}"
    );
    (0..windows_along(side, window)).map(move |k| (k * (window - 2)).min(side - window))
}

/// Each position's weight along a side: a half for every band `[min(i, side − window), i + 2)` of a
/// nominal start i = k·(window − 2), k ≥ 1, that it lies in.
fn weights(side: usize, window: usize) -> Vec<f32> {
    let mut weight = vec![1.0; side];
    for i in (1..windows_along(side, window)).map(|k| k * (window - 2)) {
        weight[i.min(side - window)..i + 2]
            .iter_mut()
            .for_each(|w| *w *= 0.5);
    }
    weight
}

/// The rows of all windows that reach into `rows`, of a map of this height.
pub fn window_rows(height: usize, window: usize, rows: Range<usize>) -> Range<usize> {
    let reaching = |&top: &usize| top < rows.end && rows.start < top + window;
    let first = window_starts(height, window).find(reaching);
    let last = window_starts(height, window).rfind(reaching);
    first.unwrap_or(0)..last.map_or(height, |top| top + window)
}

fn windows(
    device: &Device,
    [height, width]: [usize; 2],
    window: usize,
    rows: Range<usize>,
) -> Windows {
    let inside = |&top: &usize| rows.start <= top && top + window <= rows.end;
    let tokens = rows.len() * width;
    let (mut index, mut count) = (vec![], 0);
    for top in window_starts(height, window).filter(inside) {
        for left in window_starts(width, window) {
            for y in top - rows.start..top - rows.start + window {
                index.extend((left..left + window).map(|x| (y * width + x) as u32));
            }
            count += 1;
        }
    }
    let (row_weight, column_weight) = (weights(height, window), weights(width, window));
    let weight = |t: usize| row_weight[rows.start + t / width] * column_weight[t % width];
    let average: Vec<_> = (0..tokens).map(weight).collect();
    let mut residual = vec![0.0; tokens];
    index
        .iter()
        .for_each(|&t| residual[t as usize] += average[t as usize]);
    let lists = RowLists::new(device, &index, count, tokens);
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

    fn starts(side: usize, window: usize) -> Vec<usize> {
        window_starts(side, window).collect()
    }

    #[test]
    fn windows_overlap_by_two_and_the_last_is_pushed_back() {
        assert_eq!(starts(64, 16), [0, 14, 28, 42, 48]);
        assert_eq!(starts(16, 16), [0]);
        assert_eq!(starts(17, 16), [0, 1]);
        assert_eq!(starts(30, 16), [0, 14]);
        assert_eq!((starts(28, 28), weights(28, 28)), (vec![0], vec![1.0; 28]));
    }

    #[test]
    fn overlaps_are_averaged_but_for_the_published_quirk() {
        for (side, window) in [(64, 16), (64, 28), (30, 16), (31, 16), (45, 16), (53, 20)] {
            let (starts, weight) = (starts(side, window), weights(side, window));
            let covered = |t| starts.iter().filter(|&&s| s <= t && t < s + window).count();
            let total: Vec<_> = (0..side).map(|t| covered(t) as f32 * weight[t]).collect();
            let odd: Vec<_> = total.iter().filter(|&&t| t != 1.0).collect();
            // Three windows meet in one row where side mod (window − 2) = 3: it is divided by 4.
            let expected = if side % (window - 2) == 3 {
                vec![&0.75]
            } else {
                vec![]
            };
            assert_eq!(odd, expected, "side {side}, window {window}");
        }
    }

    #[test]
    fn a_band_holds_every_window_that_reaches_into_its_rows() {
        assert_eq!(starts(64, 28), [0, 26, 36]);
        assert_eq!(window_rows(64, 28, 0..10), 0..28);
        assert_eq!(window_rows(64, 28, 10..27), 0..54);
        assert_eq!(window_rows(64, 28, 40..64), 26..64);
        assert_eq!(window_rows(64, 28, 0..64), 0..64);
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
