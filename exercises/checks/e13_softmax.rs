use super::super::compare::{difference_f32, numbers};
use super::super::{Exercise, Side, Verdict};

#[path = "../holes/e13_softmax.rs"]
mod hole;
#[path = "../solutions/e13_softmax.rs"]
mod solution;

pub const EXERCISE: Exercise = Exercise {
    file: "e13_softmax.rs",
    chapter: 9,
    stars: 1,
    task: "a softmax of scores of any size",
    check,
};

fn check(side: Side) -> anyhow::Result<Verdict> {
    let softmax: fn(&[f32]) -> Vec<f32> = side.of(hole::softmax, solution::softmax);
    for offset in [0.0, 100.0, -200.0] {
        let scores: Vec<f32> = numbers(5, 6).iter().map(|s| offset + 4.0 * s).collect();
        // In f64, which holds all of these exponentials.
        let weights: Vec<f64> = scores.iter().map(|&s| f64::from(s).exp()).collect();
        let total: f64 = weights.iter().sum();
        let expected: Vec<f64> = weights.iter().map(|w| w / total).collect();
        let what = format!("weights of scores around {offset}");
        if let Some(wrong) = difference_f32(&what, &softmax(&scores), &expected, 1e-5) {
            let hint = "Lowering every score by the same number divides every exponential by the same factor, which \
                        the division by their sum takes away again. By which number do they have to be lowered, so \
                        that no exponential is too large, and one is 1?";
            return Ok(Verdict::Wrong(format!("{wrong}\n{hint}")));
        }
    }
    Ok(Verdict::Right)
}
