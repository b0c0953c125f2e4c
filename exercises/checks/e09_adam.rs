use super::super::compare::{difference, numbers};
use super::super::{Exercise, Side, Verdict};

#[path = "../holes/e09_adam.rs"]
mod hole;
#[path = "../solutions/e09_adam.rs"]
mod solution;

pub const EXERCISE: Exercise = Exercise {
    file: "e09_adam.rs",
    chapter: 7,
    stars: 2,
    task: "Adam's bias correction",
    check,
};

/// The directions in the steps with these gradients, and those that whole means give.
fn steps(direction: fn(f64, f64, i32) -> f64, gradients: &[f64]) -> [Vec<f64>; 2] {
    let (mut m, mut v) = (0.0, 0.0);
    let mut all = [vec![], vec![]];
    for (i, g) in gradients.iter().enumerate() {
        m = hole::BETA1 * m + (1.0 - hole::BETA1) * g;
        v = hole::BETA2 * v + (1.0 - hole::BETA2) * g * g;
        all[0].push(direction(m, v, i as i32 + 1));
        // A weighted mean, as it is defined: Σ weight·value / Σ weight, the latest with weight 1.
        let mean = |beta: f64, of: fn(f64) -> f64| {
            let weight = |age: usize| beta.powi(age as i32);
            let sum = |value: fn(f64) -> f64| -> f64 {
                let seen = gradients[..=i].iter().rev().enumerate();
                seen.map(|(age, &g)| weight(age) * value(g)).sum()
            };
            sum(of) / sum(|_| 1.0)
        };
        all[1].push(-mean(hole::BETA1, |g| g) / mean(hole::BETA2, |g| g * g).sqrt());
    }
    all
}

fn check(side: Side) -> anyhow::Result<Verdict> {
    let direction: fn(f64, f64, i32) -> f64 = side.of(hole::direction, solution::direction);
    let changing: Vec<f64> = numbers(5, 12).iter().map(|&g| g.into()).collect();
    let cases = [
        (
            vec![3.0; 8],
            "With the same gradient every time, every step is of length 1: m is g and v is g², whole.",
        ),
        (
            changing,
            "Divide m by 1 − BETA1ᵗ and v by 1 − BETA2ᵗ: each mean by the weights that it has.",
        ),
    ];
    for (gradients, hint) in cases {
        let [found, expected] = steps(direction, &gradients);
        if let Some(wrong) = difference("step", &found, &expected, 1e-6) {
            return Ok(Verdict::Wrong(format!("{wrong}\n{hint}")));
        }
    }
    Ok(Verdict::Right)
}
