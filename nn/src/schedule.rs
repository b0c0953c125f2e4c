//! How the learning rate falls.

use serde::{Deserialize, Serialize};

/// The learning rate as a function of the iterations done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Schedule {
    /// Multiplied by `gamma` after each milestone (MultiStepLR).
    MultiStep {
        /// The rate at the start.
        lr: f64,
        /// Iterations after which it falls, ascending.
        milestones: Vec<u64>,
        /// What it is multiplied by.
        gamma: f64,
    },
    /// Half a cosine from `lr` down to `floor` over `iterations` (Loshchilov & Hutter 2017).
    Cosine {
        /// The rate at the start.
        lr: f64,
        /// The rate at the end and after.
        floor: f64,
        /// How long it falls.
        iterations: u64,
    },
}

impl Schedule {
    /// The rate of the step that follows `done` steps.
    pub fn lr(&self, done: u64) -> f64 {
        match self {
            Schedule::MultiStep {
                lr,
                milestones,
                gamma,
            } => {
                let passed = milestones.iter().filter(|&&m| done >= m).count();
                lr * gamma.powi(passed as i32)
            }
            Schedule::Cosine {
                lr,
                floor,
                iterations,
            } => {
                let t = done.min(*iterations) as f64 / (*iterations).max(1) as f64;
                floor + (lr - floor) * 0.5 * (1.0 + (std::f64::consts::PI * t).cos())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;

    #[test]
    fn multi_step_halves_after_each_milestone() {
        let s = Schedule::MultiStep {
            lr: 2e-4,
            milestones: vec![10, 20],
            gamma: 0.5,
        };
        assert_eq!(
            [0, 9, 10, 19, 20, 99].map(|i| s.lr(i)),
            [2e-4, 2e-4, 1e-4, 1e-4, 5e-5, 5e-5]
        );
    }

    #[test]
    fn cosine_falls_from_lr_to_floor_and_stays() {
        let s = Schedule::Cosine {
            lr: 1.0,
            floor: 0.2,
            iterations: 100,
        };
        let [start, middle, end, after] = [0, 50, 100, 1000].map(|i| s.lr(i));
        assert!((start - 1.0).abs() < 1e-12 && (middle - 0.6).abs() < 1e-12);
        assert!((end - 0.2).abs() < 1e-12 && end == after);
    }
}
