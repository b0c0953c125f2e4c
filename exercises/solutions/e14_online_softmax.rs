/// Attention of one query in one pass over its keys, each given by its score and its value (one channel).
/// Returns the mean of the values by the scores' softmax, and the log-sum-exp of the scores.
pub fn attend(keys: &[(f32, f32)]) -> (f32, f32) {
    // The largest score so far, and two sums relative to it: of exp(score − top), and of that times the value.
    let (mut top, mut total, mut sum) = (f32::NEG_INFINITY, 0.0, 0.0);
    for &(score, value) in keys {
        let raised = top.max(score);
        let weight = (score - raised).exp();
        let shrink = (top - raised).exp();
        total = total * shrink + weight;
        sum = sum * shrink + weight * value;
        top = raised;
    }
    (sum / total, top + total.ln())
}
