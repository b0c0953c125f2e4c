//! The figure of chapter 10: tokens in the colours of their groups. It is computed on the host, so that it has
//! the same bytes everywhere.

use std::path::Path;

use anyhow::Result;
use catanet::data::dead_leaves::scene;
use catanet::image::Image;

use crate::Figure;

pub const FIGURES: &[Figure] = &[("10_groups.png", groups)];

const CENTRES: usize = 12;

/// A token for each pixel: the colours of its 3×3 neighbourhood, less gray, made a unit vector.
fn tokens(image: &Image) -> Vec<[f32; 27]> {
    let pixels = image.to_f32();
    let (w, h) = (image.width, image.height);
    let token = |i: usize| {
        let mut token: [f32; 27] = std::array::from_fn(|k| {
            let y = (i / w + k / 9).clamp(1, h) - 1;
            let x = (i % w + k / 3 % 3).clamp(1, w) - 1;
            pixels[(y * w + x) * 3 + k % 3] - 0.45
        });
        unit(&mut token);
        token
    };
    (0..w * h).map(token).collect()
}

fn unit(v: &mut [f32; 27]) {
    let length = v.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-6);
    v.iter_mut().for_each(|v| *v /= length);
}

fn nearest(token: &[f32; 27], centres: &[[f32; 27]]) -> usize {
    let dot = |c: &[f32; 27]| -> f32 { c.iter().zip(token).map(|(a, b)| a * b).sum() };
    (0..centres.len()).fold(0, |best, m| match dot(&centres[m]) > dot(&centres[best]) {
        true => m,
        false => best,
    })
}

/// A scene, its windows, and its tokens in the colours of their groups.
fn groups(path: &Path) -> Result<()> {
    let (side, zoom) = (96, 3);
    let image = scene(21, 4, side, side);
    let tokens = tokens(&image);
    // Begin at tokens that are spread over the picture; then refine, as in the chapter.
    let mut centres: Vec<[f32; 27]> = (0..CENTRES)
        .map(|m| tokens[(2 * m + 1) * tokens.len() / (2 * CENTRES) + 7 * m])
        .collect();
    for _ in 0..10 {
        let mut sums = vec![[0.0; 27]; CENTRES];
        for token in &tokens {
            let sum = &mut sums[nearest(token, &centres)];
            sum.iter_mut().zip(token).for_each(|(s, t)| *s += t);
        }
        for (centre, mut sum) in centres.iter_mut().zip(sums) {
            if sum.iter().any(|&v| v != 0.0) {
                unit(&mut sum);
                *centre = sum;
            }
        }
    }
    let owner: Vec<usize> = tokens
        .iter()
        .map(|token| nearest(token, &centres))
        .collect();
    let palette: [[u8; 3]; CENTRES] = [
        // no two alike
        [31, 119, 180],
        [255, 127, 14],
        [44, 160, 44],
        [214, 39, 40],
        [148, 103, 189],
        [140, 86, 75],
        [227, 119, 194],
        [127, 127, 127],
        [188, 189, 34],
        [23, 190, 207],
        [240, 240, 240],
        [30, 30, 60],
    ];
    // Starts of windows of 16 that overlap by 2, the last one pushed back to the border.
    let window = |at: usize| at.is_multiple_of(14) && at + 16 < side || at + 16 == side;
    let mut data = Vec::new();
    for y in 0..side * zoom {
        for part in 0..3 {
            for x in 0..side * zoom {
                let i = y / zoom * side + x / zoom;
                let pixel = [
                    image.data[3 * i],
                    image.data[3 * i + 1],
                    image.data[3 * i + 2],
                ];
                let line = y.is_multiple_of(zoom) && window(y / zoom)
                    || x.is_multiple_of(zoom) && window(x / zoom);
                data.extend(match part {
                    1 if line => [255, 255, 255],
                    2 => palette[owner[i]],
                    _ => pixel,
                });
            }
            if part < 2 {
                data.extend([246_u8; 3 * 9]); // a gap
            }
        }
    }
    let width = 3 * side * zoom + 2 * 9;
    Image::new(width, side * zoom, data).save_png(path)?;
    Ok(())
}
