use super::super::compare::difference;
use super::super::{Exercise, Side, Verdict};

#[path = "../holes/e16_window.rs"]
mod hole;
#[path = "../solutions/e16_window.rs"]
mod solution;

pub const EXERCISE: Exercise = Exercise {
    file: "e16_window.rs",
    chapter: 10,
    stars: 2,
    task: "the tokens of a window",
    check,
};

fn check(side: Side) -> anyhow::Result<Verdict> {
    let window: fn([usize; 2], usize, usize) -> Vec<usize> =
        side.of(hole::window, solution::window);
    for ([top, left], size, width) in [([0, 0], 2, 5), ([3, 14], 16, 30), ([1, 0], 4, 4)] {
        let inside = |t: &usize| {
            let (y, x) = (t / width, t % width);
            (top..top + size).contains(&y) && (left..left + size).contains(&x)
        };
        let expected = (0..(top + size) * width).filter(inside);
        let expected: Vec<f64> = expected.map(|t| t as f64).collect();
        let found: Vec<f64> = window([top, left], size, width)
            .iter()
            .map(|&t| t as f64)
            .collect();
        let what = format!("a window of {size}×{size} at ({top}, {left}) of a map {width} wide");
        if let Some(wrong) = difference(&what, &found, &expected, 0.0) {
            let hint = "From the end of a window's row to the start of its next there are width − side tokens that \
                        are not in it.";
            return Ok(Verdict::Wrong(format!("{wrong}\n{hint}")));
        }
    }
    Ok(Verdict::Right)
}
