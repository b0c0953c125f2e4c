//! The optimiser's update: the one kernel that changes its arguments.

use crate::Tensor;
use crate::kernel::launch::Launch;

/// The settings of [`adam`], with torch.optim.Adam's names.
#[derive(Debug, Clone, Copy)]
pub struct AdamOptions {
    /// Step size.
    pub lr: f64,
    /// Decay of the running mean of the gradient, and of its square.
    pub betas: (f64, f64),
    /// Added to the root of the second moment.
    pub eps: f64,
    /// L2 penalty: this times the parameter is added to its gradient.
    pub weight_decay: f64,
}

impl Default for AdamOptions {
    /// PyTorch's defaults: lr 1e-3, betas (0.9, 0.999), eps 1e-8, no weight decay.
    fn default() -> Self {
        AdamOptions {
            lr: 1e-3,
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay: 0.0,
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
    let settings = [
        options.lr / (1.0 - beta1.powf(t)),
        beta1,
        beta2,
        options.eps,
        options.weight_decay,
        1.0 - beta1,
        1.0 - beta2,
        1.0 / (1.0 - beta2.powf(t)).sqrt(),
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
