//! The rules any network needs. Above each, its derivative; dy is the gradient of the output.

use tensor::ops::{self, Activation};

use crate::tape::{Var, is_recording};

/// `y = a + b`:  da = dy, db = dy.
#[track_caller]
pub fn add(a: &Var, b: &Var) -> Var {
    Var::from_op(ops::add(a, b), [a, b], |dy, _| {
        [Some(dy.clone()), Some(dy.clone())]
    })
}

/// `y = a − b`:  da = dy, db = −dy.
#[track_caller]
pub fn sub(a: &Var, b: &Var) -> Var {
    Var::from_op(ops::sub(a, b), [a, b], |dy, _| {
        [Some(dy.clone()), Some(ops::scale(dy, -1.0))]
    })
}

/// `y = a·b`, element by element:  da = dy·b, db = dy·a.
#[track_caller]
pub fn mul(a: &Var, b: &Var) -> Var {
    let (ta, tb) = (a.value().clone(), b.value().clone());
    Var::from_op(ops::mul(a, b), [a, b], move |dy, _| {
        [Some(ops::mul(dy, &tb)), Some(ops::mul(dy, &ta))]
    })
}

/// `y = s·a`, s a number:  da = s·dy.
pub fn scale(a: &Var, s: f32) -> Var {
    Var::from_op(ops::scale(a, s), [a], move |dy, _| {
        [Some(ops::scale(dy, s))]
    })
}

/// `y = Σ a`:  da = dy everywhere.
pub fn sum(a: &Var) -> Var {
    let shape = a.shape().to_vec();
    Var::from_op(ops::sum(a), [a], move |dy, _| {
        let rows = shape.iter().product();
        [Some(ops::broadcast_rows(dy, rows).reshape(&shape))]
    })
}

/// The same elements under another shape:  da = dy under the old one.
#[track_caller]
pub fn reshape(a: &Var, shape: &[usize]) -> Var {
    let old = a.shape().to_vec();
    Var::from_op(a.value().reshape(shape), [a], move |dy, _| {
        [Some(dy.reshape(&old))]
    })
}

/// `y = x·Φ(x)`:  dx = dy·(Φ(x) + x·φ(x)).
pub fn gelu(x: &Var) -> Var {
    let saved = x.value().clone();
    Var::from_op(ops::gelu(x), [x], move |dy, _| {
        [Some(ops::gelu_backward(&saved, dy))]
    })
}

/// `y = x` where positive, else `slope·x`:  dx = dy, or slope·dy.
pub fn leaky_relu(x: &Var, slope: f32) -> Var {
    let saved = x.value().clone();
    Var::from_op(ops::leaky_relu(x, slope), [x], move |dy, _| {
        [Some(ops::leaky_relu_backward(&saved, dy, slope))]
    })
}

/// `y = x·wᵀ + bias + residual`:  dx = dy·w, dw = dyᵀ·x, dbias = Σ_rows dy, dresidual = dy.
/// `x [.., K]`, `w [N, K]`, `bias [N]`, `residual [.., N]` → [.., N].
#[track_caller]
pub fn linear(x: &Var, w: &Var, bias: Option<&Var>, residual: Option<&Var>) -> Var {
    let none = Var::constant(x.value().clone()); // stands in for what is absent
    let (b, r) = (bias.unwrap_or(&none), residual.unwrap_or(&none));
    let (tx, tw) = (x.value().clone(), w.value().clone());
    let (has_bias, has_residual) = (bias.is_some(), residual.is_some());
    let (tb, tr) = (bias.map(Var::value), residual.map(Var::value));
    let y = ops::linear(x, w, tb, Activation::None, tr);
    Var::from_op(y, [x, w, b, r], move |dy, sums| {
        let (dw, db) = ops::linear_weight_grad(&tx, dy);
        [
            Some(ops::linear_input_grad(dy, &tw, sums.take(0).as_ref())),
            Some(dw),
            has_bias.then_some(db),
            has_residual.then(|| dy.clone()),
        ]
    })
}

/// `y = gelu(h)`, `h = x·wᵀ + bias`:  dh = dy·gelu'(h), and on as [`linear`]. Where a gradient may be
/// wanted, h is kept for it.
#[track_caller]
pub fn linear_gelu(x: &Var, w: &Var, bias: &Var) -> Var {
    if !is_recording() {
        return Var::constant(ops::linear(x, w, Some(bias), Activation::Gelu, None));
    }
    let (y, h) = ops::linear_gelu(x, w, bias);
    let (tx, tw) = (x.value().clone(), w.value().clone());
    Var::from_op(y, [x, w, bias], move |dy, sums| {
        let dh = ops::gelu_backward(&h, dy);
        let (dw, db) = ops::linear_weight_grad(&tx, &dh);
        let dx = ops::linear_input_grad(&dh, &tw, sums.take(0).as_ref());
        [Some(dx), Some(dw), Some(db)]
    })
}

/// `y = n·w + b`, n the row made mean 0, variance 1:  with g = dy·w,
/// dx = (g − mean g − n·mean(g·n))/σ, dw = Σ_rows dy·n, db = Σ_rows dy.
/// `x [.., C]`, `w` and `b` of length C.
#[track_caller]
pub fn layer_norm(x: &Var, w: &Var, b: &Var, eps: f32) -> Var {
    let (y, stats) = ops::layer_norm(x, w, b, eps);
    let (tx, tw) = (x.value().clone(), w.value().clone());
    Var::from_op(y, [x, w, b], move |dy, sums| {
        let (dx, dw, db) = ops::layer_norm_backward(&tx, &tw, &stats, dy, sums.take(0).as_ref());
        [Some(dx), Some(dw), Some(db)]
    })
}

