/// The gradient of LayerNorm by its input, for one row.
///
/// n is the normed row, (x − mean)·rstd; g is the gradient by n, dy·w.
pub fn gradient(n: &[f64], rstd: f64, g: &[f64]) -> Vec<f64> {
    let c = n.len() as f64;
    let mean_g = g.iter().sum::<f64>() / c;
    let mean_gn = n.iter().zip(g).map(|(n, g)| n * g).sum::<f64>() / c;
    let each = |(n, g): (&f64, &f64)| rstd * (g - mean_g - n * mean_gn);
    n.iter().zip(g).map(each).collect()
}
