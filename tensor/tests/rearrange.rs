//! Padding, cropping, flips and the transpose, and that `segment_sum` is the derivative of each.

mod common;

use common::{assert_close, device, host, random};
use tensor::ops::{RowLists, gather, mul, segment_sum};

const SIZE: [usize; 2] = [3, 5];

/// Pixel (y, x) of the result is pixel `source(y, x)` of a random 3×5 image, in a batch of two.
fn check(
    name: &str,
    lists: &RowLists,
    to: [usize; 2],
    source: impl Fn(usize, usize) -> [usize; 2],
) {
    let x = random(1, &[2, 15, 2]);
    let values = host(&x);
    let mut expected = vec![];
    for b in 0..2 {
        for y in 0..to[0] {
            for u in 0..to[1] {
                let [sy, sx] = source(y, u);
                let at = (b * 15 + sy * SIZE[1] + sx) * 2;
                expected.extend_from_slice(&values[at..at + 2]);
            }
        }
    }
    let moved = gather(&x, lists);
    assert_close(name, &moved, &expected, 0.0);
    // ⟨A·x, dy⟩ = ⟨x, Aᵀ·dy⟩ for any dy.
    let dy = random(2, moved.shape());
    let (left, right) = (mul(&moved, &dy), mul(&x, &segment_sum(&dy, lists)));
    let [left, right] = [left, right].map(|t| host(&t).iter().sum::<f64>());
    assert!((left - right).abs() < 1e-5, "{name}: {left} and {right}");
}

#[test]
fn pixels_are_moved_and_gradients_go_back() {
    let d = device();
    check("flip_x", &RowLists::flip_x(&d, SIZE), SIZE, |y, x| {
        [y, 4 - x]
    });
    check("flip_y", &RowLists::flip_y(&d, SIZE), SIZE, |y, x| {
        [2 - y, x]
    });
    check(
        "transpose",
        &RowLists::transpose(&d, SIZE),
        [5, 3],
        |y, x| [x, y],
    );
    check("crop", &RowLists::crop(&d, SIZE, [2, 4]), [2, 4], |y, x| {
        [y, x]
    });
    let [rows, columns] = [[0, 1, 2, 1, 0, 1], [0, 1, 2, 3, 4, 3]];
    let pad = RowLists::reflect_pad(&d, SIZE, [6, 6]);
    check("reflect_pad", &pad, [6, 6], |y, x| [rows[y], columns[x]]);
}
