//! Gradients of the element-wise ops, sums, linear layers, LayerNorm and the losses, against
//! differences.

mod common;

use autograd::{
    Var, add, charbonnier_loss, gelu, l1_loss, layer_norm, leaky_relu, linear, linear_gelu,
    mse_loss, mul, no_grad, reshape, scale, sub, sum,
};
use common::{assert_close, away_from_zero, check, host, random};
use tensor::ops;

#[test]
fn arithmetic() {
    for shape in [&[1][..], &[7], &[3, 5], &[2, 3, 1, 11]] {
        let inputs = [random(1, shape), random(2, shape)];
        check("add", &inputs, |v| add(&v[0], &v[1]));
        check("sub", &inputs, |v| sub(&v[0], &v[1]));
        check("mul", &inputs, |v| mul(&v[0], &v[1]));
        check("scale", &inputs[..1], |v| scale(&v[0], -2.5));
    }
}

#[test]
fn an_input_used_twice_gets_the_sum_of_both_gradients() {
    let inputs = [random(1, &[3, 5]), random(2, &[3, 5])];
    check("x + x", &inputs[..1], |v| add(&v[0], &v[0]));
    check("2x − x", &inputs[..1], |v| sub(&scale(&v[0], 2.0), &v[0]));
    check("x·x", &inputs[..1], |v| mul(&v[0], &v[0]));
    check("(a·b + a)·b", &inputs, |v| {
        mul(&add(&mul(&v[0], &v[1]), &v[0]), &v[1])
    });
}

#[test]
fn sum_and_reshape() {
    for shape in [&[1][..], &[7], &[3, 5, 3], &[131, 33]] {
        let x = [random(1, shape)];
        check("sum", &x, |v| sum(&v[0]));
        check("reshape", &x, |v| reshape(&v[0], &[1, v[0].len()]));
    }
}

#[test]
fn activations() {
    for len in [3, 5, 67] {
        let wide = ops::scale(&random(1, &[len]), 5.0); // where gelu falls, bends and rises
        check("gelu", &[wide], |v| gelu(&v[0]));
        let x = away_from_zero(2, &[len]);
        check("leaky_relu", &[x], |v| leaky_relu(&v[0], 0.2));
    }
}

#[test]
fn linear_with_and_without_bias_and_residual() {
    // x [.., K], w [N, K]
    for (tokens, k, n) in [(&[1][..], 1, 1), (&[5], 3, 7), (&[2, 33], 40, 17)] {
        let at = |channels| [tokens, &[channels]].concat();
        let inputs = [
            random(1, &at(k)),
            random(2, &[n, k]),
            random(3, &[n]),
            random(4, &at(n)),
        ];
        let [x, w, _, r] = inputs.clone();
        check("plain", &inputs[..2], |v| linear(&v[0], &v[1], None, None));
        check("bias", &inputs[..3], |v| {
            linear(&v[0], &v[1], Some(&v[2]), None)
        });
        check("residual", &[x, w, r], |v| {
            linear(&v[0], &v[1], None, Some(&v[2]))
        });
        check("both", &inputs, |v| {
            linear(&v[0], &v[1], Some(&v[2]), Some(&v[3]))
        });
        check("gelu", &inputs[..3], |v| linear_gelu(&v[0], &v[1], &v[2]));
        // Only the bias wants a gradient: the others must keep their places.
        let [x, w, _, r] = inputs.clone().map(Var::constant);
        check("bias only", &inputs[2..3], |v| {
            linear(&x, &w, Some(&v[0]), Some(&r))
        });
    }
}

#[test]
fn an_op_adds_its_gradient_to_what_later_users_of_its_input_gave() {
    let inputs = [random(1, &[5, 8]), random(2, &[8, 8]), random(3, &[8])];
    let also = |y: Var, x: &Var| add(&y, &mul(x, x)); // walked back before y is
    check("linear", &inputs, |v| {
        also(linear(&v[0], &v[1], Some(&v[2]), None), &v[0])
    });
    check("linear_gelu", &inputs, |v| {
        also(linear_gelu(&v[0], &v[1], &v[2]), &v[0])
    });
    let [x, _, b] = inputs;
    check("layer_norm", &[x, random(4, &[8]), b], |v| {
        also(layer_norm(&v[0], &v[1], &v[2], 1e-5), &v[0])
    });
}

#[test]
fn linear_onto_its_own_input_and_with_its_weights_used_twice() {
    let inputs = [random(1, &[5, 7]), random(2, &[7, 7]), random(3, &[7])];
    check("residual", &inputs, |v| {
        linear(&v[0], &v[1], Some(&v[2]), Some(&v[0]))
    });
    check("weights", &inputs, |v| {
        let y = linear(&v[0], &v[1], Some(&v[2]), None);
        linear(&y, &v[1], Some(&v[2]), None)
    });
}

#[test]
fn linear_gelu_is_the_same_with_and_without_a_tape() {
    let [x, w, b] = [
        random(1, &[2, 33, 40]),
        random(2, &[17, 40]),
        random(3, &[17]),
    ];
    let [x, w, b] = [x, w, b].map(Var::parameter);
    let recorded = linear_gelu(&x, &w, &b);
    let fused = no_grad(|| linear_gelu(&x, &w, &b));
    assert!(recorded.needs_grad() && !fused.needs_grad());
    assert_close("linear_gelu", fused.value(), &host(recorded.value()), 1e-6);
}

#[test]
fn layer_normalisation() {
    for (tokens, c) in [(&[1][..], 3), (&[5], 7), (&[2, 33], 40), (&[1, 131], 40)] {
        let x = random(1, &[tokens, &[c]].concat());
        check("layer_norm", &[x, random(2, &[c]), random(3, &[c])], |v| {
            layer_norm(&v[0], &v[1], &v[2], 1e-5)
        });
    }
}

#[test]
fn l1_loss_away_from_ties() {
    for len in [1, 3, 35] {
        let target = random(1, &[len]);
        let prediction = ops::add(&target, &away_from_zero(2, &[len]));
        check("l1_loss", &[prediction, target], |v| l1_loss(&v[0], &v[1]));
    }
}

#[test]
fn losses_with_a_slope_everywhere() {
    for len in [1, 3, 7] {
        let [a, b] = [1, 2].map(|seed| random(seed, &[len]));
        // Near the root's bottom, and by one element of many, the loss moves too little for its rounding.
        let apart = ops::add(&b, &away_from_zero(3, &[len]));
        check("mse_loss", &[a, b.clone()], |v| mse_loss(&v[0], &v[1]));
        for eps in [0.5, 1e-12] {
            let name = format!("charbonnier_loss of {eps}");
            check(&name, &[apart.clone(), b.clone()], |v| {
                charbonnier_loss(&v[0], &v[1], eps)
            });
        }
    }
}
