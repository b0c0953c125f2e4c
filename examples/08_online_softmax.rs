//! Attention without stored scores, forward and backward: `cargo run --example 08_online_softmax`.
//!
//! Builds on 07. One pass over the keys is enough, and the gradient needs but one number a query.

use autograd::{Var, mul, sum};
use tensor::ops::{AttentionLists, RowLists};
use tensor::{Device, Tensor};

/// Of a matrix.
pub type Row = Vec<f32>;

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// s = q·k / √d
fn score(q: &[f32], k: &[f32]) -> f32 {
    dot(q, k) / (q.len() as f32).sqrt()
}

/// The definition, for one query: all scores, their softmax, and the mean of the values by it.
pub fn plain(q: &[f32], k: &[Row], v: &[Row]) -> Row {
    let scores: Row = k.iter().map(|k| score(q, k)).collect();
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Row = scores.iter().map(|s| (s - largest).exp()).collect();
    let total: f32 = weights.iter().sum();
    let channel = |c: usize| weights.iter().zip(v).map(|(w, v)| w / total * v[c]).sum();
    (0..v[0].len()).map(channel).collect()
}

/// The same in one pass: y, and lse = log Σ_j exp(s_j). `total` and `y` are sums relative to
/// exp(top): where a larger score comes, exp(old top − new top) corrects them.
pub fn online(q: &[f32], k: &[Row], v: &[Row]) -> (Row, f32) {
    let (mut top, mut total, mut y) = (f32::NEG_INFINITY, 0.0, vec![0.0; v[0].len()]);
    for (k, v) in k.iter().zip(v) {
        let s = score(q, k);
        let raised = top.max(s);
        let (shrink, weight) = ((top - raised).exp(), (s - raised).exp()); // exp(−∞) = 0 at first
        total = total * shrink + weight;
        (0..v.len()).for_each(|c| y[c] = y[c] * shrink + weight * v[c]);
        top = raised;
    }
    (y.iter().map(|y| y / total).collect(), top + total.ln())
}

/// dq, dk and dv from dy, y and lse alone. p_ij = exp(s_ij − lse_i) is made again, and softmax's
/// derivative, ds_ij = p_ij·(dp_ij − Σ_j p_ij·dp_ij) with dp_ij = dy_i·v_j, has dy_i·y_i as its sum.
pub fn backward([q, k, v]: [&[Row]; 3], y: &[Row], lse: &[f32], dy: &[Row]) -> [Vec<Row>; 3] {
    let [mut dq, mut dk, mut dv] = [q, k, v].map(|x| vec![vec![0.0; x[0].len()]; x.len()]);
    for i in 0..q.len() {
        for j in 0..k.len() {
            let p = (score(&q[i], &k[j]) - lse[i]).exp();
            let ds = p * (dot(&dy[i], &v[j]) - dot(&dy[i], &y[i])) / (q[i].len() as f32).sqrt();
            (0..q[i].len()).for_each(|c| dq[i][c] += ds * k[j][c]);
            (0..q[i].len()).for_each(|c| dk[j][c] += ds * q[i][c]);
            (0..v[j].len()).for_each(|c| dv[j][c] += p * dy[i][c]);
        }
    }
    [dq, dk, dv]
}

fn main() -> anyhow::Result<()> {
    let (n, d) = (96, 9);
    let wave = |i: usize| 3.0 * ((i * i % 1009) as f32).sin();
    let numbers: Row = (0..4 * n * d).map(wave).collect();
    let mut rows = numbers.chunks(d).map(<[f32]>::to_vec);
    let [q, k, v, dy] = [(); 4].map(|()| rows.by_ref().take(n).collect::<Vec<Row>>());
    println!("query 0 over its keys\n key  score    lse   y[0]");
    for j in 0..8 {
        let (s, (y, lse)) = (score(&q[0], &k[j]), online(&q[0], &k[..=j], &v[..=j]));
        println!("{j:4} {s:6.2} {lse:6.2} {:6.3}", y[0]); // it could end at any key
    }
    let (y, lse): (Vec<Row>, Row) = q.iter().map(|q| online(q, &k, &v)).unzip();
    let by_definition: Row = q.iter().flat_map(|q| plain(q, &k, &v)).collect();
    let mut right = compare("online, plain", &y.concat(), &by_definition);

    let device = Device::open(None)?;
    let tensor = |x: &[Row]| Tensor::new(&device, &x.concat(), &[1, n, d]);
    let lists = AttentionLists::within(RowLists::new(&device, &Vec::from_iter(0..n as u32), 1, n));
    let inputs = [&q, &k, &v].map(|x| Var::parameter(tensor(x)));
    let kernel = autograd::attention(&inputs[0], &inputs[1], &inputs[2], &lists.into(), 1);
    right &= compare("y", &kernel.value().to_vec()?, &y.concat());
    sum(&mul(&kernel, &Var::constant(tensor(&dy)))).backward(); // a loss whose gradient by y is dy
    let by_host = backward([&q, &k, &v], &y, &lse, &dy);
    for (i, name) in ["dq", "dk", "dv"].iter().enumerate() {
        let gradient = inputs[i].grad().expect("y depends on it").to_vec()?;
        right &= compare(name, &gradient, &by_host[i].concat());
    }
    println!("kept beside q, k, v and y: {n} numbers, not {}", n * n);
    anyhow::ensure!(right, "a difference is above 1e-4");
    Ok(())
}

fn compare(name: &str, a: &[f32], b: &[f32]) -> bool {
    let off = |(a, b): (&f32, &f32)| (a - b).abs() / (1.0 + b.abs());
    let largest = a.iter().zip(b).map(off).max_by(f32::total_cmp); // NaN is above all numbers
    println!("{name}: largest difference {:.0e}", largest.unwrap_or(0.0));
    largest.is_some_and(|largest| largest < 1e-4)
}
