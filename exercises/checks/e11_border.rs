use super::super::compare::{difference_f32, numbers};
use super::super::{Exercise, Side, Verdict, gpu};

pub const EXERCISE: Exercise = Exercise {
    file: "e11_border.wgsl",
    chapter: 8,
    stars: 1,
    task: "a depthwise convolution at the border of the image",
    check,
};

fn check(side: Side) -> anyhow::Result<Verdict> {
    let text = side.of(
        include_str!("../holes/e11_border.wgsl"),
        include_str!("../solutions/e11_border.wgsl"),
    );
    for [height, width, channels] in [[6, 7, 3], [1, 1, 1], [2, 9, 2]] {
        let (x, w) = (
            numbers(1, height * width * channels),
            numbers(2, 25 * channels),
        );
        let constants =
            format!("const H = {height}u; const W = {width}u; const C = {channels}u;\n");
        let inputs = [bytemuck::cast_slice(&x), bytemuck::cast_slice(&w)];
        let groups = [x.len().div_ceil(64) as u32, 1, 1];
        let y = gpu::run(&(constants + text), &inputs, &vec![0.0; x.len()], groups)?;
        let expected = convolved(&x, &w, [height, width, channels]);
        let what = format!("y of an image of {height}×{width}×{channels}");
        if let Some(wrong) = difference_f32(&what, &y, &expected, 1e-4) {
            let hint = "A tap may lie above, below, to the left or to the right of the image: four comparisons, \
                        each with v or u.";
            return Ok(Verdict::Wrong(format!("{wrong}\n{hint}")));
        }
    }
    Ok(Verdict::Right)
}

fn convolved(x: &[f32], w: &[f32], [height, width, channels]: [usize; 3]) -> Vec<f64> {
    let at = |i: usize| [i / channels / width, i / channels % width, i % channels];
    let value = |i: usize| {
        let [v, u, c] = at(i);
        let tap = |k: usize| {
            // Moved by two, so that no place is negative.
            let (v, u) = (v + k / 5, u + k % 5);
            let inside = (2..height + 2).contains(&v) && (2..width + 2).contains(&u);
            let pixel = |()| x[((v - 2) * width + u - 2) * channels + c];
            inside.then_some(()).map_or(0.0, pixel) * w[k * channels + c]
        };
        (0..25).map(|k| f64::from(tap(k))).sum()
    };
    (0..x.len()).map(value).collect()
}
