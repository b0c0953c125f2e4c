//! Every derivative on one page. Above each op stands its formula and the gradients by its inputs; dy
//! is the gradient of the output. A rule gives to its inputs by their numbers.

use std::sync::Arc;

use tensor::Tensor;
use tensor::ops::{self, Activation, AttentionLists, RowLists, SortedTokens};

use crate::tape::{Var, wants_grad};

/// What a rule keeps of an op's inputs.
fn keep<const N: usize>(inputs: [&Var; N]) -> [Tensor; N] {
    inputs.map(|x| x.value().clone())
}

// Element by element.

/// `y = a + b`:  da = dy, db = dy.
#[track_caller]
pub fn add(a: &Var, b: &Var) -> Var {
    Var::from_op(ops::add(a.value(), b.value()), [a, b], |dy, grads| {
        grads.give(0, || dy.clone());
        grads.give(1, || dy.clone());
    })
}

/// `y = a − b`:  da = dy, db = −dy.
#[track_caller]
pub fn sub(a: &Var, b: &Var) -> Var {
    Var::from_op(ops::sub(a.value(), b.value()), [a, b], |dy, grads| {
        grads.give(0, || dy.clone());
        grads.give(1, || ops::scale(dy, -1.0));
    })
}

/// `y = a·b`, element by element:  da = dy·b, db = dy·a.
#[track_caller]
pub fn mul(a: &Var, b: &Var) -> Var {
    let [ta, tb] = keep([a, b]);
    Var::from_op(ops::mul(&ta, &tb), [a, b], move |dy, grads| {
        grads.give(0, || ops::mul(dy, &tb));
        grads.give(1, || ops::mul(dy, &ta));
    })
}

/// `y = s·a`, s a number:  da = s·dy.
pub fn scale(a: &Var, s: f32) -> Var {
    Var::from_op(ops::scale(a.value(), s), [a], move |dy, grads| {
        grads.give(0, || ops::scale(dy, s));
    })
}

/// `y = x·Φ(x)`:  dx = dy·(Φ(x) + x·φ(x)).
pub fn gelu(x: &Var) -> Var {
    let [tx] = keep([x]);
    Var::from_op(ops::gelu(&tx), [x], move |dy, grads| {
        grads.give(0, || ops::gelu_backward(&tx, dy));
    })
}

/// `y = x` where positive, else `slope·x`:  dx = dy, or slope·dy.
pub fn leaky_relu(x: &Var, slope: f32) -> Var {
    let [tx] = keep([x]);
    Var::from_op(ops::leaky_relu(&tx, slope), [x], move |dy, grads| {
        grads.give(0, || ops::leaky_relu_backward(&tx, dy, slope));
    })
}

// Sums and shapes.

/// `y = Σ a`:  da = dy everywhere.
pub fn sum(a: &Var) -> Var {
    let shape = a.shape().to_vec();
    Var::from_op(ops::sum(a.value()), [a], move |dy, grads| {
        let rows = shape.iter().product();
        grads.give(0, || ops::broadcast_rows(dy, rows).reshape(&shape));
    })
}

/// The same elements under another shape:  da = dy under the old one.
#[track_caller]
pub fn reshape(a: &Var, shape: &[usize]) -> Var {
    let old = a.shape().to_vec();
    Var::from_op(a.value().reshape(shape), [a], move |dy, grads| {
        grads.give(0, || dy.reshape(&old));
    })
}

// Losses: b is the target.

/// The rule of a loss of a and b, whose gradients are each other's negative.
fn loss(
    y: Tensor,
    inputs: [&Var; 2],
    da: impl FnOnce([&Tensor; 2], &Tensor) -> Tensor + Send + 'static,
) -> Var {
    let [ta, tb] = keep(inputs);
    Var::from_op(y, inputs, move |dy, grads| {
        let da = da([&ta, &tb], dy);
        grads.give(0, || da.clone());
        grads.give(1, || ops::scale(&da, -1.0));
    })
}

