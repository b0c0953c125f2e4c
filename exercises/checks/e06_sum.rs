use super::super::compare::{difference_f32, numbers};
use super::super::{Exercise, Side, Verdict, gpu};

pub const EXERCISE: Exercise = Exercise {
    file: "e06_sum.wgsl",
    chapter: 3,
    stars: 2,
    task: "a sum whose order is fixed, in a workgroup",
    check,
};

fn check(side: Side) -> anyhow::Result<Verdict> {
    let text = side.of(
        include_str!("../holes/e06_sum.wgsl"),
        include_str!("../solutions/e06_sum.wgsl"),
    );
    for seed in 1..4 {
        let x = numbers(seed, 256);
        let y = gpu::run(text, &[bytemuck::cast_slice(&x)], &[0.0; 256], [1, 1, 1])?;
        let exact: f64 = x.iter().map(|&x| f64::from(x)).sum();
        if let Some(wrong) = difference_f32("y", &y[..1], &[exact], 1e-4) {
            let hint = "In the first round invocation 0 adds part[128] to part[0]; who adds part[255], and to what?";
            return Ok(Verdict::Wrong(format!("{wrong}\n{hint}")));
        }
        let mut part = x.clone();
        for half in (0..8).rev().map(|n| 1 << n) {
            (0..half).for_each(|i| part[i] += part[i + half]);
        }
        // The same order gives the same bits.
        if let Some(wrong) = difference_f32("y", &y[..1], &[part[0].into()], 0.0) {
            let hint =
                "That is the sum, but not in the order that was asked for: its last bits differ.";
            return Ok(Verdict::Wrong(format!("{wrong}\n{hint}")));
        }
        let part: Vec<f64> = part.iter().map(|&v| v.into()).collect();
        if let Some(wrong) = difference_f32("y", &y, &part, 0.0) {
            let hint = "An invocation from `half` on has changed its number, which another may be reading: only the first `half` may add.";
            return Ok(Verdict::Wrong(format!("{wrong}\n{hint}")));
        }
    }
    Ok(Verdict::Right)
}
