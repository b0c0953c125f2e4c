use std::f64::consts::PI;

/// The learning rate in step 1, 2, …, `total`: a line up to `peak` in step `warm_up`, and from there half a
/// cosine down to 0 in step `total`.
pub fn rate(step: u32, warm_up: u32, total: u32, peak: f64) -> f64 {
    // Fill in: the line, and where on the cosine a later step is; t runs from 0 in step `warm_up` to 1 in `total`.
    let _ = warm_up;
    let t = f64::from(step) / f64::from(total);
    peak * 0.5 * (1.0 + (PI * t).cos())
}