/// `y = mean |a − b|`:  da = sign(a − b)·dy/n, db = −da.
#[track_caller]
pub fn l1_loss(a: &Var, b: &Var) -> Var {
    loss(ops::l1_loss(a.value(), b.value()), [a, b], |[a, b], dy| {
        ops::l1_loss_backward(a, b, dy)
    })
}

/// `y = mean (a − b)²`:  da = 2·(a − b)·dy/n, db = −da.
#[track_caller]
pub fn mse_loss(a: &Var, b: &Var) -> Var {
    loss(ops::mse_loss(a.value(), b.value()), [a, b], |[a, b], dy| {
        ops::mse_loss_backward(a, b, dy)
    })
}

/// `y = mean √((a − b)² + eps)`:  da = (a − b)/√((a − b)² + eps)·dy/n, db = −da.
/// `eps` is above 0; 1e-12 where the loss should be the distance, with a slope everywhere.
#[track_caller]
pub fn charbonnier_loss(a: &Var, b: &Var, eps: f32) -> Var {
    let y = ops::charbonnier_loss(a.value(), b.value(), eps);
    loss(y, [a, b], move |[a, b], dy| {
        ops::charbonnier_loss_backward(a, b, dy, eps)
    })
}

// Layers. Sums for weights are taken at the end of a rule's op, where the weight's gradient lies.

/// `y = x·wᵀ + bias + residual`:  dx = dy·w, dw = dyᵀ·x, dbias = Σ_rows dy, dresidual = dy.
/// `x [.., K]`, `w [N, K]`, `bias [N]`, `residual [.., N]` → [.., N].
#[track_caller]
pub fn linear(x: &Var, w: &Var, bias: Option<&Var>, residual: Option<&Var>) -> Var {
    let [tx, tw] = keep([x, w]);
    let (tb, tr) = (bias.map(Var::value), residual.map(Var::value));
    let y = ops::linear(&tx, &tw, tb, Activation::None, tr);
    Var::from_op(y, [Some(x), Some(w), bias, residual], move |dy, grads| {
        grads.give_all([1, 2], || ops::linear_backward_w(&tx, dy));
        grads.give_onto(0, |sum| ops::linear_backward_x(dy, &tw, sum));
        grads.give(3, || dy.clone());
    })
}

/// `y = gelu(h)`, `h = x·wᵀ + bias`:  dh = dy·gelu'(h), and on as [`linear`]. h is kept for that.
#[track_caller]
pub fn linear_gelu(x: &Var, w: &Var, bias: &Var) -> Var {
    let [tx, tw, tb] = keep([x, w, bias]);
    if !wants_grad([x, w, bias]) {
        return Var::constant(ops::linear(&tx, &tw, Some(&tb), Activation::Gelu, None));
    }
    let (y, h) = ops::linear_gelu(&tx, &tw, &tb);
    Var::from_op(y, [x, w, bias], move |dy, grads| {
        let dh = ops::gelu_backward(&h, dy);
        grads.give_all([1, 2], || ops::linear_backward_w(&tx, &dh));
        grads.give_onto(0, |sum| ops::linear_backward_x(&dh, &tw, sum));
    })
}

/// `y = n·w + b`, n the row made mean 0, variance 1:  with g = dy·w,
/// dx = (g − mean g − n·mean(g·n))/σ, dw = Σ_rows dy·n, db = Σ_rows dy.
/// `x [.., C]`, `w` and `b` of length C.
#[track_caller]
pub fn layer_norm(x: &Var, w: &Var, b: &Var, eps: f32) -> Var {
    let [tx, tw] = keep([x, w]);
    let (y, stats) = ops::layer_norm(&tx, &tw, b.value(), eps);
    Var::from_op(y, [x, w, b], move |dy, grads| {
        let sum = grads.take(0);
        let (dx, dw, db) = ops::layer_norm_backward(&tx, &tw, &stats, dy, sum.as_ref());
        grads.give(0, || dx);
        grads.give_all([1, 2], || [dw, db]);
    })
}

