//! Taking and scaling rows against host loops: copies and single products, so exact.

mod common;

use common::{assert_close, assert_same_bits, device, host, random};
use tensor::{Tensor, ops};

#[test]
fn rows_are_taken_in_any_order_and_more_than_once() {
    for c in [1, 3, 40] {
        let x = random(1, &[37, c]);
        let index: Vec<u32> = (0..2 * 71).map(|i| i * 23 % 37).collect();
        let y = ops::take_rows(&x, &Tensor::new(&device(), &index, &[2, 71]));
        assert_eq!(y.shape(), [2, 71, c]);
        let hx = host(&x);
        let row = |&r: &u32| &hx[r as usize * c..][..c];
        let expected: Vec<f64> = index.iter().flat_map(row).copied().collect();
        assert_close("take_rows", &y, &expected, 0.0);
    }
}

#[test]
fn a_permutation_and_its_inverse_give_the_rows_back() {
    let n = 301;
    let order: Vec<u32> = (0..n).map(|i| i * 100 % n).collect();
    let mut inverse = vec![0; n as usize];
    (0..n).for_each(|i| inverse[order[i as usize] as usize] = i);
    let indices = |v: &[u32]| Tensor::new(&device(), v, &[n as usize]);
    let x = random(2, &[n as usize, 7]);
    let there = ops::take_rows(&x, &indices(&order));
    let back = ops::take_rows(&there, &indices(&inverse));
    assert_close("back", &back, &host(&x), 0.0);
}

#[test]
fn every_image_is_scaled_by_the_same_factors() {
    for (batch, n, c) in [(1, 1, 1), (3, 1, 7), (1, 71, 3), (3, 71, 40)] {
        let (x, factor) = (random(3, &[batch, n, c]), random(4, &[n]));
        let (hx, hf) = (host(&x), host(&factor));
        let expected: Vec<f64> = (0..hx.len()).map(|i| hx[i] * hf[i / c % n]).collect();
        let y = ops::scale_rows(&x, &factor);
        assert_eq!(y.shape(), x.shape());
        assert_close("scale_rows", &y, &expected, 1e-7);
    }
}

#[test]
fn two_runs_give_the_same_bits() {
    let (x, factor) = (random(5, &[3, 50, 40]), random(6, &[50]));
    let index = Tensor::new(&device(), &[149, 0, 149, 7], &[4]);
    let rows = x.reshape(&[150, 40]);
    assert_same_bits("take_rows", || ops::take_rows(&rows, &index));
    assert_same_bits("scale_rows", || ops::scale_rows(&x, &factor));
}
