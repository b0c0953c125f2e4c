use super::super::compare::{difference_f32, numbers};
use super::super::{Exercise, Side, Verdict, gpu};

pub const EXERCISE: Exercise = Exercise {
    file: "e19_scatter.wgsl",
    chapter: 13,
    stars: 3,
    task: "a scatter without atomics, as a gather",
    check,
};

fn check(side: Side) -> anyhow::Result<Verdict> {
    let text = side.of(
        include_str!("../holes/e19_scatter.wgsl"),
        include_str!("../solutions/e19_scatter.wgsl"),
    );
    let (slots, rows) = (500_usize, 70_usize);
    let x = numbers(12, slots);
    // The row of each slot; the last ten rows have none.
    let of = |x: &f32| ((x + 1.0) / 2.0 * (rows - 10) as f32) as usize;
    let row_of: Vec<usize> = numbers(13, slots).iter().map(of).collect();
    let (mut offsets, mut list) = (vec![0_u32], Vec::new());
    let mut expected = Vec::new();
    for row in 0..rows {
        let own = (0..slots).filter(|&slot| row_of[slot] == row);
        let before = list.len();
        list.extend(own.map(|slot| slot as u32));
        offsets.push(list.len() as u32);
        let mut sum = 0.0_f32;
        list[before..]
            .iter()
            .for_each(|&slot| sum += x[slot as usize]);
        expected.push(f64::from(sum));
    }
    let inputs = [
        bytemuck::cast_slice(&x),
        bytemuck::cast_slice(&offsets),
        bytemuck::cast_slice(&list),
    ];
    let source = format!("const ROWS = {rows}u;\n{text}");
    let groups = [rows.div_ceil(64) as u32, 1, 1];
    let y = gpu::run(&source, &inputs, &vec![-7.0; rows], groups)?;
    let wrong = difference_f32("y", &y, &expected, 1e-4).map(|wrong| {
        (wrong, "A loop over j: none of its rounds runs for a row whose two offsets are equal, and y is 0 there.")
    });
    // The order that was asked for gives the same bits.
    let wrong = wrong.or_else(|| {
        let wrong = difference_f32("y", &y, &expected, 0.0)?;
        Some((
            wrong,
            "The sums are right but for their last bits: add in the order of j.",
        ))
    });
    Ok(match wrong {
        None => Verdict::Right,
        Some((wrong, hint)) => Verdict::Wrong(format!("{wrong}\n{hint}")),
    })
}
