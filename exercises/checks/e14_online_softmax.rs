use super::super::compare::{difference_f32, numbers};
use super::super::{Exercise, Side, Verdict};

#[path = "../holes/e14_online_softmax.rs"]
mod hole;
#[path = "../solutions/e14_online_softmax.rs"]
mod solution;

pub const EXERCISE: Exercise = Exercise {
    file: "e14_online_softmax.rs",
    chapter: 9,
    stars: 3,
    task: "softmax and its mean in one pass",
    check,
};

type Attend = fn(&[(f32, f32)]) -> (f32, f32);

fn check(side: Side) -> anyhow::Result<Verdict> {
    let attend: Attend = side.of(hole::attend, solution::attend);
    let [scores, values] = [6, 7].map(|seed| numbers(seed, 12));
    let falling = |i: usize| -(i as f32);
    for (order, offset) in [
        ("falling", &falling as &dyn Fn(usize) -> f32),
        ("rising", &|i| i as f32),
        ("large, rising", &|i| 100.0 * i as f32),
        ("in no order", &|i| 30.0 * scores[(5 * i) % 12]),
    ] {
        let scores = scores.iter().enumerate().map(|(i, s)| s + offset(i));
        let keys: Vec<_> = scores.zip(values.iter().copied()).collect();
        // Two passes, in f64.
        let largest = keys.iter().map(|k| f64::from(k.0)).fold(f64::MIN, f64::max);
        let weights = keys.iter().map(|k| (f64::from(k.0) - largest).exp());
        let total: f64 = weights.clone().sum();
        let mean: f64 = weights
            .zip(&keys)
            .map(|(w, k)| w / total * f64::from(k.1))
            .sum();
        let (y, lse) = attend(&keys);
        let what = format!("scores {order}: [mean, log-sum-exp]");
        if let Some(wrong) = difference_f32(&what, &[y, lse], &[mean, largest + total.ln()], 1e-4) {
            let hint = "exp(s − raised) = exp(s − top) · exp(top − raised): one factor corrects both sums. With the \
                        first key, top is −∞ and the factor exp(−∞) = 0, which is right.";
            return Ok(Verdict::Wrong(format!("{wrong}\n{hint}")));
        }
    }
    Ok(Verdict::Right)
}
