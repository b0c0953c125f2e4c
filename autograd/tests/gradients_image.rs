//! Gradients of the ops on images, against differences.

mod common;

use autograd::{
    Var, add, bilinear, conv3x3, conv3x3_leaky_relu_shuffle, depthwise5x5, depthwise5x5_gelu_add,
    mul, no_grad, pixel_shuffle,
};
use common::{assert_close, check, host, random};

#[test]
fn conv3x3_of_one_three_and_forty_channels() {
    // Batch, height and width, channels in and out; larger and smaller than the kernels' tiles.
    for (b, [h, w], [ci, co]) in [
        (1, [1, 1], [1, 1]),
        (2, [3, 5], [3, 7]),
        (2, [2, 9], [3, 40]),
        (1, [9, 10], [40, 3]),
        (1, [11, 17], [40, 40]),
        (2, [1, 33], [1, 2]),
    ] {
        let inputs = [
            random(1, &[b, h, w, ci]),
            random(2, &[3, 3, ci, co]),
            random(3, &[co]),
        ];
        let name = format!("conv3x3 {b}×{h}×{w}, {ci} → {co}");
        check(&name, &inputs, |v| conv3x3(&v[0], &v[1], &v[2], None));
    }
}

#[test]
fn conv3x3_with_a_residual() {
    let inputs = [
        random(1, &[2, 3, 5, 4]),
        random(2, &[3, 3, 4, 6]),
        random(3, &[6]),
        random(4, &[2, 3, 5, 6]),
    ];
    check("residual", &inputs, |v| {
        conv3x3(&v[0], &v[1], &v[2], Some(&v[3]))
    });
}

#[test]
fn an_op_adds_its_gradient_to_what_later_users_of_its_input_gave() {
    let (x, b) = (random(1, &[2, 3, 5, 4]), random(3, &[4]));
    let also = |y: Var, x: &Var| add(&y, &mul(x, x)); // walked back before y is
    let inputs = [x.clone(), random(2, &[3, 3, 4, 4]), b.clone()];
    check("conv3x3", &inputs, |v| {
        also(conv3x3(&v[0], &v[1], &v[2], None), &v[0])
    });
    let inputs = [x, random(2, &[5, 5, 4]), b];
    check("depthwise5x5", &inputs, |v| {
        also(depthwise5x5(&v[0], &v[1], &v[2]), &v[0])
    });
    check("depthwise5x5_gelu_add", &inputs, |v| {
        also(depthwise5x5_gelu_add(&v[0], &v[1], &v[2]), &v[0])
    });
}

#[test]
fn conv3x3_leaky_relu_shuffle_is_the_same_with_and_without_a_tape() {
    let [x, w, b] = [
        random(1, &[1, 3, 5, 4]),
        random(2, &[3, 3, 4, 12]),
        random(3, &[12]),
    ]
    .map(Var::parameter);
    let run = || conv3x3_leaky_relu_shuffle(&x, &w, &b, 0.1, 2);
    let (recorded, fused) = (run(), no_grad(run));
    assert!(recorded.needs_grad() && !fused.needs_grad());
    assert_close("fused", fused.value(), &host(recorded.value()), 1e-6);
}

#[test]
fn the_first_convolution_whose_image_wants_no_gradient() {
    let image = Var::constant(random(1, &[2, 5, 7, 3]));
    let weights = [random(2, &[3, 3, 3, 5]), random(3, &[5])];
    check("weights", &weights, |v| conv3x3(&image, &v[0], &v[1], None));
}

#[test]
fn depthwise5x5_of_odd_sizes() {
    for [b, h, w, c] in [
        [1, 1, 1, 1],
        [2, 3, 7, 5],
        [1, 35, 9, 3],
        [2, 6, 13, 40],
        [1, 2, 33, 1],
    ] {
        let inputs = [
            random(1, &[b, h, w, c]),
            random(2, &[5, 5, c]),
            random(3, &[c]),
        ];
        let name = format!("depthwise5x5 {b}×{h}×{w}×{c}");
        check(&name, &inputs, |v| depthwise5x5(&v[0], &v[1], &v[2]));
    }
}

#[test]
fn enlargement_by_every_factor() {
    for factor in [1, 2, 3, 4] {
        for [b, h, w, c] in [[1, 1, 1, 1], [2, 3, 5, 3], [1, 7, 2, 1]] {
            let x = random(1, &[b, h, w, c * factor * factor]);
            check("pixel_shuffle", &[x], |v| pixel_shuffle(&v[0], factor));
            let x = random(2, &[b, h, w, c]);
            check("bilinear", &[x], |v| bilinear(&v[0], factor));
        }
    }
}
