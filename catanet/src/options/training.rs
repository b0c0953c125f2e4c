//! `train`: the optimiser, the learning rate, the loss.

use serde::{Deserialize, Serialize};

use super::keys::{Keys, Section, Want};
use super::values::Choice;

/// `train`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Training {
    /// `optim_g`.
    pub optim_g: Optimizer,
    /// `scheduler`.
    pub scheduler: Scheduler,
    /// Steps of the whole run.
    pub total_iter: u64,
    /// In step i below this the rate is that of the start times i / `warmup_iter`; 0: none [-1 in BasicSR,
    /// which is none, too].
    pub warmup_iter: u64,
    /// What of the averaged weights stays in a step; 0: no averaging [0, as in BasicSR].
    pub ema_decay: f64,
    /// The largest norm of the gradient of all parameters; None: any. (`use_grad_clip`, which forks of
    /// BasicSR have, false there where it can be left out, and `grad_clip_norm`, 0.01 in Restormer and
    /// NAFNet.)
    pub grad_clip: Option<f64>,
    /// `pixel_opt`.
    pub pixel_opt: PixelLoss,
    /// What follows on numbers that are none \[stop\]; not BasicSR's.
    pub on_nan: OnNan,
    /// Keep of each block only its input, and compute the rest again on the way back: the same bits in less
    /// memory \[false\]; not BasicSR's.
    pub checkpoint_activations: bool,
}

/// `optim_g`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Optimizer {
    /// `type`.
    pub kind: OptimizerKind,
    /// The learning rate at the start [1e-3, as in PyTorch].
    pub lr: f64,
    /// What pulls weights to 0 [as in PyTorch: 0 for Adam, where it is added to the gradient, 0.01 for
    /// AdamW, where it is not].
    pub weight_decay: f64,
    /// What of the mean of the gradient and of its square stays in a step [0.9 and 0.999, as in PyTorch].
    pub betas: [f64; 2],
    /// What keeps the division finite [1e-8, as in PyTorch].
    pub eps: f64,
}

/// Kinds of optimisers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum OptimizerKind {
    /// Kingma & Ba 2015.
    #[default]
    Adam,
    /// Loshchilov & Hutter 2019: weights decay by themselves.
    AdamW,
}

/// `scheduler`: the learning rate over the steps, as BasicSR's `lr_scheduler.py` has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Scheduler {
    /// `MultiStepLR` and `MultiStepRestartLR`.
    MultiStep {
        /// Steps after which the rate is multiplied by `gamma`.
        milestones: Vec<u64>,
        /// That factor \[0.1\].
        gamma: f64,
        /// Steps after which the rate is that of the start times the weight beside it \[0\].
        restarts: Vec<u64>,
        /// Those weights \[1\].
        restart_weights: Vec<f64>,
    },
    /// `CosineAnnealingRestartLR`.
    CosineAnnealing {
        /// Lengths of half cosines, one after another.
        periods: Vec<u64>,
        /// What the rate of the start is multiplied by in each \[1\].
        restart_weights: Vec<f64>,
        /// The rate at the end of each \[0\].
        eta_min: f64,
    },
}

/// `pixel_opt`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PixelLoss {
    /// `type`.
    pub kind: LossKind,
    /// What it is multiplied by [1, as in BasicSR].
    pub loss_weight: f64,
    /// Over the numbers of a batch [mean, as in BasicSR].
    pub reduction: Reduction,
    /// What rounds the tip of `CharbonnierLoss` [1e-12, as in BasicSR]; of others nothing.
    pub eps: f64,
}

impl Default for PixelLoss {
    fn default() -> Self {
        PixelLoss {
            kind: LossKind::L1Loss,
            loss_weight: 1.0,
            reduction: Reduction::Mean,
            eps: 1e-12,
        }
    }
}

/// Kinds of losses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum LossKind {
    /// |a − b|
    #[default]
    L1Loss,
    /// (a − b)²
    MSELoss,
    /// √((a − b)² + eps)
    CharbonnierLoss,
}

/// How the losses of all numbers become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reduction {
    /// Their mean.
    #[default]
    Mean,
    /// Their sum.
    Sum,
}

/// What follows when the loss or a gradient is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnNan {
    /// The run ends, and its last state is whole.
    #[default]
    Stop,
    /// It goes back to the last state, with half the learning rate.
    Rollback,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Kind {
    MultiStepLR,
    MultiStepRestartLR,
    CosineAnnealingRestartLR,
}

