use super::super::compare::difference;
use super::super::{Exercise, Side, Verdict};

#[path = "../holes/e12_pixel_shuffle.rs"]
mod hole;
#[path = "../solutions/e12_pixel_shuffle.rs"]
mod solution;

pub const EXERCISE: Exercise = Exercise {
    file: "e12_pixel_shuffle.rs",
    chapter: 8,
    stars: 2,
    task: "where a pixel shuffle takes its numbers from",
    check,
};

fn check(side: Side) -> anyhow::Result<Verdict> {
    let source: fn([usize; 3], usize) -> [usize; 3] = side.of(hole::source, solution::source);
    let [height, width, channels] = [2, 3, 2];
    for r in [2, 3] {
        // Over the input: every number has one place in the output.
        for from in 0..height * width * channels * r * r {
            let channel = from % (channels * r * r);
            let pixel = from / (channels * r * r);
            let (i, j) = (channel / r % r, channel % r);
            let to = [
                pixel / width * r + i,
                pixel % width * r + j,
                channel / (r * r),
            ];
            let expected = [pixel / width, pixel % width, channel];
            let [found, expected] = [source(to, r), expected].map(|at| at.map(|n| n as f64));
            let what = format!("[y, x, c] in the input, of {to:?} in the output, with r = {r}");
            if let Some(wrong) = difference(&what, &found, &expected, 0.0) {
                let hint = "The r² channels of one output channel lie side by side. The output's row among its r \
                            rows is i = y mod r, its column j = x mod r.";
                return Ok(Verdict::Wrong(format!("{wrong}\n{hint}")));
            }
        }
    }
    Ok(Verdict::Right)
}
