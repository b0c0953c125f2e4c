use super::super::compare::{difference_f32, numbers};
use super::super::{Exercise, Side, Verdict, gpu};

pub const EXERCISE: Exercise = Exercise {
    file: "e05_matrix_product.wgsl",
    chapter: 3,
    stars: 1,
    task: "a kernel for the product of two matrices",
    check,
};

fn check(side: Side) -> anyhow::Result<Verdict> {
    let text = side.of(
        include_str!("../holes/e05_matrix_product.wgsl"),
        include_str!("../solutions/e05_matrix_product.wgsl"),
    );
    for [m, n, k] in [[1, 1, 3], [8, 8, 8], [13, 10, 7]] {
        let (x, w) = (numbers(1, m * k), numbers(2, n * k));
        let source = format!("const M = {m}u; const N = {n}u; const K = {k}u;\n{text}");
        let inputs = [bytemuck::cast_slice(&x), bytemuck::cast_slice(&w)];
        let groups = [n.div_ceil(8) as u32, m.div_ceil(8) as u32, 1];
        let y = gpu::run(&source, &inputs, &vec![0.0; m * n], groups)?;
        let dot = |(x, w): (&[f32], &[f32])| -> f64 {
            let products = x.iter().zip(w).map(|(&x, &w)| f64::from(x) * f64::from(w));
            products.sum()
        };
        let pairs = x.chunks(k).flat_map(|x| w.chunks(k).map(move |w| (x, w)));
        let expected: Vec<f64> = pairs.map(dot).collect();
        let what = format!("y of {m}×{k} by {k}×{n}");
        if let Some(wrong) = difference_f32(&what, &y, &expected, 1e-5) {
            let hint = "Row m of x begins after m whole rows of K numbers; row n of w likewise.";
            return Ok(Verdict::Wrong(format!("{wrong}\n{hint}")));
        }
    }
    Ok(Verdict::Right)
}
