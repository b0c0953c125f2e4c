use super::super::compare::difference;
use super::super::{Exercise, Side, Verdict};

#[path = "../holes/e01_scalar_product.rs"]
mod hole;
#[path = "../solutions/e01_scalar_product.rs"]
mod solution;

pub const EXERCISE: Exercise = Exercise {
    file: "e01_scalar_product.rs",
    chapter: 1,
    stars: 1,
    task: "the derivative of a product",
    check,
};

fn check(side: Side) -> anyhow::Result<Verdict> {
    let gradients: fn(f64, f64, f64) -> [f64; 2] = side.of(hole::gradients, solution::gradients);
    for (a, b, dy) in [(3.0, 2.0, 1.0), (-1.5, 0.5, 2.0), (0.0, 4.0, -1.0)] {
        // By differences: no formula is needed for these.
        let h = 1e-4;
        let by_a = dy * ((a + h) * b - (a - h) * b) / (2.0 * h);
        let by_b = dy * (a * (b + h) - a * (b - h)) / (2.0 * h);
        let what = format!("da and db at a = {a}, b = {b}, dy = {dy}");
        if let Some(wrong) = difference(&what, &gradients(a, b, dy), &[by_a, by_b], 1e-6) {
            let hint = "If a grows by a little, by how much does a·b grow? Not by a's own size.";
            return Ok(Verdict::Wrong(format!("{wrong}\n{hint}")));
        }
    }
    Ok(Verdict::Right)
}
