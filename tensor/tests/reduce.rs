//! Sums against host loops.

mod common;

use common::{assert_close, assert_same_bits, device, host, random, sums};
use tensor::{Tensor, ops};

#[test]
fn columns_are_summed_over_any_number_of_rows() {
    for rows in [1, 3, 32, 33, 1024, 1025, 2500] {
        for c in [1, 3, 40] {
            let x = random(1, &[rows, c]);
            let hx = host(&x);
            let expected = sums([1, c], rows, |_, j, l| hx[l * c + j]);
            let y = ops::sum_rows(&x);
            assert_eq!(y.shape(), [c]);
            assert_close(&format!("{rows} rows of {c}"), &y, &expected, 2e-5);
        }
    }
}

#[test]
fn a_sum_takes_in_every_image_row_and_column() {
    let x = random(2, &[3, 71, 7]);
    let expected: f64 = host(&x).iter().sum();
    let y = ops::sum(&x);
    assert_eq!(y.shape(), [1]);
    assert_close("sum", &y, &[expected], 5e-6);
}

#[test]
fn a_row_is_repeated() {
    for (rows, c) in [(1, 1), (3, 7), (100, 3)] {
        let x = random(3, &[c]);
        let y = ops::broadcast_rows(&x, rows);
        assert_eq!(y.shape(), [rows, c]);
        assert_close("broadcast_rows", &y, &host(&x).repeat(rows), 0.0);
    }
}

#[test]
fn more_workgroups_than_one_dimension_holds_miss_no_element() {
    let n = 65_536 * 64 + 65; // every number below 2²⁴ is exact
    let numbers: Vec<f32> = (0..n).map(|i| i as f32).collect();
    let y = ops::scale(&Tensor::new(&device(), &numbers, &[n]), 2.0);
    let wrong = y.to_vec().expect("read-back").into_iter().enumerate();
    assert_eq!(wrong.filter(|&(i, y)| y != 2.0 * i as f32).count(), 0);
    let ones = ops::broadcast_rows(&Tensor::full(&device(), 1.0, &[1]), n);
    assert_close("sum of ones", &ops::sum(&ones), &[n as f64], 0.0);
}

#[test]
fn two_runs_give_the_same_bits() {
    let a = random(7, &[99, 40]);
    assert_same_bits("sum_rows", || ops::sum_rows(&a));
}

#[test]
fn a_row_sum_is_written_to_or_added_to_what_is_there() {
    for (rows, columns) in [(1, 3), (5, 8), (33, 40), (2000, 7)] {
        let x = random(7, &[rows, columns]);
        let target = random(8, &[columns]);
        let before = host(&target);
        let sums = |dy: &Tensor| {
            let [_, db] = ops::linear_backward_w(dy, dy); // db = Σ_rows dy
            db
        };
        sums(&x).write(&target, true);
        let total = sums(&x).total();
        let added: Vec<f64> = host(&total)
            .iter()
            .zip(&before)
            .map(|(a, b)| a + b)
            .collect();
        assert_close("added", &target, &added, 1e-6);
        sums(&x).write(&target, false);
        assert!(host(&target) == host(&total), "written");
        let one: ops::RowSum = total.clone().into();
        one.write(&target, true);
        let twice: Vec<f64> = host(&total).iter().map(|v| 2.0 * v).collect();
        assert_close("a sum of one row, added", &target, &twice, 0.0);
    }
}

#[test]
fn the_parts_of_a_row_sum_have_the_bits_of_the_whole() {
    // LayerNorm's kernel leaves the sums for w and b side by side.
    for (rows, c) in [(3, 5), (70, 40), (9000, 12)] {
        let (x, dy) = (random(1, &[rows, c]), random(2, &[rows, c]));
        let (w, b) = (random(3, &[c]), random(4, &[c]));
        let (_, stats) = ops::layer_norm(&x, &w, &b, 1e-5);
        let (_, dw, db) = common::totals(ops::layer_norm_backward(&x, &w, &stats, &dy, None));
        let (_, sum_w, sum_b) = ops::layer_norm_backward(&x, &w, &stats, &dy, None);
        let targets = [&w, &b].map(|t| Tensor::full(&device(), 9.0, t.shape()));
        sum_w.write(&targets[0], false);
        sum_b.write(&targets[1], false);
        assert!(host(&targets[0]) == host(&dw) && host(&targets[1]) == host(&db));
    }
}
