//! Layer normalisation against host loops.

mod common;

use common::{assert_close, assert_same_bits, device, host, random};
use tensor::{Tensor, ops};

const EPS: f32 = 1e-5;

/// (mean, 1/√(variance + eps)) of a row.
fn stats(row: &[f64]) -> (f64, f64) {
    let c = row.len() as f64;
    let mean = row.iter().sum::<f64>() / c;
    let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / c;
    (mean, 1.0 / (variance + EPS as f64).sqrt())
}

#[test]
fn rows_of_any_width_are_normed_and_differentiated() {
    for c in [1, 3, 40] {
        for rows in [&[1][..], &[3], &[2, 150]] {
            check(&random(1, &[rows, &[c]].concat()), 1e-5);
        }
    }
}

#[test]
fn a_large_common_offset_does_not_spoil_the_variance() {
    // Multiples of 2⁻⁷ around 1000: exact in f32, lost to one that subtracts squares.
    // Sums of 40 000 leave the mean 1e-5 off, and dividing by the deviation magnifies that.
    let x: Vec<f32> = (0..120)
        .map(|i| 1000.0 + (i * 37 % 101) as f32 / 128.0)
        .collect();
    check(&Tensor::new(&device(), &x, &[3, 40]), 2e-4);
}

fn check(x: &Tensor, tolerance: f64) {
    let c = x.channels();
    let (w, b, dy) = (random(2, &[c]), random(3, &[c]), random(4, x.shape()));
    let (hx, hw, hb, hdy) = (host(x), host(&w), host(&b), host(&dy));
    let name = |part: &str| format!("{part} of {:?}", x.shape());

    let (mut y, mut dx) = (Vec::new(), Vec::new());
    let (mut dw, mut db) = (vec![0.0; c], vec![0.0; c]);
    for (x, dy) in hx.chunks(c).zip(hdy.chunks(c)) {
        let (mean, rstd) = stats(x);
        let n: Vec<f64> = x.iter().map(|x| (x - mean) * rstd).collect();
        for i in 0..c {
            y.push(n[i] * hw[i] + hb[i]);
            dw[i] += dy[i] * n[i];
            db[i] += dy[i];
            // Row i of the Jacobian: ∂n_j/∂x_i = rstd·(δ_ij − (1 + n_i·n_j)/C)
            let term = |j| {
                let delta = f64::from(i == j);
                dy[j] * hw[j] * rstd * (delta - (1.0 + n[i] * n[j]) / c as f64)
            };
            dx.push((0..c).map(term).sum());
        }
    }
    let (got, kept) = ops::layer_norm(x, &w, &b, EPS);
    assert_close(&name("y"), &got, &y, tolerance);
    let (got_dx, got_dw, got_db) =
        common::totals(ops::layer_norm_backward(x, &w, &kept, &dy, None));
    assert_close(&name("dx"), &got_dx, &dx, tolerance);
    let (onto, ..) = ops::layer_norm_backward(x, &w, &kept, &dy, Some(&dy));
    let expected: Vec<f64> = dx.iter().zip(&hdy).map(|(dx, dy)| dx + dy).collect();
    assert_close(&name("dx onto another"), &onto, &expected, tolerance);
    assert_close(&name("dw"), &got_dw, &dw, tolerance);
    assert_close(&name("db"), &got_db, &db, tolerance);
}

#[test]
fn a_constant_row_gives_the_bias() {
    let x = Tensor::full(&device(), 0.5, &[2, 40]);
    let (w, b) = (random(2, &[40]), random(3, &[40]));
    let (y, stats) = ops::layer_norm(&x, &w, &b, EPS);
    assert_close("y", &y, &host(&b).repeat(2), 0.0);
    let rstd = 1.0 / (EPS as f64).sqrt();
    assert_close("stats", &stats, &[0.5, rstd, 0.5, rstd], 1e-6);
}

#[test]
fn more_rows_than_one_dimension_of_a_grid_has_places_for_are_all_counted() {
    const ROWS: usize = 65_535 * 64 + 1; // a workgroup takes 64 at most on a software driver
    let (x, one) = (
        Tensor::full(&device(), 0.5, &[ROWS, 4]),
        Tensor::full(&device(), 1.0, &[4]),
    );
    let dy = Tensor::full(&device(), 1.0, &[ROWS, 4]);
    let (_, stats) = ops::layer_norm(&x, &one, &one, EPS);
    let (_, _, db) = common::totals(ops::layer_norm_backward(&x, &one, &stats, &dy, None));
    assert_close("db", &db, &[ROWS as f64; 4], 0.0); // a whole number below 2^24
}

#[test]
fn two_runs_give_the_same_bits() {
    let (x, w, dy) = (
        random(1, &[300, 40]),
        random(2, &[40]),
        random(3, &[300, 40]),
    );
    assert_same_bits("y", || ops::layer_norm(&x, &w, &w, EPS).0);
    let (_, stats) = ops::layer_norm(&x, &w, &w, EPS);
    let backward = || common::totals(ops::layer_norm_backward(&x, &w, &stats, &dy, None));
    assert_same_bits("dx", || backward().0);
    assert_same_bits("dw", || backward().1);
    assert_same_bits("db", || backward().2);
}
