/// The gradients of `y = x·wᵀ + b`, with x `[M, K]`, w `[N, K]`, b `[N]`, y `[M, N]`, all row-major.
///
/// `dy` is the gradient that has arrived at y. The result is dx `[M, K]`, dw `[N, K]` and db `[N]`.
pub fn gradients(x: &[f64], w: &[f64], dy: &[f64], [m, n, k]: [usize; 3]) -> [Vec<f64>; 3] {
    assert_eq!([x.len(), w.len(), dy.len()], [m * k, n * k, m * n]);
    let (mut dx, mut dw, mut db) = (vec![0.0; m * k], vec![0.0; n * k], vec![0.0; n]);
    for row in 0..m {
        for column in 0..n {
            let arrived = dy[row * n + column];
            // Fill in: y[row, column] hands what arrived on to every number that is in it, times the factor
            // that the number has there.
            for i in 0..k {
                dx[row * k + i] += arrived;
                dw[column * k + i] += arrived;
            }
            db[column] = arrived;
        }
    }
    [dx, dw, db]
}
