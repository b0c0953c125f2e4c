//! Moving pixels: padding, cropping, flips and the transpose.
//!
//! Each is a list of which pixel goes where, for images seen as rows `[B, H·W, C]`. The op itself is
//! [`gather`](super::gather) by that list, its derivative [`segment_sum`](super::segment_sum).

use super::RowLists;
use crate::Device;

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
