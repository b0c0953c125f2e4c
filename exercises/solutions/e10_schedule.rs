use std::f64::consts::PI;

/// The learning rate in step 1, 2, …, `total`: a line up to `peak` in step `warm_up`, and from there half a
/// cosine down to 0 in step `total`.
pub fn rate(step: u32, warm_up: u32, total: u32, peak: f64) -> f64 {
    if step < warm_up {
        return peak * f64::from(step) / f64::from(warm_up);
    }
    let t = f64::from(step - warm_up) / f64::from(total - warm_up);
    peak * 0.5 * (1.0 + (PI * t).cos())
}
