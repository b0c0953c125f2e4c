use catanet::metrics::psnr_y;

use super::super::compare::{difference, numbers};
use super::super::{Exercise, Side, Verdict};

#[path = "../holes/e20_psnr.rs"]
mod hole;
#[path = "../solutions/e20_psnr.rs"]
mod solution;

pub const EXERCISE: Exercise = Exercise {
    file: "e20_psnr.rs",
    chapter: 12,
    stars: 1,
    task: "PSNR on luma, the border cut off",
    check,
};

fn check(side: Side) -> anyhow::Result<Verdict> {
    let psnr: fn(&[f64], &[f64], [usize; 2], usize) -> f64 = side.of(hole::psnr, solution::psnr);
    for ([height, width], border) in [([12, 15], 0), ([12, 15], 2), ([16, 9], 4)] {
        let a: Vec<f32> = numbers(14, height * width * 3)
            .iter()
            .map(|x| x.abs())
            .collect();
        // Far off at the border, near inside.
        let b = a
            .iter()
            .zip(numbers(15, a.len()))
            .enumerate()
            .map(|(i, (a, noise))| {
                let (y, x) = (i / 3 / width, i / 3 % width);
                let inside =
                    (border..height - border).contains(&y) && (border..width - border).contains(&x);
                a + noise * if inside { 0.1 } else { 0.5 }
            });
        let b: Vec<f32> = b.collect();
        let expected = psnr_y(&a, &b, height, width, border);
        let expected =
            expected.ok_or_else(|| anyhow::anyhow!("nothing is left within the border"))?;
        let [a, b] = [a, b].map(|x| x.iter().map(|&v| f64::from(v)).collect::<Vec<_>>());
        let found = psnr(&a, &b, [height, width], border);
        let what = format!("PSNR of {height}×{width} pixels, border {border}");
        // The library adds 1e-8 to the mean, so that equal images have a PSNR.
        if let Some(wrong) = difference(&what, &[found], &[expected], 1e-5) {
            let hint = match border {
                0 => {
                    "First make each pixel its luma, then take the difference, square it, and take the mean over \
                      pixels."
                }
                _ => {
                    "The mean is over the rows and columns from border to before height − border and width − border."
                }
            };
            return Ok(Verdict::Wrong(format!("{wrong}\n{hint}")));
        }
    }
    Ok(Verdict::Right)
}
