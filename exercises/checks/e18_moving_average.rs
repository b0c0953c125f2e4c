use super::super::compare::{difference, numbers};
use super::super::{Exercise, Side, Verdict};

#[path = "../holes/e18_moving_average.rs"]
mod hole;
#[path = "../solutions/e18_moving_average.rs"]
mod solution;

pub const EXERCISE: Exercise = Exercise {
    file: "e18_moving_average.rs",
    chapter: 10,
    stars: 1,
    task: "the moving average of a centre, and its first step",
    check,
};

/// A unit vector.
fn centre(seed: u32) -> Vec<f64> {
    let numbers = numbers(seed, 6);
    let length = numbers
        .iter()
        .map(|&x| f64::from(x).powi(2))
        .sum::<f64>()
        .sqrt();
    numbers.iter().map(|&x| f64::from(x) / length).collect()
}

fn check(side: Side) -> anyhow::Result<Verdict> {
    let follow: fn(Option<&[f64]>, &[f64]) -> Vec<f64> = side.of(hole::follow, solution::follow);
    let mut stored: Option<Vec<f64>> = None;
    let mut expected = centre(20);
    for step in 0..40 {
        let fresh = centre(20 + step);
        if step > 0 {
            expected
                .iter_mut()
                .zip(&fresh)
                .for_each(|(e, f)| *e += 0.001 * (f - *e));
        }
        let found = follow(stored.as_deref(), &fresh);
        let what = format!("the stored centre after step {}", step + 1);
        if let Some(wrong) = difference(&what, &found, &expected, 1e-9) {
            let hint = match step {
                0 => "The first step's centre is stored as it is.",
                _ => {
                    "It is a plain weighted sum of the two. It is not made a unit vector again: a mean of unit \
                      vectors that differ is shorter than 1."
                }
            };
            return Ok(Verdict::Wrong(format!("{wrong}\n{hint}")));
        }
        stored = Some(found);
    }
    Ok(Verdict::Right)
}
