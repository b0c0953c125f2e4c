//! The linear layer and its gradients against host loops.

mod common;

use common::{assert_close, assert_same_bits, host, normal_cdf, random, sums};
use tensor::Tensor;
use tensor::ops::{self, Activation};

const ROWS: [usize; 2] = [3, 87]; // several workgroups of rows, the last one part full

fn weights_grad(x: &Tensor, dy: &Tensor) -> Tensor {
    let [dw, _] = ops::linear_backward_w(x, dy);
    dw.total()
}

#[test]
fn every_width_and_depth_gives_the_product_and_both_gradients() {
    for n in [1, 3, 36, 40, 96] {
        for k in [1, 7, 40, 52, 96] {
            check(ROWS, n, k);
        }
    }
    check(ROWS, 100, 100);
    check([1, 1], 36, 40);
    check([1, 3], 3, 7);
}

fn check(rows: [usize; 2], n: usize, k: usize) {
    let m = rows[0] * rows[1];
    let x = random(1, &[rows[0], rows[1], k]);
    let w = random(2, &[n, k]);
    let dy = random(3, &[rows[0], rows[1], n]);
    let (hx, hw, hdy) = (host(&x), host(&w), host(&dy));
    let name = |part: &str| format!("{part} for {m} rows, N = {n}, K = {k}");

    let y = ops::linear(&x, &w, None, Activation::None, None);
    assert_eq!(y.shape(), dy.shape());
    let expected = sums([m, n], k, |i, j, l| hx[i * k + l] * hw[j * k + l]);
    assert_close(&name("y"), &y, &expected, 5e-6);

    let dx = ops::linear_backward_x(&dy, &w, None);
    assert_eq!(dx.shape(), x.shape());
    let expected = sums([m, k], n, |i, j, l| hdy[i * n + l] * hw[l * k + j]);
    assert_close(&name("dx"), &dx, &expected, 5e-6);
    let onto = ops::linear_backward_x(&dy, &w, Some(&x));
    let expected: Vec<f64> = expected.iter().zip(&hx).map(|(dx, x)| dx + x).collect();
    assert_close(&name("dx onto another"), &onto, &expected, 5e-6);

    let [dw, db] = ops::linear_backward_w(&x, &dy).map(ops::RowSum::total);
    assert_eq!((dw.shape(), db.shape()), (w.shape(), &[n][..]));
    let expected = sums([n, k], m, |i, j, l| hdy[l * n + i] * hx[l * k + j]);
    assert_close(&name("dw"), &dw, &expected, 2e-5);
    let expected = sums([n, 1], m, |i, _, l| hdy[l * n + i]);
    assert_close(&name("db"), &db, &expected, 2e-5);
}

#[test]
fn bias_then_gelu_then_residual_in_every_combination() {
    for (n, k) in [(36, 7), (36, 52)] {
        let (x, w, b) = (random(4, &[2, 99, k]), random(5, &[n, k]), random(6, &[n]));
        let residual = random(7, &[2, 99, n]);
        let (hx, hw, hb, hr) = (host(&x), host(&w), host(&b), host(&residual));
        let product = sums([198, n], k, |i, j, l| hx[i * k + l] * hw[j * k + l]);
        for case in 0..8 {
            let bias = (case & 1 != 0).then_some(&b);
            let residual = (case & 2 != 0).then_some(&residual);
            let activation = match case & 4 {
                0 => Activation::None,
                _ => Activation::Gelu,
            };
            let expected = |i: usize| {
                let sum = product[i] + bias.map_or(0.0, |_| hb[i % n]);
                let y = match activation {
                    Activation::None => sum,
                    Activation::Gelu => sum * normal_cdf(sum),
                };
                y + residual.map_or(0.0, |_| hr[i])
            };
            let expected: Vec<f64> = (0..product.len()).map(expected).collect();
            let y = ops::linear(&x, &w, bias, activation, residual);
            assert_close(&format!("case {case}, K = {k}"), &y, &expected, 5e-6);
        }
    }
}

#[test]
fn a_kept_product_is_the_one_that_the_gelu_is_of() {
    for (n, k) in [(96, 40), (5, 3)] {
        let (x, w, b) = (random(4, &[2, 99, k]), random(5, &[n, k]), random(6, &[n]));
        let (y, h) = ops::linear_gelu(&x, &w, &b);
        let product = ops::linear(&x, &w, Some(&b), Activation::None, None);
        assert_close("h", &h, &host(&product), 0.0);
        let gelu = ops::linear(&x, &w, Some(&b), Activation::Gelu, None);
        assert_close("y", &y, &host(&gelu), 0.0);
    }
}

#[test]
fn the_weight_gradient_of_very_many_rows_loses_none() {
    let rows = 4096 * 128 + 77; // beyond the number of chunks: they grow instead
    let (x, dy) = (random(8, &[rows, 1]), random(9, &[rows, 1]));
    let expected: f64 = common::zip(&x, &dy, |x, dy| x * dy).into_iter().sum();
    let [dw, _] = ops::linear_backward_w(&x, &dy).map(ops::RowSum::total);
    assert_close("dw", &dw, &[expected], 5e-6);

    // The same numbers as the first of four columns each: the kernel that takes them in fours.
    let fours = |t: &tensor::Tensor| {
        let values = host(t).into_iter().flat_map(|v| [v as f32, 0.0, 0.0, 0.0]);
        tensor::Tensor::new(t.device(), &values.collect::<Vec<_>>(), &[rows, 4])
    };
    let [dw, _] = ops::linear_backward_w(&fours(&x), &fours(&dy)).map(ops::RowSum::total);
    let mut all = [0.0; 16];
    all[0] = expected;
    assert_close("dw in fours", &dw, &all, 5e-6);
}

#[test]
fn two_runs_give_the_same_bits() {
    let (x, w, dy) = (
        random(1, &[261, 40]),
        random(2, &[36, 40]),
        random(3, &[261, 36]),
    );
    assert_same_bits("y", || {
        ops::linear(&x, &w, None, Activation::Gelu, Some(&dy))
    });
    assert_same_bits("dx", || ops::linear_backward_x(&dy, &w, None));
    assert_same_bits("dw", || weights_grad(&x, &dy));
    assert_same_bits("db", || {
        let [_, db] = ops::linear_backward_w(&x, &dy);
        db.total()
    });
}

#[test]
fn layers_of_a_thousand_channels_have_a_weight_gradient() {
    let (x, dy) = (random(1, &[2, 1028]), random(2, &[2, 1028]));
    let (hx, hdy) = (host(&x), host(&dy));
    let expected = sums([1028, 1028], 2, |i, j, l| {
        hdy[l * 1028 + i] * hx[l * 1028 + j]
    });
    assert_close("dw", &weights_grad(&x, &dy), &expected, 1e-5);
}
