use super::super::compare::difference;
use super::super::{Exercise, Side, Verdict};

#[path = "../holes/e10_schedule.rs"]
mod hole;
#[path = "../solutions/e10_schedule.rs"]
mod solution;

pub const EXERCISE: Exercise = Exercise {
    file: "e10_schedule.rs",
    chapter: 7,
    stars: 1,
    task: "warm-up, and half a cosine",
    check,
};

fn check(side: Side) -> anyhow::Result<Verdict> {
    let rate: fn(u32, u32, u32, f64) -> f64 = side.of(hole::rate, solution::rate);
    let (warm_up, total, peak) = (10, 110, 0.002);
    let line = "During warm-up the rate is step/warm_up of the peak: a tenth of it in step 1, all of it in step 10.";
    let cosine = "From step 10 to step 110 the angle goes from 0 to π; half-way, in step 60, the rate is half the peak.";
    // Known without a formula: on the line by proportion, on the cosine at 0, 60, 90, 120 and 180 degrees.
    let third = 10 + 100 / 3; // 60 degrees are a little after step 43
    for (step, parts, tolerance, hint) in [
        (1, 0.1, 1e-9, line),
        (5, 0.5, 1e-9, line),
        (10, 1.0, 1e-9, cosine),
        (60, 0.5, 1e-9, cosine),
        (third, 0.75, 0.01, cosine),
        (110 - 100 / 3, 0.25, 0.01, cosine),
        (110, 0.0, 1e-9, cosine),
    ] {
        let found = rate(step, warm_up, total, peak) / peak;
        let what = format!("rate in step {step}, in parts of the peak");
        if let Some(wrong) = difference(&what, &[found], &[parts], tolerance) {
            return Ok(Verdict::Wrong(format!("{wrong}\n{hint}")));
        }
    }
    Ok(Verdict::Right)
}
