//! Layers compute their formulas, and start from the weights they say.

#[path = "../../tensor/tests/common/mod.rs"]
mod common;

use std::sync::Arc;

use autograd::Var;
use common::{device, normal_cdf, random, sums};
use nn::{Attention, Conv2d, DepthwiseConv2d, LayerNorm, Linear, ParameterStore};
use tensor::ops::{AttentionLists, RowLists};
use tensor::{Tensor, ops};

fn store(seed: u64) -> ParameterStore {
    ParameterStore::new(&device(), seed)
}

fn host(x: &Var) -> Vec<f64> {
    common::host(x.value())
}

#[track_caller]
fn assert_close(name: &str, got: &Var, expected: &[f64], tolerance: f64) {
    common::assert_close(name, got.value(), expected, tolerance);
}

fn data(seed: u64, shape: &[usize]) -> Var {
    Var::constant(random(seed, shape))
}

/// Gives a parameter random values: many start at 0 or 1, or too small to show a mistake.
fn randomise(parameter: &Var, seed: u64) -> Vec<f64> {
    parameter
        .value()
        .copy_from(&random(seed, parameter.shape()));
    host(parameter)
}

#[test]
fn linear_is_the_product_with_its_weights_plus_bias() {
    let layer = Linear::new(&mut store(1), 7, 5, true);
    let w = randomise(&layer.weight, 1);
    let b = randomise(layer.bias.as_ref().unwrap(), 2);
    let (x, residual) = (data(3, &[2, 3, 7]), data(4, &[2, 3, 5]));
    let (hx, hr) = (host(&x), host(&residual));
    let product = sums([6, 5], 7, |t, n, k| hx[t * 7 + k] * w[n * 7 + k]);
    let expected: Vec<f64> = (0..30).map(|i| product[i] + b[i % 5]).collect();
    assert_eq!(layer.forward(&x).shape(), [2, 3, 5]);
    assert_close("forward", &layer.forward(&x), &expected, 1e-6);
    let onto: Vec<f64> = (0..30).map(|i| expected[i] + hr[i]).collect();
    assert_close("onto", &layer.forward_onto(&x, &residual), &onto, 1e-6);
    let gelu: Vec<f64> = expected.iter().map(|y| y * normal_cdf(*y)).collect();
    assert_close("gelu", &layer.forward_gelu(&x), &gelu, 1e-6);

    let plain = Linear::new(&mut store(1), 7, 5, false);
    plain.weight.value().copy_from(layer.weight.value());
    assert!(plain.bias.is_none());
    assert_close("no bias", &plain.forward(&x), &product, 1e-6);
}

#[test]
fn a_1x1_convolution_is_a_linear_layer_of_pixels() {
    let layer = Linear::conv1x1(&mut store(1), 3, 4);
    let w = randomise(&layer.weight, 1);
    let x = data(2, &[2, 3, 5, 3]);
    let hx = host(&x);
    let expected = sums([30, 4], 3, |p, n, k| hx[p * 3 + k] * w[n * 3 + k]);
    assert_eq!(layer.forward(&x).shape(), [2, 3, 5, 4]);
    assert_close("conv1x1", &layer.forward(&x), &expected, 1e-6);
}

/// The pixel of `x` [B, H, W, C] that a kernel's tap sees from row·column `p`, 0 outside.
fn pixel(x: &[f64], [h, w, c]: [usize; 3], p: usize, tap: [usize; 2], pad: usize, i: usize) -> f64 {
    let (v, u) = (p / w % h + tap[0], p % w + tap[1]);
    let inside = (pad..h + pad).contains(&v) && (pad..w + pad).contains(&u);
    let (image, row, column) = (p / (h * w), v.wrapping_sub(pad), u.wrapping_sub(pad));
    if inside {
        x[((image * h + row) * w + column) * c + i]
    } else {
        0.0
    }
}

