//! Dense 3×3 convolution and its gradients against host loops.

mod common;

use common::{assert_close, host, random};
use tensor::{Tensor, ops};

/// Calls `f(tap, input pixel, output pixel)` for all that a 3×3 window with zero padding connects.
fn connections([b, h, w]: [usize; 3], mut f: impl FnMut(usize, usize, usize)) {
    for (image, v, u) in (0..b * h * w).map(|n| (n / (h * w), n / w % h, n % w)) {
        for (ky, kx) in (0..9).map(|t| (t / 3, t % 3)) {
            let (sv, su) = (v + ky, u + kx); // one more than the source
            if (1..=h).contains(&sv) && (1..=w).contains(&su) {
                let source = (image * h + sv - 1) * w + su - 1;
                f(3 * ky + kx, source, (image * h + v) * w + u);
            }
        }
    }
}

struct Expected {
    y: Vec<f64>,
    dx: Vec<f64>,
    dw: Vec<f64>,
    db: Vec<f64>,
}

fn expected(x: &Tensor, w: &Tensor, bias: Option<&Tensor>, dy: &Tensor) -> Expected {
    let &[b, h, width, ci] = x.shape() else {
        unreachable!()
    };
    let co = w.channels();
    let bias = bias.map_or(vec![0.0; co], host);
    let (mut dx, mut dw) = (vec![0.0; x.len()], vec![0.0; w.len()]);
    let mut db = vec![0.0; co];
    host(dy)
        .iter()
        .enumerate()
        .for_each(|(n, g)| db[n % co] += g);
    let mut y: Vec<f64> = (0..dy.len()).map(|n| bias[n % co]).collect();
    let (x, w, dy) = (host(x), host(w), host(dy));
    connections([b, h, width], |tap, source, target| {
        for (i, o) in (0..ci * co).map(|n| (n / co, n % co)) {
            let (xi, wi, yi) = (source * ci + i, (tap * ci + i) * co + o, target * co + o);
            y[yi] += x[xi] * w[wi];
            dx[xi] += dy[yi] * w[wi];
            dw[wi] += dy[yi] * x[xi];
        }
    });
    Expected { y, dx, dw, db }
}

fn check([b, h, w, ci, co]: [usize; 5], with_bias: bool) {
    let (x, k) = (random(1, &[b, h, w, ci]), random(2, &[3, 3, ci, co]));
    let (bias, dy) = (random(3, &[co]), random(4, &[b, h, w, co]));
    let bias = with_bias.then_some(&bias);
    let expected = expected(&x, &k, bias, &dy);
    // Sums of up to 3240 products of either sign: allow for the rounding of their size, not of
    // what is left of them.
    let tolerance = 1e-6 * (9.0 * ci.max(co) as f64).sqrt().max(3.0);
    let (y, dx) = (
        ops::conv3x3(&x, &k, bias, None),
        ops::conv3x3_backward_x(&dy, &k, None),
    );
    let [dw, db] = ops::conv3x3_backward_w(&x, &dy).map(ops::RowSum::total);
    let name = |what| format!("{what}, {b}×{h}×{w}, {ci}→{co}");
    assert_close(&name("y"), &y, &expected.y, tolerance);
    assert_close(&name("dx"), &dx, &expected.dx, tolerance);
    let onto = ops::conv3x3_backward_x(&dy, &k, Some(&x));
    let sum = ops::add(&dx, &x);
    assert_close(&name("dx onto another"), &onto, &host(&sum), tolerance);
    assert_close(&name("dw"), &dw, &expected.dw, tolerance);
    assert_close(&name("db"), &db, &expected.db, tolerance);
}

#[test]
fn convolution_and_gradients_match_host_loops_at_odd_sizes() {
    check([1, 1, 1, 1, 2], true);
    check([2, 3, 1, 5, 3], false);
    check([3, 1, 7, 3, 13], true);
    check([1, 6, 10, 9, 11], true);
    check([2, 13, 19, 5, 3], false);
    check([2, 9, 18, 4, 41], true);
}

#[test]
fn convolution_and_gradients_match_host_loops_at_the_networks_channel_counts() {
    check([1, 9, 17, 3, 40], true);
    check([2, 8, 16, 40, 40], true);
    check([1, 5, 9, 40, 160], true);
    check([1, 3, 5, 40, 360], true);
    check([1, 9, 17, 40, 3], true);
}

#[test]
fn what_follows_a_convolution_in_its_kernel_is_what_it_would_be_in_its_own() {
    let (x, bias) = (random(1, &[2, 5, 17, 7]), random(3, &[45]));
    let (k, residual) = (random(2, &[3, 3, 7, 45]), random(4, &[2, 5, 17, 45]));
    let y = ops::conv3x3(&x, &k, Some(&bias), None);
    let sum = ops::conv3x3(&x, &k, Some(&bias), Some(&residual));
    assert_close("sum", &sum, &host(&ops::add(&y, &residual)), 1e-6);

    let apart = ops::pixel_shuffle(&ops::leaky_relu(&y, 0.1), 3);
    let fused = ops::conv3x3_leaky_relu_shuffle(&x, &k, &bias, 0.1, 3);
    assert_eq!(fused.shape(), [2, 15, 51, 5]);
    assert_close("leaky_relu, shuffle", &fused, &host(&apart), 1e-6);
}

#[test]
fn a_long_weight_gradient_keeps_its_precision() {
    // All products positive: what a rounded-off sum loses would show.
    let (b, h, w) = (2, 100, 101);
    let positive = |seed, c| {
        let data: Vec<f32> = common::random_vec(seed, b * h * w * c)
            .iter()
            .map(|v| v.abs())
            .collect();
        Tensor::new(&common::device(), &data, &[b, h, w, c])
    };
    let (x, dy) = (positive(5, 2), positive(6, 3));
    let expected = expected(&x, &random(7, &[3, 3, 2, 3]), None, &dy);
    let [dw, db] = ops::conv3x3_backward_w(&x, &dy).map(ops::RowSum::total);
    assert_close("dw", &dw, &expected.dw, 2e-6);
    assert_close("db", &db, &expected.db, 2e-6);
}

#[test]
#[should_panic(expected = "conv3x3: weights of shape")]
fn wrong_shapes_panic_and_are_named() {
    ops::conv3x3(
        &random(1, &[1, 4, 4, 3]),
        &random(2, &[3, 3, 4, 5]),
        None,
        None,
    );
}
