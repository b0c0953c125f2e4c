//! How the learning rate rises and falls.

use std::f64::consts::PI;

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
    /// Half cosines one after another, each from its own height (BasicSR's CosineAnnealingRestartLR).
    CosineRestarts {
        /// The rate at the start, for a weight of 1.
        lr: f64,
        /// How long each of them falls. At the last iteration of one the rate is `floor`.
        periods: Vec<u64>,
        /// What `lr − floor` is multiplied by in each; 1 where there is none.
        weights: Vec<f64>,
        /// The rate at the end of each, and after the last.
        floor: f64,
    },
    /// A line from `lr / steps` up to `lr`, in the place of another schedule's first rates (BasicSR's
    /// `warmup_iter`): iteration i, from 1, has `lr / steps · i` while i is below `steps`.
    ///
    /// As in BasicSR, `MultiStep` then multiplies the rate that it finds: it goes on from the warm-up's
    /// last, `lr / steps · (steps − 1)`, and milestones within the warm-up are passed over.
    Warmup {
        /// The iteration of which the rate is no longer the line's.
        steps: u64,
        /// The schedule, which counts from the warm-up's start.
        then: Box<Schedule>,
    },
}

impl Schedule {
    /// The rate that it is made from: at its start, without warm-up and weights.
    pub fn base_lr(&self) -> f64 {
        match self {
            Schedule::MultiStep { lr, .. }
            | Schedule::Cosine { lr, .. }
            | Schedule::CosineRestarts { lr, .. } => *lr,
            Schedule::Warmup { then, .. } => then.base_lr(),
        }
    }

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
                floor + (lr - floor) * 0.5 * (1.0 + (PI * t).cos())
            }
            Schedule::CosineRestarts {
                lr,
                periods,
                weights,
                floor,
            } => {
                let (mut begin, mut weights) = (0_u64, weights.iter());
                for &period in periods {
                    let weight = weights.next().unwrap_or(&1.0);
                    if done <= begin.saturating_add(period) {
                        let t = (done - begin) as f64 / period.max(1) as f64;
                        return floor + weight * 0.5 * (lr - floor) * (1.0 + (PI * t).cos());
                    }
                    begin = begin.saturating_add(period);
                }
                *floor
            }
            Schedule::Warmup { steps, then } => {
                let line = |iteration: u64| then.base_lr() / *steps as f64 * iteration as f64;
                let iteration = done + 1;
                match &**then {
                    _ if iteration < *steps => line(iteration),
                    Schedule::MultiStep {
                        milestones, gamma, ..
                    } if *steps > 1 => {
                        let counts = |m: &&u64| (*steps - 1..=done).contains(m);
                        let passed = milestones.iter().filter(counts).count();
                        line(*steps - 1) * gamma.powi(passed as i32)
                    }
                    then => then.lr(done),
                }
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

    /// What BasicSR's CosineAnnealingRestartLR computes, in its own words.
    fn cosine_annealing_restart(
        iteration: u64,
        (base_lr, eta_min): (f64, f64),
        periods: &[u64],
        restart_weights: &[f64],
    ) -> f64 {
        let ends: Vec<u64> = (1..=periods.len())
            .map(|n| periods[..n].iter().sum())
            .collect();
        let index = ends.iter().position(|&end| iteration <= end).unwrap();
        let nearest_restart = if index == 0 { 0 } else { ends[index - 1] };
        let angle =
            std::f64::consts::PI * ((iteration - nearest_restart) as f64 / periods[index] as f64);
        eta_min + restart_weights[index] * 0.5 * (base_lr - eta_min) * (1.0 + angle.cos())
    }

    fn restarts() -> Schedule {
        Schedule::CosineRestarts {
            lr: 2e-4,
            periods: vec![10, 25, 5],
            weights: vec![1.0, 0.5, 0.25],
            floor: 1e-7,
        }
    }

    #[test]
    fn cosines_restart_where_basicsrs_do_and_end_at_the_floor() {
        let s = restarts();
        for done in 0..=40 {
            let rates = (2e-4, 1e-7);
            let expected = cosine_annealing_restart(done, rates, &[10, 25, 5], &[1.0, 0.5, 0.25]);
            assert_eq!(s.lr(done), expected, "after {done}");
        }
        assert_eq!([10, 35, 40, 41, 1000].map(|i| s.lr(i)), [1e-7; 5]);
        assert!(s.lr(11) > 0.9e-4 && s.lr(11) < 1e-4, "half as high again");
        let without = Schedule::CosineRestarts {
            lr: 1.0,
            periods: vec![4, 0, 4],
            weights: vec![],
            floor: 0.0,
        };
        assert!((0..9).all(|i| (0.0..=1.0).contains(&without.lr(i))));
    }

    #[test]
    fn a_warm_up_rises_in_a_line_and_leaves_the_cosines_as_they_are() {
        let s = Schedule::Warmup {
            steps: 8,
            then: Box::new(restarts()),
        };
        for done in 0..7 {
            let iteration = (done + 1) as f64;
            assert_eq!(s.lr(done), 2e-4 / 8.0 * iteration);
        }
        for done in 7..50 {
            assert_eq!(s.lr(done), restarts().lr(done));
        }
        assert_eq!(s.base_lr(), 2e-4);
    }

    /// The rates of BasicSR's MultiStepRestartLR with a warm-up: one variable that is multiplied at
    /// milestones and overwritten by the warm-up, iteration by iteration.
    fn multi_step_with_warm_up(warm_up: u64, milestones: &[u64], gamma: f64) -> Vec<f64> {
        let initial = 1.0;
        let mut lr = initial;
        let rate = |iteration: u64| {
            if iteration > 1 {
                let count = milestones.iter().filter(|&&m| m == iteration - 1).count();
                lr *= gamma.powi(count as i32);
            }
            if iteration < warm_up {
                lr = initial / warm_up as f64 * iteration as f64;
            }
            lr
        };
        (1..=60).map(rate).collect()
    }

    #[test]
    fn a_warm_up_before_milestones_is_basicsrs() {
        for warm_up in [0, 1, 2, 10, 11, 12, 25] {
            let milestones = vec![10, 20, 20, 40];
            let expected = multi_step_with_warm_up(warm_up, &milestones, 0.5);
            let s = Schedule::Warmup {
                steps: warm_up,
                then: Box::new(Schedule::MultiStep {
                    lr: 1.0,
                    milestones,
                    gamma: 0.5,
                }),
            };
            let rates: Vec<f64> = (0..60).map(|done| s.lr(done)).collect();
            assert_eq!(rates, expected, "a warm-up of {warm_up}");
        }
    }

    #[test]
    fn states_of_before_are_read_and_new_ones_come_back() {
        let old = r#"{"MultiStep":{"lr":0.0002,"milestones":[5],"gamma":0.5}}"#;
        let s: Schedule = serde_json::from_str(old).unwrap();
        assert_eq!(s.lr(5), 1e-4);
        let s = Schedule::Warmup {
            steps: 3,
            then: Box::new(restarts()),
        };
        let text = serde_json::to_string(&s).unwrap();
        assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), s);
    }
}
