use super::super::compare::{difference, numbers};
use super::super::{Exercise, Side, Verdict};

#[path = "../holes/e21_linear_rule.rs"]
mod hole;
#[path = "../solutions/e21_linear_rule.rs"]
mod solution;

pub const EXERCISE: Exercise = Exercise {
    file: "e21_linear_rule.rs",
    chapter: 5,
    stars: 2,
    task: "the rule of a linear layer",
    check,
};

const SIZES: [usize; 3] = [3, 4, 2]; // M, N, K: no two alike, so that a wrong place shows

/// dx, dw and db of x, w, dy and the sizes.
type Rule = fn(&[f64], &[f64], &[f64], [usize; 3]) -> [Vec<f64>; 3];

/// Σ dy·y, whose gradient by y is dy.
fn loss([x, w, b]: &[Vec<f64>; 3], dy: &[f64]) -> f64 {
    let [m, n, k] = SIZES;
    let y = |row: usize, column: usize| {
        let products = (0..k).map(|i| x[row * k + i] * w[column * k + i]);
        b[column] + products.sum::<f64>()
    };
    (0..m * n).map(|i| dy[i] * y(i / n, i % n)).sum()
}

fn check(side: Side) -> anyhow::Result<Verdict> {
    let gradients: Rule = side.of(hole::gradients, solution::gradients);
    let [m, n, k] = SIZES;
    let wide = |seed, len| -> Vec<f64> { numbers(seed, len).iter().map(|&v| v.into()).collect() };
    let inputs = [wide(1, m * k), wide(2, n * k), wide(3, n)];
    let dy = wide(4, m * n);
    let found = gradients(&inputs[0], &inputs[1], &dy, SIZES);
    let hints = [
        "x[m, k] is in row m of y, in every column, with the factor w[n, k].",
        "w[n, k] is in column n of y, in every row, with the factor x[m, k].",
        "b[n] is in every row of y: what arrives there adds up.",
    ];
    for (of, name) in ["dx", "dw", "db"].into_iter().enumerate() {
        // By differences. The loss is linear in each input, so they are exact but for rounding.
        let moved = |i: usize, h: f64| {
            let mut inputs = inputs.clone();
            inputs[of][i] += h;
            loss(&inputs, &dy)
        };
        let slope = |i| moved(i, 0.5) - moved(i, -0.5); // over a step of 1
        let expected: Vec<f64> = (0..inputs[of].len()).map(slope).collect();
        if let Some(wrong) = difference(name, &found[of], &expected, 1e-9) {
            return Ok(Verdict::Wrong(format!("{wrong}\n{}", hints[of])));
        }
    }
    Ok(Verdict::Right)
}
