use super::super::compare::difference;
use super::super::{Exercise, Side, Verdict};

#[path = "../holes/e02_backward.rs"]
mod hole;
#[path = "../solutions/e02_backward.rs"]
mod solution;

pub const EXERCISE: Exercise = Exercise {
    file: "e02_backward.rs",
    chapter: 1,
    stars: 2,
    task: "order and sums in the backward pass",
    check,
};

fn check(side: Side) -> anyhow::Result<Verdict> {
    let gradients: fn(&[hole::Note]) -> Vec<f64> = side.of(hole::gradients, solution::gradients);
    // y = 3·(2·x): places x, 2x, y.
    let chain = [vec![], vec![(0, 2.0)], vec![(1, 3.0)]];
    // y = x·x + x at x = 5: places x, x·x, y.
    let uses = [vec![], vec![(0, 5.0), (0, 5.0)], vec![(1, 1.0), (0, 1.0)]];
    // y = b·c, b = 2a, c = b + a at a = 1: places a, b, c, y.
    let both = [
        vec![],
        vec![(0, 2.0)],
        vec![(1, 1.0), (0, 1.0)],
        vec![(1, 3.0), (2, 2.0)],
    ];
    let cases: [(&str, &[hole::Note], &[f64], &str); 3] = [
        (
            "y = 3·(2·x)",
            &chain,
            &[6.0, 3.0, 1.0],
            "A number can hand on only what it has received. Which places receive before x does?",
        ),
        (
            "y = x·x + x at x = 5",
            &uses,
            &[11.0, 1.0, 1.0],
            "x is used three times. A change of x reaches y by each of these ways: what of the three shares?",
        ),
        (
            "y = b·c, b = 2a, c = b + a",
            &both,
            &[12.0, 5.0, 2.0, 1.0],
            "b is used by c and by y: it may hand on to a only when it has both shares.",
        ),
    ];
    for (what, tape, expected, hint) in cases {
        if let Some(wrong) = difference(
            &format!("gradients of {what}"),
            &gradients(tape),
            expected,
            1e-12,
        ) {
            return Ok(Verdict::Wrong(format!("{wrong}\n{hint}")));
        }
    }
    Ok(Verdict::Right)
}
