//! Rows of unit length against host loops.

mod common;

use common::{assert_close, assert_same_bits, device, host, random};
use tensor::{Tensor, ops};

const EPS: f64 = 1e-12;

fn check(x: &Tensor) {
    let c = x.channels();
    let dy = random(2, x.shape());
    let (hx, hdy) = (host(x), host(&dy));
    let (mut y, mut dx) = (Vec::new(), Vec::new());
    for (x, dy) in hx.chunks(c).zip(hdy.chunks(c)) {
        let norm = x.iter().map(|x| x * x).sum::<f64>().sqrt();
        let length = norm.max(EPS);
        for i in 0..c {
            y.push(x[i] / length);
            // Row i of the Jacobian; a length that was cut off is a constant.
            let through_length = |j: usize| match norm > EPS {
                true => x[i] * x[j] / (norm * norm),
                false => 0.0,
            };
            let term = |j| dy[j] * (f64::from(i == j) - through_length(j)) / length;
            dx.push((0..c).map(term).sum());
        }
    }
    let name = |part: &str| format!("{part} of {:?}", x.shape());
    assert_close(&name("y"), &ops::unit(x), &y, 1e-6);
    assert_close(&name("dx"), &ops::unit_backward(x, &dy), &dx, 1e-5);
}

#[test]
fn rows_of_any_width_get_unit_length_and_are_differentiated() {
    for c in [1, 3, 40] {
        for rows in [&[1][..], &[3], &[2, 99]] {
            let x = random(1, &[rows, &[c]].concat());
            check(&ops::add(&x, &Tensor::full(&device(), 1.5, x.shape())));
        }
    }
    check(&random(3, &[2, 99, 40]));
}

#[test]
fn a_row_shorter_than_the_cut_off_is_divided_by_it() {
    let rows = [0.0, 0.0, 0.0, 1e-13, -2e-13, 0.0, 0.6, 0.0, -0.8];
    check(&Tensor::new(&device(), &rows, &[3, 3]));
}

#[test]
fn two_runs_give_the_same_bits() {
    let (x, dy) = (random(1, &[300, 40]), random(2, &[300, 40]));
    assert_same_bits("y", || ops::unit(&x));
    assert_same_bits("dx", || ops::unit_backward(&x, &dy));
}
