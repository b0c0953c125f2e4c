//! Losses and their derivatives against host loops.

mod common;

use common::{assert_close, assert_same_bits, device, host, random, zip};
use tensor::{Tensor, ops};

type Forward = fn(&Tensor, &Tensor) -> Tensor;
type Backward = fn(&Tensor, &Tensor, &Tensor) -> Tensor;

const EPS: f32 = 1e-12;

/// A loss with its derivative; of one difference, both on the host.
struct Case {
    name: &'static str,
    loss: Forward,
    backward: Backward,
    of: fn(f64) -> f64,
    slope: fn(f64) -> f64,
}

fn root(d: f64) -> f64 {
    (d * d + f64::from(EPS)).sqrt()
}

const CASES: [Case; 3] = [
    Case {
        name: "l1_loss",
        loss: ops::l1_loss,
        backward: ops::l1_loss_backward,
        of: f64::abs,
        slope: |d| if d == 0.0 { 0.0 } else { d.signum() },
    },
    Case {
        name: "mse_loss",
        loss: ops::mse_loss,
        backward: ops::mse_loss_backward,
        of: |d| d * d,
        slope: |d| 2.0 * d,
    },
    Case {
        name: "charbonnier_loss",
        loss: |a, b| ops::charbonnier_loss(a, b, EPS),
        backward: |a, b, dy| ops::charbonnier_loss_backward(a, b, dy, EPS),
        of: root,
        slope: |d| d / root(d),
    },
];

#[test]
fn a_loss_is_the_mean_over_all_elements_and_has_no_slope_where_they_are_equal() {
    for shape in [&[1][..], &[3], &[2, 33, 31, 3]] {
        let (a, b) = (random(4, shape), random(5, shape));
        // Every third element equal.
        let (mut same, hb) = (a.to_vec().unwrap(), b.to_vec().unwrap());
        (2..same.len()).step_by(3).for_each(|i| same[i] = hb[i]);
        let a = Tensor::new(&device(), &same, shape);
        let n = a.len() as f64;
        for case in CASES {
            let name = case.name;
            let expected = zip(&a, &b, |a, b| (case.of)(a - b)).iter().sum::<f64>() / n;
            assert_close(name, &(case.loss)(&a, &b), &[expected], 1e-6);

            let dy = Tensor::full(&device(), -1.7, &[1]);
            // Times n: the gradients of a large image are far below the tolerance.
            let da = ops::scale(&(case.backward)(&a, &b, &dy), n as f32);
            let expected = zip(&a, &b, |a, b| -1.7 * (case.slope)(a - b));
            assert_close(&format!("{name}_backward"), &da, &expected, 1e-6);
            let equal = host(&da).into_iter().skip(2).step_by(3);
            assert!(equal.into_iter().all(|slope| slope == 0.0), "{name}");
        }
    }
}

#[test]
fn equal_images_have_no_loss_but_charbonniers_constant() {
    let a = random(6, &[5, 7, 3]);
    assert_close("l1_loss", &ops::l1_loss(&a, &a), &[0.0], 0.0);
    assert_close("mse_loss", &ops::mse_loss(&a, &a), &[0.0], 0.0);
    let loss = ops::charbonnier_loss(&a, &a, 0.25);
    assert_close("charbonnier_loss", &loss, &[0.5], 1e-6);
}

#[test]
fn two_runs_give_the_same_bits() {
    let (a, b, dy) = (random(7, &[99, 40]), random(8, &[99, 40]), random(9, &[1]));
    for case in CASES {
        assert_same_bits(case.name, || (case.loss)(&a, &b));
        assert_same_bits(case.name, || (case.backward)(&a, &b, &dy));
    }
}

#[test]
#[should_panic(expected = "eps is 0, not above 0")]
fn charbonniers_constant_is_not_zero() {
    let a = random(1, &[3]);
    ops::charbonnier_loss(&a, &a, 0.0);
}
