use super::super::compare::{difference, numbers};
use super::super::{Exercise, Side, Verdict};

#[path = "../holes/e07_variance.rs"]
mod hole;
#[path = "../solutions/e07_variance.rs"]
mod solution;

pub const EXERCISE: Exercise = Exercise {
    file: "e07_variance.rs",
    chapter: 6,
    stars: 1,
    task: "LayerNorm's variance, with all its digits",
    check,
};

fn check(side: Side) -> anyhow::Result<Verdict> {
    let variance: fn(&[f32]) -> f32 = side.of(hole::variance, solution::variance);
    for (offset, c) in [(0.0, 4), (0.5, 40), (1000.0, 40)] {
        let row: Vec<f32> = numbers(7, c).iter().map(|x| offset + x).collect();
        let exact = row.iter().map(|&x| f64::from(x));
        let mean = exact.clone().sum::<f64>() / c as f64;
        let squares: f64 = exact.map(|x| (x - mean) * (x - mean)).sum();
        let what = format!("variance of {c} numbers around {offset}");
        let found = f64::from(variance(&row));
        if let Some(wrong) = difference(&what, &[found], &[squares / c as f64], 1e-4) {
            let hint = match difference("", &[found], &[squares / (c as f64 - 1.0)], 1e-4) {
                None => "LayerNorm divides by C, not by C - 1.",
                Some(_) => "Take the mean away first, and square then: the numbers stay small.",
            };
            return Ok(Verdict::Wrong(format!("{wrong}\n{hint}")));
        }
    }
    Ok(Verdict::Right)
}