/// Dense 3×3 convolution, zero padding 1, plus `residual`:  dx = dy convolved with w turned by half
/// and its channels exchanged, dw = x correlated with dy, dbias = Σ_pixels dy, dresidual = dy.
/// `x [B, H, W, Ci]`, `w [3, 3, Ci, Co]`, `bias [Co]`, `residual [B, H, W, Co]` → [B, H, W, Co].
#[track_caller]
pub fn conv3x3(x: &Var, w: &Var, bias: &Var, residual: Option<&Var>) -> Var {
    let [tx, tw] = keep([x, w]);
    let y = ops::conv3x3(&tx, &tw, Some(bias.value()), residual.map(Var::value));
    let inputs = [Some(x), Some(w), Some(bias), residual];
    Var::from_op(y, inputs, move |dy, grads| {
        grads.give_all([1, 2], || ops::conv3x3_backward_w(&tx, dy));
        grads.give_onto(0, |sum| ops::conv3x3_backward_x(dy, &tw, sum));
        grads.give(3, || dy.clone());
    })
}

/// `y = pixel_shuffle(leaky_relu(conv3x3(x)))`: the three rules in turn, as LeakyReLU's derivative
/// needs the convolution; one kernel where no gradient is wanted.
/// `x [B, H, W, Ci]`, `w [3, 3, Ci, C·r²]`, `bias [C·r²]` → [B, H·r, W·r, C].
#[track_caller]
pub fn conv3x3_leaky_relu_shuffle(x: &Var, w: &Var, bias: &Var, slope: f32, r: usize) -> Var {
    if wants_grad([x, w, bias]) {
        return pixel_shuffle(&leaky_relu(&conv3x3(x, w, bias, None), slope), r);
    }
    let [tx, tw, tb] = keep([x, w, bias]);
    Var::constant(ops::conv3x3_leaky_relu_shuffle(&tx, &tw, &tb, slope, r))
}

/// Depthwise 5×5 convolution, zero padding 2; derivatives as [`conv3x3`]'s, channel by channel.
/// `x [B, H, W, C]`, `w [5, 5, C]`, `bias [C]` → [B, H, W, C].
#[track_caller]
pub fn depthwise5x5(x: &Var, w: &Var, bias: &Var) -> Var {
    let [tx, tw] = keep([x, w]);
    let y = ops::depthwise5x5(&tx, &tw, Some(bias.value()));
    Var::from_op(y, [x, w, bias], move |dy, grads| {
        grads.give_all([1, 2], || ops::depthwise5x5_backward_w(&tx, dy));
        grads.give_onto(0, |sum| ops::depthwise5x5_backward_x(dy, &tw, sum));
    })
}

/// `y = x + gelu(h)`, `h = depthwise5x5(x)`:  dh = dy·gelu'(h), and on as [`depthwise5x5`] with dx
/// that much and dy. h is kept for that.
#[track_caller]
pub fn depthwise5x5_gelu_add(x: &Var, w: &Var, bias: &Var) -> Var {
    let [tx, tw, tb] = keep([x, w, bias]);
    if !wants_grad([x, w, bias]) {
        return Var::constant(ops::depthwise5x5_gelu_add(&tx, &tw, &tb));
    }
    let (y, h) = ops::depthwise5x5_gelu_add_keeping(&tx, &tw, &tb);
    Var::from_op(y, [x, w, bias], move |dy, grads| {
        let dh = ops::gelu_backward(&h, dy);
        grads.give_all([1, 2], || ops::depthwise5x5_backward_w(&tx, &dh));
        grads.give(0, || ops::depthwise5x5_backward_x(&dh, &tw, Some(dy)));
    })
}

// Images.

/// Channels into r×r pixels; the derivative moves them back.
/// `x [B, H, W, C·r²]` → [B, H·r, W·r, C].
#[track_caller]
pub fn pixel_shuffle(x: &Var, r: usize) -> Var {
    Var::from_op(ops::pixel_shuffle(x.value(), r), [x], move |dy, grads| {
        grads.give(0, || ops::pixel_unshuffle(dy, r));
    })
}

/// Bilinear enlargement by a whole factor; the derivative gathers what each pixel gave.
/// `x [B, H, W, C]` → [B, H·s, W·s, C].
#[track_caller]
pub fn bilinear(x: &Var, s: usize) -> Var {
    Var::from_op(ops::bilinear(x.value(), s), [x], move |dy, grads| {
        grads.give(0, || ops::bilinear_backward(dy, s));
    })
}

