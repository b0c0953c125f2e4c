use super::super::compare::{difference_f32, numbers};
use super::super::{Exercise, Side, Verdict, gpu};

pub const EXERCISE: Exercise = Exercise {
    file: "e04_add.wgsl",
    chapter: 3,
    stars: 1,
    task: "a kernel that adds, with a bounds check",
    check,
};

fn check(side: Side) -> anyhow::Result<Verdict> {
    let text = side.of(
        include_str!("../holes/e04_add.wgsl"),
        include_str!("../solutions/e04_add.wgsl"),
    );
    for count in [64_usize, 100, 1] {
        let len = count.next_multiple_of(64);
        let [a, b] = [1, 2].map(|seed| numbers(seed, len));
        let source = format!("const COUNT = {count}u;\n{text}");
        let inputs = [bytemuck::cast_slice(&a), bytemuck::cast_slice(&b)];
        let untouched = vec![-7.0; len];
        let y = gpu::run(&source, &inputs, &untouched, [len as u32 / 64, 1, 1])?;
        let sums: Vec<f64> = a.iter().zip(&b).map(|(a, b)| f64::from(a + b)).collect();
        if let Some(wrong) = difference_f32("y", &y[..count], &sums[..count], 0.0) {
            let hint = format!("With COUNT = {count}, invocation i makes y[i] = a[i] + b[i].");
            return Ok(Verdict::Wrong(format!("{wrong}\n{hint}")));
        }
        let mut whole = sums;
        whole[count..].fill(-7.0);
        if let Some(wrong) = difference_f32("y and what lies behind it", &y, &whole, 0.0) {
            let hint = format!(
                "With COUNT = {count} there are {len} invocations. Those from {count} on must leave y alone: \
                 let them return."
            );
            return Ok(Verdict::Wrong(format!("{wrong}\n{hint}")));
        }
    }
    Ok(Verdict::Right)
}
