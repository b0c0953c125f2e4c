/// Softmax: weights that are positive, add up to 1, and stand in the proportion of exp(score).
pub fn softmax(scores: &[f32]) -> Vec<f32> {
    // Fill in: exp(89) is more than an f32 holds. What changes in the result if all scores are lowered alike?
    let weights: Vec<f32> = scores.iter().map(|s| s.exp()).collect();
    let total: f32 = weights.iter().sum();
    weights.iter().map(|w| w / total).collect()
}
