//! What changes rows of numbers in place, against host loops.

mod common;

use common::{assert_close, device, host, random, random_vec, zip};
use tensor::{Tensor, ops};

const LENGTHS: [usize; 3] = [1, 3, 1001];

/// The clipped tensor, its sum of squares taken on the device.
fn clipped(g: &[f32], max_norm: f32) -> Tensor {
    let g = Tensor::new(&device(), g, &[g.len()]);
    let squares = ops::sum(&ops::mul(&g, &g));
    ops::clip(&g, &squares, max_norm);
    g
}

#[test]
fn what_is_longer_than_the_bound_is_shortened_to_it_and_the_rest_keeps_its_bits() {
    for len in LENGTHS {
        let g = random_vec(1, len);
        let norm = g.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
        for max_norm in [0.3 * norm, 2.0 * norm] {
            let factor = (max_norm / (norm + 1e-6)).min(1.0);
            let expected: Vec<f64> = g.iter().map(|&g| factor * f64::from(g)).collect();
            let got = clipped(&g, max_norm as f32);
            assert_close("clip", &got, &expected, 1e-6);
            assert_eq!(got.to_vec().unwrap() == g, factor == 1.0);
        }
    }
    // What PyTorch adds to the norm shows where that is small.
    let got = clipped(&[1e-6], 1e-6).item().unwrap();
    assert!((got - 5e-7).abs() < 1e-12, "{got}");
}

#[test]
fn a_norm_that_is_no_number_changes_nothing() {
    let got = clipped(&[f32::NAN, 2.0, 0.0], 1.0).to_vec().unwrap();
    assert!(got[0].is_nan());
    assert_eq!(got[1..], [2.0, 0.0]);
}

#[test]
fn a_row_approaches_another_by_a_share_of_their_distance() {
    for len in LENGTHS {
        let (e, w) = (random(1, &[len]), random(2, &[len]));
        let expected = zip(&e, &w, |e, w| 0.9 * e + 0.1 * w);
        let before = w.to_vec().unwrap();
        ops::approach(&e, &w, 0.1);
        assert_close("approach", &e, &expected, 1e-6);
        assert_eq!(w.to_vec().unwrap(), before);
    }
}

#[test]
fn two_rows_are_exchanged() {
    for len in LENGTHS {
        let (a, b) = (random(1, &[len]), random(2, &[len]));
        let (old_a, old_b) = (host(&a), host(&b));
        ops::exchange(&a, &b);
        assert_close("a", &a, &old_b, 0.0);
        assert_close("b", &b, &old_a, 0.0);
    }
}