impl Choice for OptimizerKind {}
impl Choice for LossKind {}
impl Choice for Reduction {}
impl Choice for OnNan {}
impl Choice for Kind {}

const SWITCH: Want<bool> = Want::any("true or false");
const STEPS: Want<u64> = Want {
    text: "a number of steps from 1 on",
    holds: |steps| *steps >= 1,
};
const POSITIVE: Want<f64> = Want {
    text: "a number above 0",
    holds: |v| *v > 0.0,
};
const NOT_NEGATIVE: Want<f64> = Want {
    text: "a number from 0 on",
    holds: |v| *v >= 0.0,
};
const WEIGHTS: Want<Vec<f64>> = Want {
    text: "a list of numbers from 0 on, like [1, 0.5]",
    holds: |weights| weights.iter().all(|w| *w >= 0.0),
};

impl Section for Training {
    fn keys<K: Keys>(&mut self, keys: &mut K) {
        keys.section("optim_g", &mut self.optim_g);
        keys.section("scheduler", &mut self.scheduler);
        keys.renamed("niter", "total_iter");
        keys.renamed("total_iters", "total_iter");
        keys.key("total_iter", &mut self.total_iter, None, &STEPS);
        self.warmup(keys);
        let decay = Want {
            text: "a number from 0 to below 1, like 0.999",
            holds: |decay| (0.0..1.0).contains(decay),
        };
        keys.key("ema_decay", &mut self.ema_decay, Some(0.0), &decay);
        let (mut clip, mut norm) = (self.grad_clip.is_some(), self.grad_clip.unwrap_or(0.01));
        keys.key("use_grad_clip", &mut clip, Some(false), &SWITCH);
        keys.key("grad_clip_norm", &mut norm, Some(0.01), &POSITIVE);
        self.grad_clip = clip.then_some(norm);
        keys.section("pixel_opt", &mut self.pixel_opt);
        let ways = Want::any("stop or rollback");
        keys.key("on_nan", &mut self.on_nan, Some(OnNan::Stop), &ways);
        let checkpoint = &mut self.checkpoint_activations;
        keys.key("checkpoint_activations", checkpoint, Some(false), &SWITCH);
        let one = "the loss is that of pixels";
        for name in ["perceptual_opt", "gan_opt", "ldl_opt", "fft_opt", "optim_d"] {
            keys.foreign(name, one);
        }
        keys.foreign("mixing_augs", "crops are not mixed");
        for name in ["net_d_iters", "net_d_init_iters"] {
            keys.idle(name, "there is no discriminator");
        }
        if let Scheduler::CosineAnnealing { periods, .. } = &self.scheduler {
            let (sum, total) = (periods.iter().sum::<u64>(), self.total_iter);
            if sum < total && keys.sound("total_iter") && keys.sound("scheduler.type") {
                let text = format!("end after {sum} steps, and total_iter is {total}");
                keys.fault("scheduler.periods", &text);
            }
        }
    }
}

impl Training {
    fn warmup<K: Keys>(&mut self, keys: &mut K) {
        let mut steps = self.warmup_iter as f64;
        let wanted = Want {
            text: "a number of steps, or -1 for none",
            holds: |v: &f64| v.fract() == 0.0 && (-1.0..1e15).contains(v),
        };
        if K::READING {
            keys.key("warmup_iter", &mut steps, Some(-1.0), &wanted);
            self.warmup_iter = steps.max(0.0) as u64;
        } else {
            keys.key("warmup_iter", &mut self.warmup_iter, None, &Want::any(""));
        }
    }
}

impl Section for Optimizer {
    fn keys<K: Keys>(&mut self, keys: &mut K) {
        let kinds = Want::any("Adam or AdamW");
        keys.key("type", &mut self.kind, None, &kinds);
        keys.key("lr", &mut self.lr, Some(1e-3), &POSITIVE);
        let decay = match self.kind {
            OptimizerKind::Adam => 0.0,
            OptimizerKind::AdamW => 0.01,
        };
        keys.key(
            "weight_decay",
            &mut self.weight_decay,
            Some(decay),
            &NOT_NEGATIVE,
        );
        let betas = Want {
            text: "two numbers from 0 to below 1, like [0.9, 0.99]",
            holds: |betas: &[f64; 2]| betas.iter().all(|beta| (0.0..1.0).contains(beta)),
        };
        keys.key("betas", &mut self.betas, Some([0.9, 0.999]), &betas);
        keys.key("eps", &mut self.eps, Some(1e-8), &POSITIVE);
        keys.foreign("amsgrad", "the mean of squares may fall");
        for name in ["fused", "foreach", "capturable"] {
            keys.idle(name, "all parameters are updated at once in any case");
        }
    }
}