// Attention over index lists, and rows that move.

/// `y = softmax(q·kᵀ/√d)·v` for every list and head. With p the probabilities and D = Σ dy·y,
/// ds = p·(dy·vᵀ − D)/√d:  dq = ds·k, dk = dsᵀ·q, dv = pᵀ·dy, each added up over the lists that
/// the row takes part in. The scores are never stored; backward computes them again.
/// `q [B, N, H·dk]`, `k [B, Nk, H·dk]`, `v [B, Nk, H·dv]` → [B, slots, H·dv], in slot order.
#[track_caller]
pub fn attention(q: &Var, k: &Var, v: &Var, lists: &Arc<AttentionLists>, heads: usize) -> Var {
    let [tq, tk, tv] = keep([q, k, v]);
    let (y, lse) = ops::attention(&tq, &tk, &tv, lists, heads);
    let (ty, lists) = (y.clone(), lists.clone());
    Var::from_op(y, [q, k, v], move |dy, grads| {
        grads.give_all([0, 1, 2], || {
            ops::attention_backward([&tq, &tk, &tv], (&ty, &lse), dy, &lists, heads)
        });
    })
}

/// Slots added up into the rows they were taken from:  a slot's gradient is its row's.
/// `x [B, slots, C]` → [B, N, C].
#[track_caller]
pub fn segment_sum(x: &Var, lists: &RowLists) -> Var {
    let y = ops::segment_sum(x.value(), lists);
    let lists = lists.clone();
    Var::from_op(y, [x], move |dy, grads| {
        grads.give(0, || ops::gather(dy, &lists));
    })
}

/// Tokens in the order of their centres:  the derivative puts them back. [B, N, C].
#[track_caller]
pub fn sort_tokens(x: &Var, sorted: &SortedTokens) -> Var {
    let (y, sorted) = (ops::sort_tokens(x.value(), sorted), sorted.clone());
    Var::from_op(y, [x], move |dy, grads| {
        grads.give(0, || ops::unsort_tokens(dy, &sorted));
    })
}

/// Sorted tokens back at their places:  the derivative sorts. [B, N, C].
#[track_caller]
pub fn unsort_tokens(x: &Var, sorted: &SortedTokens) -> Var {
    let (y, sorted) = (ops::unsort_tokens(x.value(), sorted), sorted.clone());
    Var::from_op(y, [x], move |dy, grads| {
        grads.give(0, || ops::sort_tokens(dy, &sorted));
    })
}

/// Every row times its own constant factor:  dx = factor·dy. `x [B, N, C]`, `factor [N]`.
#[track_caller]
pub fn scale_rows(x: &Var, factor: &Tensor) -> Var {
    let y = ops::scale_rows(x.value(), factor);
    let factor = factor.clone();
    Var::from_op(y, [x], move |dy, grads| {
        grads.give(0, || ops::scale_rows(dy, &factor));
    })
}

// Token centres.

/// `y = x/‖x‖` for every row:  dx = (dy − y·⟨y, dy⟩)/‖x‖.
pub fn unit(x: &Var) -> Var {
    let [tx] = keep([x]);
    Var::from_op(ops::unit(&tx), [x], move |dy, grads| {
        grads.give(0, || ops::unit_backward(&tx, dy));
    })
}

/// `c'_m = unit(Σ of the tokens that centre m owns)`; one that owns nothing keeps its value. The
/// assignment is a constant, so every token gets the gradient of its owner's sum.
/// `x [B, N, C]` and `centres [M, C]`, rows of unit length → [M, C].
#[track_caller]
pub fn refine_centres(x: &Var, centres: &Tensor) -> Var {
    let (refined, sums, owner) = ops::refine_centres(x.value(), centres);
    let shape = x.shape().to_vec();
    Var::from_op(refined, [x], move |dy, grads| {
        // A centre without tokens gets a gradient too, but no token takes it.
        let dsums = ops::unit_backward(&sums, dy);
        grads.give(0, || ops::take_rows(&dsums, &owner).reshape(&shape));
    })
}
