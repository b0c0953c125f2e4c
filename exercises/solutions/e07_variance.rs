/// The variance of a row of channels, as LayerNorm needs it: divided by C.
pub fn variance(row: &[f32]) -> f32 {
    let c = row.len() as f32;
    let mean = row.iter().sum::<f32>() / c;
    row.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / c
}
