//! Element-wise ops against host loops.

mod common;

use common::{assert_close, device, normal_cdf, normal_pdf, random};
use tensor::{Tensor, ops};

#[test]
fn arithmetic_matches_host_loops() {
    let (a, b) = (random(1, &[5, 13]), random(2, &[5, 13]));
    let host = |f: fn(f64, f64) -> f64| common::zip(&a, &b, f);
    assert_close("add", &ops::add(&a, &b), &host(|a, b| a + b), 1e-6);
    assert_close("sub", &ops::sub(&a, &b), &host(|a, b| a - b), 1e-6);
    assert_close("mul", &ops::mul(&a, &b), &host(|a, b| a * b), 1e-6);
    assert_close("scale", &ops::scale(&a, -2.5), &host(|a, _| -2.5 * a), 1e-6);
}

#[test]
fn leaky_relu_and_its_derivative_match_host_loops() {
    let (x, dy) = (random(3, &[301]), random(4, &[301]));
    let host = |f: fn(f64, f64) -> f64| common::zip(&x, &dy, f);
    let slope = |x: f64| if x > 0.0 { 1.0 } else { 0.1 };
    assert_close(
        "leaky_relu",
        &ops::leaky_relu(&x, 0.1),
        &host(|x, _| x.max(0.1 * x)),
        1e-6,
    );
    let dx: Vec<f64> = common::zip(&x, &dy, |x, dy| dy * slope(x));
    assert_close(
        "leaky_relu_backward",
        &ops::leaky_relu_backward(&x, &dy, 0.1),
        &dx,
        1e-6,
    );
}

#[test]
fn gelu_is_the_exact_one_and_so_is_its_derivative() {
    let xs: Vec<f32> = (-600..=600).map(|i| i as f32 / 100.0).collect();
    let x = Tensor::new(&device(), &xs, &[xs.len()]);
    let y: Vec<f64> = xs
        .iter()
        .map(|&x| x as f64 * normal_cdf(x as f64))
        .collect();
    // erf is good to 3e-7, and GELU multiplies that by x/2.
    assert_close("gelu", &ops::gelu(&x), &y, 1e-6);
    let ones = Tensor::full(&device(), 1.0, &[xs.len()]);
    let derivative = |x: f64| normal_cdf(x) + x * normal_pdf(x);
    let dx: Vec<f64> = xs.iter().map(|&x| derivative(x as f64)).collect();
    assert_close("gelu_backward", &ops::gelu_backward(&x, &ones), &dx, 1e-6);
}

#[test]
fn a_failed_tensor_fails_all_that_is_computed_from_it_and_says_why() {
    let d = device();
    let too_long = (d.max_tensor_bytes() / 4 + 1) as usize;
    let small = random(5, &[1]);
    let column = ops::scale(&small, 1.0).reshape(&[1, 1]);
    let huge = ops::broadcast_rows(&column, too_long);
    let error = ops::scale(&huge, 2.0).to_vec().unwrap_err();
    assert!(matches!(&error, tensor::Error::TooLarge { shape, .. } if shape == &[too_long, 1]));
    assert_eq!(
        small.to_vec().unwrap().len(),
        1,
        "the device goes on working"
    );
}