/// Dense 3×3 convolution, zero padding 1, plus `residual`:  dx = dy convolved with w turned by half
/// and its channels exchanged, dw = x correlated with dy, dbias = Σ_pixels dy, dresidual = dy.
/// `x [B, H, W, Ci]`, `w [3, 3, Ci, Co]`, `bias [Co]`, `residual [B, H, W, Co]` → [B, H, W, Co].
#[track_caller]
pub fn conv3x3(x: &Var, w: &Var, bias: &Var, residual: Option<&Var>) -> Var {
    let none = Var::constant(x.value().clone()); // stands in for what is absent
    let (tx, tw) = (x.value().clone(), w.value().clone());
    let want_dx = x.needs_grad(); // not for the image itself
    let has_residual = residual.is_some();
    Var::from_op(
        ops::conv3x3(x, w, Some(bias.value()), residual.map(Var::value)),
        [x, w, bias, residual.unwrap_or(&none)],
        move |dy, sums| {
            let (dw, db) = ops::conv3x3_weight_grad(&tx, dy);
            [
                want_dx.then(|| ops::conv3x3_input_grad(dy, &tw, sums.take(0).as_ref())),
                Some(dw),
                Some(db),
                has_residual.then(|| dy.clone()),
            ]
        },
    )
}

/// `y = pixel_shuffle(leaky_relu(conv3x3(x)))`. One kernel where nothing is recorded; otherwise the
/// three rules in turn, as LeakyReLU's derivative needs the convolution.
/// `x [B, H, W, Ci]`, `w [3, 3, Ci, C·r²]`, `bias [C·r²]` → [B, H·r, W·r, C].
#[track_caller]
pub fn conv3x3_leaky_relu_shuffle(x: &Var, w: &Var, bias: &Var, slope: f32, r: usize) -> Var {
    if is_recording() {
        return pixel_shuffle(&leaky_relu(&conv3x3(x, w, bias, None), slope), r);
    }
    Var::constant(ops::conv3x3_leaky_relu_shuffle(x, w, bias, slope, r))
}

/// Depthwise 5×5 convolution, zero padding 2; derivatives as [`conv3x3`]'s, channel by channel.
/// `x [B, H, W, C]`, `w [5, 5, C]`, `bias [C]` → [B, H, W, C].
#[track_caller]
pub fn depthwise5x5(x: &Var, w: &Var, bias: &Var) -> Var {
    let (tx, tw) = (x.value().clone(), w.value().clone());
    Var::from_op(
        ops::depthwise5x5(x, w, Some(bias.value())),
        [x, w, bias],
        move |dy, sums| {
            let (dw, db) = ops::depthwise5x5_weight_grad(&tx, dy);
            let dx = ops::depthwise5x5_input_grad(dy, &tw, sums.take(0).as_ref());
            [Some(dx), Some(dw), Some(db)]
        },
    )
}

/// `y = x + gelu(h)`, `h = depthwise5x5(x)`:  dh = dy·gelu'(h), and on as [`depthwise5x5`] with dx
/// that much and dy. Where a gradient may be wanted, h is kept for it.
#[track_caller]
pub fn depthwise5x5_gelu_add(x: &Var, w: &Var, bias: &Var) -> Var {
    if !is_recording() {
        return Var::constant(ops::depthwise5x5_gelu_add(x, w, bias));
    }
    let (y, h) = ops::depthwise5x5_gelu_add_keeping(x, w, bias);
    let (tx, tw) = (x.value().clone(), w.value().clone());
    Var::from_op(y, [x, w, bias], move |dy, _| {
        let dh = ops::gelu_backward(&h, dy);
        let (dw, db) = ops::depthwise5x5_weight_grad(&tx, &dh);
        let dx = ops::depthwise5x5_input_grad(&dh, &tw, Some(dy));
        [Some(dx), Some(dw), Some(db)]
    })
}

/// Channels into r×r pixels; the derivative moves them back.
/// `x [B, H, W, C·r²]` → [B, H·r, W·r, C].
#[track_caller]
pub fn pixel_shuffle(x: &Var, r: usize) -> Var {
    Var::from_op(ops::pixel_shuffle(x, r), [x], move |dy, _| {
        [Some(ops::pixel_unshuffle(dy, r))]
    })
}

/// Bilinear enlargement by a whole factor; the derivative gathers what each pixel gave.
/// `x [B, H, W, C]` → [B, H·s, W·s, C].
#[track_caller]
pub fn bilinear(x: &Var, s: usize) -> Var {
    Var::from_op(ops::bilinear(x, s), [x], move |dy, _| {
        [Some(ops::bilinear_backward(dy, s))]
    })
}

/// `y = mean |a − b|`, b being the target:  da = sign(a − b)·dy/n, db = −da.
#[track_caller]
pub fn l1_loss(a: &Var, b: &Var) -> Var {
    let (ta, tb) = (a.value().clone(), b.value().clone());
    let want_db = b.needs_grad(); // a target seldom does
    Var::from_op(ops::l1_loss(a, b), [a, b], move |dy, _| {
        let da = ops::l1_loss_backward(&ta, &tb, dy);
        let db = want_db.then(|| ops::scale(&da, -1.0));
        [Some(da), db]
    })
}
