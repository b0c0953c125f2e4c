use super::super::compare::difference;
use super::super::{Exercise, Side, Verdict};

#[path = "../holes/e03_row_major.rs"]
mod hole;
#[path = "../solutions/e03_row_major.rs"]
mod solution;

pub const EXERCISE: Exercise = Exercise {
    file: "e03_row_major.rs",
    chapter: 2,
    stars: 1,
    task: "the place of an element, row-major",
    check,
};

fn check(side: Side) -> anyhow::Result<Verdict> {
    let place: fn([usize; 4], [usize; 4]) -> usize = side.of(hole::place, solution::place);
    let shape = [2, 3, 4, 5];
    let mut expected = 0; // counted, in the order of the buffer
    for b in 0..shape[0] {
        for y in 0..shape[1] {
            for x in 0..shape[2] {
                for c in 0..shape[3] {
                    let at = [b, y, x, c];
                    let found = place(shape, at) as f64;
                    let what = format!("place of {at:?} in {shape:?}");
                    if let Some(wrong) = difference(&what, &[found], &[f64::from(expected)], 0.0) {
                        let hint = "How many elements are there before it? Whole images, then whole rows of \
                                    pixels, then whole pixels, then channels.";
                        return Ok(Verdict::Wrong(format!("{wrong}\n{hint}")));
                    }
                    expected += 1;
                }
            }
        }
    }
    Ok(Verdict::Right)
}