#[test]
fn convolutions_sum_over_their_taps() {
    let (h, w, ci, co) = (4, 5, 3, 2);
    let x = data(1, &[2, h, w, ci]);
    let hx = host(&x);
    let dense = Conv2d::new(&mut store(1), ci, co);
    let (weight, bias) = (host(&dense.weight), host(&dense.bias));
    let expected = sums([2 * h * w, co], 9 * ci, |p, o, l| {
        let (tap, i) = (l / ci, l % ci);
        let x = pixel(&hx, [h, w, ci], p, [tap / 3, tap % 3], 1, i);
        x * weight[l * co + o] + bias[o] / (9 * ci) as f64
    });
    assert_close("conv2d", &dense.forward(&x), &expected, 1e-6);

    let depthwise = DepthwiseConv2d::new(&mut store(1), ci);
    let (weight, bias) = (host(&depthwise.weight), host(&depthwise.bias));
    let expected = sums([2 * h * w, ci], 25, |p, c, tap| {
        let x = pixel(&hx, [h, w, ci], p, [tap / 5, tap % 5], 2, c);
        x * weight[tap * ci + c] + bias[c] / 25.0
    });
    assert_close("depthwise", &depthwise.forward(&x), &expected, 1e-6);
}

#[test]
fn layer_norm_makes_every_token_mean_0_and_variance_1() {
    let c = 7;
    let layer = LayerNorm::new(&mut store(1), c);
    assert_eq!(
        (host(&layer.weight), host(&layer.bias)),
        (vec![1.0; c], vec![0.0; c])
    );
    let (w, b) = (randomise(&layer.weight, 1), randomise(&layer.bias, 2));
    let x = data(3, &[2, 3, c]);
    let normalised = |row: &[f64]| {
        let mean = row.iter().sum::<f64>() / c as f64;
        let variance = row.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / c as f64;
        let one = |i: usize| (row[i] - mean) / (variance + 1e-5).sqrt() * w[i] + b[i];
        (0..c).map(one).collect::<Vec<f64>>()
    };
    let expected: Vec<f64> = host(&x).chunks(c).flat_map(normalised).collect();
    assert_close("layer_norm", &layer.forward(&x), &expected, 2e-6);
}

#[test]
fn attention_adds_up_a_tokens_results_over_its_lists() {
    // Token 1 asks in both lists, token 3 in none.
    let (tokens, c, qk, heads) = (4, 6, 4, 2);
    let (queries, keys) = ([0, 1, 2, 1], [0, 1, 1, 2, 3, 0]);
    let lists = Arc::new(AttentionLists {
        queries: RowLists::new(&device(), &queries, 2, tokens),
        keys: RowLists::new(&device(), &keys, 2, tokens),
    });
    let layer = Attention::new(&mut store(1), c, qk, heads);
    for (seed, linear) in [&layer.to_q, &layer.to_k, &layer.to_v, &layer.proj]
        .iter()
        .enumerate()
    {
        assert!(linear.bias.is_none());
        randomise(&linear.weight, seed as u64);
    }
    let x = data(9, &[1, tokens, c]);
    let [q, k, v] = [&layer.to_q, &layer.to_k, &layer.to_v].map(|l| host(&l.forward(&x)));
    let (dk, dv) = (qk / heads, c / heads);
    let mut expected = vec![0.0; tokens * c];
    for (slot, &query) in queries.iter().enumerate() {
        let keys = &keys[slot / 2 * 3..][..3];
        for h in 0..heads {
            let score = |&key: &u32| {
                let at = |row: u32, d| row as usize * qk + h * dk + d;
                let dot: f64 = (0..dk).map(|d| q[at(query, d)] * k[at(key, d)]).sum();
                (dot / (dk as f64).sqrt()).exp()
            };
            let total: f64 = keys.iter().map(score).sum();
            for (key, d) in keys.iter().flat_map(|key| (0..dv).map(move |d| (key, d))) {
                let channel = h * dv + d;
                let value = v[*key as usize * c + channel];
                expected[query as usize * c + channel] += score(key) / total * value;
            }
        }
    }
    assert_close("attention", &layer.attend(&x, &lists), &expected, 5e-6);
}

