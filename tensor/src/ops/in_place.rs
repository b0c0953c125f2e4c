//! What training does to rows of numbers in place, beside Adam: these ops change their
//! arguments.

use crate::Tensor;
use crate::kernel::launch::Launch;

/// A kernel of the file, one element of `y` to an invocation.
fn launch(entry: &'static str, y: &Tensor, s: f32) -> Launch {
    let launch = Launch::new("plain/in_place", entry);
    launch.param(y.len()).param(s).each(y.len())
}

/// `g ← g·min(1, max_norm / (√squares + 1e-6))`, with `squares` `[1]`: the sum of the squares of all that
/// is clipped together. One that is not a number leaves g as it is.
#[track_caller]
pub fn clip(g: &Tensor, squares: &Tensor, max_norm: f32) {
    assert_eq!(squares.len(), 1, "clip: squares {:?}", squares.shape());
    let launch = launch("clip", g, max_norm);
    launch.input(squares).output(g).run();
}

/// `e ← e + share·(w − e)`, shapes equal.
#[track_caller]
pub fn approach(e: &Tensor, w: &Tensor, share: f32) {
    assert_eq!(e.shape(), w.shape(), "approach: shapes differ");
    launch("approach", e, share).input(w).output(e).run();
}

/// `a, b ← b, a`, shapes equal.
#[track_caller]
pub fn exchange(a: &Tensor, b: &Tensor) {
    assert_eq!(a.shape(), b.shape(), "exchange: shapes differ");
    launch("exchange", a, 0.0).output(a).output(b).run();
}
