/// A stored centre after a training step.
///
/// `stored` is None before the first step. `fresh` is the step's refined centre, a unit vector. From the second
/// step on, 0.999 parts of what was stored are kept, and 0.001 parts of the fresh one come in.
pub fn follow(stored: Option<&[f64]>, fresh: &[f64]) -> Vec<f64> {
    // Fill in: from nothing, it would take a thousand steps until the stored centre is one at all.
    let stored = stored.map_or(vec![0.0; fresh.len()], <[f64]>::to_vec);
    stored
        .iter()
        .zip(fresh)
        .map(|(s, f)| 0.999 * s + 0.001 * f)
        .collect()
}