#[test]
fn linear_starts_normal_with_deviation_0_02() {
    let layer = Linear::new(&mut store(1), 300, 200, true);
    let w = host(&layer.weight);
    let n = w.len() as f64;
    let mean = w.iter().sum::<f64>() / n;
    let std = (w.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / n).sqrt();
    let beyond = w.iter().filter(|w| w.abs() > 2.0 * 0.02).count() as f64 / n;
    assert!(
        mean.abs() < 4e-4 && (std / 0.02 - 1.0).abs() < 0.01,
        "mean {mean}, deviation {std}"
    );
    assert!(
        (beyond - 0.0455).abs() < 0.005,
        "{beyond} lie beyond two deviations"
    );
    assert!(
        w.iter().all(|w| w.abs() <= 2.0),
        "cut off at ±2, not at two deviations"
    );
    assert!(host(layer.bias.as_ref().unwrap()).iter().all(|&b| b == 0.0));
}

#[test]
fn convolutions_start_uniform_within_one_over_the_root_of_their_inputs() {
    let mut store = store(1);
    let dense = Conv2d::new(&mut store, 40, 40);
    let depthwise = DepthwiseConv2d::new(&mut store, 200);
    let point = Linear::conv1x1(&mut store, 60, 60);
    for (weight, inputs) in [
        (&dense.weight, 360.0),
        (&depthwise.weight, 25.0),
        (&point.weight, 60.0),
    ] {
        let bound = 1.0 / f64::sqrt(inputs);
        let w: Vec<f64> = host(weight).iter().map(|w| w / bound).collect();
        let largest = w.iter().fold(0.0, |m: f64, w| m.max(w.abs()));
        let variance = w.iter().map(|w| w * w).sum::<f64>() / w.len() as f64;
        assert!((0.99..1.0 + 1e-6).contains(&largest), "largest {largest}");
        assert!((variance * 3.0 - 1.0).abs() < 0.1, "variance {variance}");
    }
    for (bias, inputs) in [(&dense.bias, 360.0), (&depthwise.bias, 25.0)] {
        let bound = 1.0 / f64::sqrt(inputs) + 1e-7;
        assert!(host(bias).iter().all(|b| b.abs() <= bound && *b != 0.0));
    }
}

#[test]
fn the_same_seed_gives_the_same_weights_and_another_seed_others() {
    let weights = |seed| {
        let mut store = store(seed);
        let linear = Linear::new(&mut store, 9, 9, true);
        let conv = Conv2d::new(&mut store, 3, 5);
        [&linear.weight, &conv.weight, &conv.bias].map(|p| p.value().to_vec().unwrap())
    };
    assert_eq!(weights(7), weights(7));
    let (seven, eight) = (weights(7), weights(8));
    assert!((0..3).all(|i| seven[i] != eight[i]));
}

#[test]
#[should_panic(expected = "forward_gelu: this layer has no bias")]
fn gelu_of_a_layer_without_bias_panics() {
    let layer = Linear::new(&mut store(1), 3, 3, false);
    layer.forward_gelu(&Var::constant(Tensor::full(&device(), 1.0, &[1, 3])));
}

#[test]
fn gradients_reach_every_parameter_of_a_layer() {
    let layer = Linear::new(&mut store(1), 3, 2, true);
    let x = data(1, &[4, 3]);
    let zero = Var::constant(ops::scale(layer.forward(&x).value(), 0.0));
    nn::l1_loss(&layer.forward_gelu(&x), &zero).backward();
    let named = nn::parameters(&layer);
    let names: Vec<&str> = named.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["weight", "bias"]);
    assert!(named.iter().all(|(_, p)| p.grad().is_some()));
}
