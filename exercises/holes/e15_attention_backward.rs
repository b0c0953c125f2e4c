/// The gradient by one query's scores, without their softmax having been kept.
///
/// `scores` are made again from q and k; `lse` is their log-sum-exp, `y` the query's result, `dy` the gradient
/// by it, and `values` the rows v_j of the keys.
pub fn gradient(scores: &[f64], lse: f64, y: &[f64], dy: &[f64], values: &[Vec<f64>]) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let _ = y;
    let by_score = |(s, v): (&f64, &Vec<f64>)| {
        let p = (s - lse).exp();
        let dp = dot(dy, v); // the gradient by p, as y = Σ_j p_j·v_j
        // Fill in: a score that rises lowers all other weights. Σ_j p_j·dp_j is missing; it takes no second pass.
        p * dp
    };
    scores.iter().zip(values).map(by_score).collect()
}
