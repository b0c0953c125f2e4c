//! Pictures too large to be enlarged whole: cut into tiles that overlap, and put together again.
//!
//! Tokens are grouped over a whole picture, so a tile's result is not quite the whole's. Every tile's
//! outermost pixels, which lack their surroundings, are left out, and the rest of an overlap fades from
//! one tile into the next. docs/tiles.md has what that costs, measured.

use super::{Failed, enlarge_whole};
use crate::model::CATANet;

/// Low-resolution pixels that neighbouring tiles share.
const OVERLAP: usize = 32;
/// Pixels at a cut edge that are left out.
const MARGIN: usize = 8;

/// How a picture is cut.
pub struct Tiles {
    size: [usize; 2], // of the picture
    tile: [usize; 2],
    starts: [Vec<usize>; 2], // along the height and the width
}

impl Tiles {
    /// Tiles of at most `side` pixels a side, all of one size.
    pub fn new(size: [usize; 2], side: usize) -> Tiles {
        let side = side.max(3 * OVERLAP); // or there would be no end of them
        Tiles {
            size,
            tile: size.map(|n| n.min(side)),
            starts: size.map(|n| starts(n, side)),
        }
    }

    /// The longer side of a tile.
    pub fn side(&self) -> usize {
        self.tile[0].max(self.tile[1])
    }

    fn count(&self) -> usize {
        self.starts[0].len() * self.starts[1].len()
    }

    /// What to say of it: nothing where one tile is the whole picture.
    pub fn note(&self) -> Option<String> {
        let [height, width] = self.tile;
        let note = || {
            format!(
                "enlarged in {} tiles of {width}×{height} pixels, which overlap by {OVERLAP}",
                self.count()
            )
        };
        (self.count() > 1).then(note)
    }

    /// `[H, W, 3]` → `[H·s, W·s, 3]`
    pub async fn enlarge(
        &self,
        net: &CATANet,
        pixels: &[f32],
        self_ensemble: bool,
        progress: &mut dyn FnMut(f64) -> bool,
    ) -> Result<Vec<f32>, Failed> {
        let mut run = async |pixels: &[f32], size, done: f64| {
            let mut go_on = |share: f64| progress((done + share) / self.count() as f64);
            let output = enlarge_whole(net, pixels, size, self_ensemble, &mut go_on).await;
            output.map_err(Failed::Device)?.ok_or(Failed::Stopped)
        };
        if self.count() == 1 {
            return run(pixels, self.size, 0.0).await;
        }
        let scale = net.scale();
        let width = self.size[1] * scale;
        let weights: [Vec<Vec<f32>>; 2] = [0, 1].map(|axis| self.weights(axis, scale));
        let mut output = vec![0.0; self.size[0] * scale * width * 3];
        let mut done = 0.0;
        for (&top, down) in self.starts[0].iter().zip(&weights[0]) {
            for (&left, across) in self.starts[1].iter().zip(&weights[1]) {
                let tile = run(&self.cut(pixels, top, left), self.tile, done).await?;
                done += 1.0;
                for (y, row) in tile.chunks_exact(self.tile[1] * scale * 3).enumerate() {
                    let at = ((top * scale + y) * width + left * scale) * 3;
                    let place = output[at..][..row.len()].chunks_exact_mut(3);
                    for ((sum, pixel), &weight) in place.zip(row.chunks_exact(3)).zip(across) {
                        let weight = weight * down[y];
                        sum.iter_mut()
                            .zip(pixel)
                            .for_each(|(s, v)| *s += weight * v);
                    }
                }
            }
        }
        Ok(output)
    }

    fn cut(&self, pixels: &[f32], top: usize, left: usize) -> Vec<f32> {
        let row = |y: usize| &pixels[((top + y) * self.size[1] + left) * 3..][..self.tile[1] * 3];
        (0..self.tile[0]).flat_map(row).copied().collect()
    }

    /// For each tile along an axis, the weights of its output pixels. Those of all tiles over one pixel
    /// add up to 1.
    fn weights(&self, axis: usize, scale: usize) -> Vec<Vec<f32>> {
        let (side, starts) = (self.tile[axis] * scale, &self.starts[axis]);
        let end = self.size[axis] * scale;
        let ramp = ((OVERLAP - 2 * MARGIN) * scale) as f32;
        // From a cut edge: nothing in the margin, then rising; from the picture's own edge: all.
        let from_edge = |distance: usize| {
            ((distance as f32 + 0.5 - (MARGIN * scale) as f32) / ramp).clamp(0.0, 1.0)
        };
        let raw = |start: usize, i: usize| {
            let first = if start == 0 { 1.0 } else { from_edge(i) };
            let last = if start + side == end {
                1.0
            } else {
                from_edge(side - 1 - i)
            };
            first * last
        };
        let mut total = vec![0.0; end];
        for start in starts.iter().map(|start| start * scale) {
            (0..side).for_each(|i| total[start + i] += raw(start, i));
        }
        let of = |start: usize| {
            (0..side)
                .map(|i| raw(start, i) / total[start + i])
                .collect()
        };
        starts.iter().map(|start| of(start * scale)).collect()
    }
}

/// First positions of tiles along a side of `length`: evenly spread, sharing at least [`OVERLAP`].
fn starts(length: usize, side: usize) -> Vec<usize> {
    if length <= side {
        return vec![0];
    }
    let steps = (length - side).div_ceil(side - OVERLAP);
    (0..=steps).map(|i| i * (length - side) / steps).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_a_picture_and_their_weights_add_up_to_one() {
        for (size, side) in [
            ([300, 200], 100),
            ([97, 500], 96),
            ([40, 2000], 128),
            ([96, 96], 96),
        ] {
            let tiles = Tiles::new(size, side);
            for axis in [0, 1] {
                let mut total = vec![0.0; size[axis] * 3];
                for (start, weights) in tiles.starts[axis].iter().zip(tiles.weights(axis, 3)) {
                    assert_eq!(weights.len(), tiles.tile[axis] * 3);
                    weights
                        .iter()
                        .enumerate()
                        .for_each(|(i, w)| total[start * 3 + i] += w);
                }
                assert!(
                    total.iter().all(|t| (t - 1.0f32).abs() < 1e-5),
                    "{size:?}, {side}"
                );
            }
        }
    }

    #[test]
    fn neighbours_share_the_overlap_at_least_and_pictures_of_any_size_have_an_end() {
        for (length, side) in [(60_000, 512), (1_000_000, 96), (513, 512), (97, 96)] {
            let starts = starts(length, side);
            assert_eq!((starts[0], starts[starts.len() - 1] + side), (0, length));
            assert!(
                starts
                    .windows(2)
                    .all(|pair| pair[0] + side >= pair[1] + OVERLAP)
            );
        }
        assert_eq!(Tiles::new([30_000, 30_000], 2048).count(), 15 * 15);
        assert!(Tiles::new([100, 100], 100).note().is_none());
    }
}
