/// The variance of a row of channels, as LayerNorm needs it: divided by C.
pub fn variance(row: &[f32]) -> f32 {
    let c = row.len() as f32;
    let mean = row.iter().sum::<f32>() / c;
    // Fill in: right on paper, but of two large numbers that are nearly equal the difference has few digits.
    row.iter().map(|x| x * x).sum::<f32>() / c - mean * mean
}