impl Default for Scheduler {
    fn default() -> Self {
        Scheduler::MultiStep {
            milestones: Vec::new(),
            gamma: 0.1,
            restarts: vec![0],
            restart_weights: vec![1.0],
        }
    }
}

impl Scheduler {
    fn kind(&self) -> Kind {
        match self {
            Scheduler::MultiStep {
                restarts,
                restart_weights,
                ..
            } => match **restarts == [0] && **restart_weights == [1.0] {
                true => Kind::MultiStepLR,
                false => Kind::MultiStepRestartLR,
            },
            Scheduler::CosineAnnealing { .. } => Kind::CosineAnnealingRestartLR,
        }
    }
}

impl Section for Scheduler {
    fn keys<K: Keys>(&mut self, keys: &mut K) {
        let mut kind = self.kind();
        let kinds = Want::any("MultiStepLR, MultiStepRestartLR or CosineAnnealingRestartLR");
        keys.key("type", &mut kind, None, &kinds);
        if !keys.sound("type") {
            return keys.pass_over();
        }
        if K::READING && kind == Kind::CosineAnnealingRestartLR {
            *self = Scheduler::CosineAnnealing {
                periods: Vec::new(),
                restart_weights: Vec::new(),
                eta_min: 0.0,
            };
        }
        match self {
            Scheduler::MultiStep {
                milestones,
                gamma,
                restarts,
                restart_weights,
            } => {
                let lists = Want::any("a list of steps, like [1000, 2000]");
                keys.key("milestones", milestones, None, &lists);
                keys.key("gamma", gamma, Some(0.1), &POSITIVE);
                let start = Want {
                    text: "[0] (CosineAnnealingRestartLR has restarts)",
                    holds: |restarts: &Vec<u64>| *restarts == [0],
                };
                keys.key("restarts", restarts, Some(vec![0]), &start);
                keys.key(
                    "restart_weights",
                    restart_weights,
                    Some(vec![1.0]),
                    &WEIGHTS,
                );
                same_length(keys, restarts.len(), restart_weights.len(), "restarts");
            }
            Scheduler::CosineAnnealing {
                periods,
                restart_weights,
                eta_min,
            } => {
                let lists = Want {
                    text: "a list of steps from 1 on, like [250000, 250000]",
                    holds: |periods: &Vec<u64>| {
                        !periods.is_empty() && periods.iter().all(|p| (1..1 << 48).contains(p))
                    },
                };
                keys.key("periods", periods, None, &lists);
                keys.key(
                    "restart_weights",
                    restart_weights,
                    Some(vec![1.0]),
                    &WEIGHTS,
                );
                keys.key("eta_min", eta_min, Some(0.0), &NOT_NEGATIVE);
                same_length(keys, periods.len(), restart_weights.len(), "periods");
            }
        }
    }
}

fn same_length<K: Keys>(keys: &mut K, len: usize, weights: usize, name: &str) {
    if len != weights && keys.sound(name) {
        let text = format!("has {weights} numbers, and {name} has {len}; as many are wanted");
        keys.fault("restart_weights", &text);
    }
}

impl Section for PixelLoss {
    fn keys<K: Keys>(&mut self, keys: &mut K) {
        let kinds = Want::any("L1Loss, MSELoss or CharbonnierLoss");
        keys.key("type", &mut self.kind, None, &kinds);
        keys.key("loss_weight", &mut self.loss_weight, Some(1.0), &POSITIVE);
        let ways = Want::any("mean or sum");
        keys.key(
            "reduction",
            &mut self.reduction,
            Some(Reduction::Mean),
            &ways,
        );
        if self.kind == LossKind::CharbonnierLoss || !keys.sound("type") {
            keys.key("eps", &mut self.eps, Some(1e-12), &POSITIVE);
        } else {
            self.eps = 1e-12;
        }
    }
}
