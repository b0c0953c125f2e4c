use super::super::compare::{difference, numbers};
use super::super::{Exercise, Side, Verdict};

#[path = "../holes/e08_layer_norm.rs"]
mod hole;
#[path = "../solutions/e08_layer_norm.rs"]
mod solution;

pub const EXERCISE: Exercise = Exercise {
    file: "e08_layer_norm.rs",
    chapter: 6,
    stars: 2,
    task: "LayerNorm's gradient",
    check,
};

/// The normed row, and rstd.
fn norm(x: &[f64]) -> (Vec<f64>, f64) {
    let c = x.len() as f64;
    let mean = x.iter().sum::<f64>() / c;
    let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / c;
    let rstd = 1.0 / (variance + 1e-5).sqrt();
    (x.iter().map(|x| (x - mean) * rstd).collect(), rstd)
}

fn check(side: Side) -> anyhow::Result<Verdict> {
    let gradient: fn(&[f64], f64, &[f64]) -> Vec<f64> = side.of(hole::gradient, solution::gradient);
    for c in [3, 8] {
        let [x, g] = [3, 4].map(|seed| {
            numbers(seed, c)
                .iter()
                .map(|&x| x.into())
                .collect::<Vec<f64>>()
        });
        let loss = |x: &[f64]| -> f64 { norm(x).0.iter().zip(&g).map(|(n, g)| n * g).sum() };
        // By differences: Σ g·n at x with one of its numbers moved a little.
        let moved = |i: usize, h: f64| {
            let mut x = x.clone();
            x[i] += h;
            loss(&x)
        };
        let h = 1e-5;
        let expected: Vec<f64> = (0..c)
            .map(|i| (moved(i, h) - moved(i, -h)) / (2.0 * h))
            .collect();
        let (n, rstd) = norm(&x);
        let found = gradient(&n, rstd, &g);
        if let Some(wrong) = difference(&format!("dx of a row of {c}"), &found, &expected, 1e-6) {
            let sum: f64 = found.iter().sum();
            let along: f64 = found.iter().zip(&n).map(|(dx, n)| dx * n).sum();
            let hint = match (sum.abs() < 1e-6, along.abs() < 1e-3) {
                (false, _) => {
                    "A constant added to all of x changes no n, so dx must sum to 0. Is mean(g) taken away, a mean and not a sum, and mean(g·n) times each number's own n?"
                }
                (_, false) => {
                    "Stretching x changes no n (eps is small here), so Σ dx·n must be 0. Is n·mean(g·n) taken away, with the right sign?"
                }
                _ => "Both means are there. Is all of it multiplied by rstd?",
            };
            return Ok(Verdict::Wrong(format!("{wrong}\n{hint}")));
        }
    }
    Ok(Verdict::Right)
}
