use super::super::compare::{difference, numbers};
use super::super::{Exercise, Side, Verdict};

#[path = "../holes/e15_attention_backward.rs"]
mod hole;
#[path = "../solutions/e15_attention_backward.rs"]
mod solution;

pub const EXERCISE: Exercise = Exercise {
    file: "e15_attention_backward.rs",
    chapter: 9,
    stars: 3,
    task: "attention's gradient by its scores, from dy·y",
    check,
};

type Gradient = fn(&[f64], f64, &[f64], &[f64], &[Vec<f64>]) -> Vec<f64>;

/// y and the log-sum-exp.
fn attend(scores: &[f64], values: &[Vec<f64>]) -> (Vec<f64>, f64) {
    let lse = scores.iter().map(|s| s.exp()).sum::<f64>().ln();
    let channel = |c: usize| {
        let pairs = scores.iter().zip(values);
        pairs.map(|(s, v)| (s - lse).exp() * v[c]).sum()
    };
    ((0..values[0].len()).map(channel).collect(), lse)
}

fn check(side: Side) -> anyhow::Result<Verdict> {
    let gradient: Gradient = side.of(hole::gradient, solution::gradient);
    let (keys, channels) = (7, 3);
    let row = |seed, len| -> Vec<f64> {
        let numbers = numbers(seed, len);
        numbers.iter().map(|&x| 2.0 * f64::from(x)).collect()
    };
    let (scores, dy) = (row(8, keys), row(9, channels));
    let values = row(10, keys * channels);
    let values: Vec<_> = values.chunks(channels).map(<[f64]>::to_vec).collect();
    let (y, lse) = attend(&scores, &values);
    let found = gradient(&scores, lse, &y, &dy, &values);
    // By differences: Σ dy·y with one score moved a little.
    let moved = |j: usize, h: f64| -> f64 {
        let mut scores = scores.clone();
        scores[j] += h;
        let y = attend(&scores, &values).0;
        y.iter().zip(&dy).map(|(y, dy)| y * dy).sum()
    };
    let h = 1e-5;
    let slope = |j| (moved(j, h) - moved(j, -h)) / (2.0 * h);
    let expected: Vec<f64> = (0..keys).map(slope).collect();
    Ok(match difference("ds", &found, &expected, 1e-7) {
        None => Verdict::Right,
        Some(wrong) => Verdict::Wrong(format!(
            "{wrong}\nAll scores raised alike change nothing, so ds must sum to 0: here it sums to {:.4}. \
             Σ_j p_j·(dy·v_j) = dy·(Σ_j p_j·v_j), and what is in the brackets is known.",
            found.iter().sum::<f64>()
        )),
    })
}
