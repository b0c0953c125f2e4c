/// PSNR in dB as super-resolution papers print it: on luma, without `border` pixels at every edge.
///
/// `a` and `b` are images [height, width, 3], RGB in [0, 1]. Luma is
/// Y = (65.481·R + 128.553·G + 24.966·B + 16) / 255, and PSNR = 10·log10(1 / mean (Y_a − Y_b)²).
pub fn psnr(a: &[f64], b: &[f64], [height, width]: [usize; 2], border: usize) -> f64 {
    let luma = |p: &[f64]| (65.481 * p[0] + 128.553 * p[1] + 24.966 * p[2] + 16.0) / 255.0;
    let _ = (luma(&a[..3]), height, width, border);
    // Fill in: this is the PSNR of all channels of all pixels.
    let squares: f64 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
    10.0 * (a.len() as f64 / squares).log10()
}
