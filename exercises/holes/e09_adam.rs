pub const BETA1: f64 = 0.9;
pub const BETA2: f64 = 0.99;

/// How Adam moves a weight in step t = 1, 2, …: the change, lr apart. m and v are the running means of its
/// gradients and of their squares, both 0 before the first step and already moved on in this one.
pub fn direction(m: f64, v: f64, t: i32) -> f64 {
    let eps = 1e-8;
    // Fill in: m and v have summed up only 1 − BETAᵗ of a mean's weights; make whole means of them.
    let _ = t;
    -m / (v.sqrt() + eps)
}
