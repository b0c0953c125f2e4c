//! The optimiser's update, in place.

use serde::{Deserialize, Serialize};

use crate::Tensor;
use crate::kernel::launch::Launch;

/// The settings of [`adam`], with torch.optim.Adam's names. What is not there when they are
/// deserialised is as by default.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AdamOptions {
    /// Step size.
    pub lr: f64,
    /// Decay of the running mean of the gradient, and of its square.
    pub betas: (f64, f64),
    /// Added to the root of the second moment.
    pub eps: f64,
    /// L2 penalty: this times the parameter is added to its gradient.
    pub weight_decay: f64,
    /// AdamW: the parameter is multiplied by 1 − lr·`weight_decay` instead, its gradient left as it is.
    pub decoupled: bool,
}

impl Default for AdamOptions {
    /// torch.optim.Adam's defaults: lr 1e-3, betas (0.9, 0.999), eps 1e-8, no weight decay. (That of
    /// AdamW is 0.01.)
    fn default() -> Self {
        AdamOptions {
            lr: 1e-3,
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay: 0.0,
            decoupled: false,
        }
    }
}

/// Updates parameters `w` and moments `m`, `v` in place by gradient `g`, all of one shape.
/// `step` counts from 1.
#[track_caller]
pub fn adam(w: &Tensor, g: &Tensor, m: &Tensor, v: &Tensor, step: u64, options: &AdamOptions) {
    for t in [g, m, v] {
        assert_eq!(t.shape(), w.shape(), "adam: shapes differ");
    }
    // The corrections need f64: 1 − 0.99 loses three digits in f32.
    let (beta1, beta2) = options.betas;
    let t = step as f64;
    let (decay, kept) = match options.decoupled {
        true => (0.0, 1.0 - options.lr * options.weight_decay),
        false => (options.weight_decay, 1.0),
    };
    let settings = [
        options.lr / (1.0 - beta1.powf(t)),
        beta1,
        beta2,
        options.eps,
        decay,
        1.0 - beta1,
        1.0 - beta2,
        1.0 / (1.0 - beta2.powf(t)).sqrt(),
        kept,
    ];
    let launch = Launch::new("plain/adam", "adam")
        .input(g)
        .output(w)
        .output(m)
        .output(v)
        .param(w.len());
    let params = |launch: Launch, setting: &f64| launch.param(*setting as f32);
    settings.iter().fold(launch, params).each(w.len()).run();
}
