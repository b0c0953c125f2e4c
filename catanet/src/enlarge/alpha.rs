//! Transparency. Whatever colours lie under fully transparent pixels must not show: the network would mix
//! them into the visible edge, as a dark or bright halo.

/// Colours of no more alpha than this say little, and are mixed with their surroundings.
const FAINT: f32 = 8.0 / 255.0;

/// Gives pixels that cannot be seen the colours of their neighbourhood; pixels that can keep their own.
/// rgb `[H, W, 3]`, alpha `[H, W]`.
///
/// By pushing and pulling: colours, weighted by alpha, are averaged over 2×2 pixels again and again, until
/// one is left; then every level's gaps are filled from the coarser one. It takes 4/3 of a pass over the
/// picture down, and as much up.
pub fn fill(rgb: &mut [f32], alpha: &[f32], [height, width]: [usize; 2]) {
    let seen = |a: f32| (a / FAINT).min(1.0);
    let finest = Level {
        size: [height, width],
        // Premultiplied colour, and weight.
        pixels: rgb
            .chunks_exact(3)
            .zip(alpha)
            .map(|(c, &a)| [c[0] * a, c[1] * a, c[2] * a, a])
            .collect(),
    };
    let mut levels = vec![finest];
    while let Some(last) = levels.last()
        && last.size != [1, 1]
    {
        levels.push(last.halved());
    }
    let mut coarse: Option<Level> = None;
    for mut level in levels.into_iter().rev() {
        level.normalise(coarse.as_ref());
        coarse = Some(level);
    }
    let Some(filled) = coarse else {
        return;
    };
    for ((c, &a), around) in rgb.chunks_exact_mut(3).zip(alpha).zip(&filled.pixels) {
        let own = seen(a);
        if own < 1.0 {
            c.iter_mut()
                .zip(around)
                .for_each(|(c, &around)| *c = own * *c + (1.0 - own) * around);
        }
    }
}

/// A picture at some size: colours times weight, and the weight.
struct Level {
    size: [usize; 2],
    pixels: Vec<[f32; 4]>,
}

impl Level {
    fn halved(&self) -> Level {
        let [height, width] = self.size;
        let size = [height.div_ceil(2), width.div_ceil(2)];
        let mut pixels = vec![[0.0; 4]; size[0] * size[1]];
        for (i, pixel) in self.pixels.iter().enumerate() {
            let sum = &mut pixels[i / width / 2 * size[1] + i % width / 2];
            sum.iter_mut().zip(pixel).for_each(|(s, p)| *s += p);
        }
        Level { size, pixels }
    }

    /// Divides colours by their weights. What has hardly any takes its colour from the coarser level.
    fn normalise(&mut self, coarser: Option<&Level>) {
        let width = self.size[1];
        for (i, pixel) in self.pixels.iter_mut().enumerate() {
            let [r, g, b, weight] = *pixel;
            let own = (weight / FAINT).min(1.0);
            let colour = if weight > 0.0 {
                [r, g, b].map(|c| c / weight)
            } else {
                [0.0; 3]
            };
            let around = match coarser {
                Some(level) => {
                    let at = i / width / 2 * level.size[1] + i % width / 2;
                    level.pixels[at]
                }
                None => [colour[0], colour[1], colour[2], 1.0],
            };
            for (k, mixed) in pixel.iter_mut().take(3).enumerate() {
                *mixed = own * colour[k] + (1.0 - own) * around[k];
            }
        }
    }
}

/// The enlarged alpha: the network's, of alpha as a gray picture; but what is wholly opaque or wholly
/// transparent all around stays so exactly. low `[H, W]`, high `[H·s, W·s, 3]` → `[H·s, W·s]`
pub fn settle(low: &[f32], high: &[f32], [height, width]: [usize; 2], scale: usize) -> Vec<f32> {
    let flat = flat(low, [height, width]);
    let gray = high.chunks_exact(3).map(|c| (c[0] + c[1] + c[2]) / 3.0);
    gray.enumerate()
        .map(|(i, a)| {
            let (y, x) = (i / (width * scale) / scale, i % (width * scale) / scale);
            flat[y * width + x].unwrap_or(a.clamp(0.0, 1.0))
        })
        .collect()
}

/// For each pixel, 0 or 1 where it and its eight neighbours all have that.
fn flat(alpha: &[f32], [height, width]: [usize; 2]) -> Vec<Option<f32>> {
    let mut flat = Vec::with_capacity(alpha.len());
    for y in 0..height {
        for x in 0..width {
            let own = alpha[y * width + x];
            let mut rows = y.saturating_sub(1)..(y + 2).min(height);
            let columns = x.saturating_sub(1)..(x + 2).min(width);
            let same = rows.all(|y| columns.clone().all(|x| alpha[y * width + x] == own));
            flat.push((same && (own == 0.0 || own == 1.0)).then_some(own));
        }
    }
    flat
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_colours_become_those_around_them_and_visible_ones_stay() {
        let (height, width) = (13, 9);
        let alpha: Vec<f32> = (0..height * width)
            .map(|i| if i % width < 3 { 1.0 } else { 0.0 })
            .collect();
        let colour = |i: usize| {
            if i % width < 3 {
                [0.5, 0.25, 0.75]
            } else {
                [0.0, 1.0, 0.0]
            }
        };
        let mut rgb: Vec<f32> = (0..height * width).flat_map(colour).collect();
        fill(&mut rgb, &alpha, [height, width]);
        for pixel in rgb.chunks_exact(3) {
            let off = pixel
                .iter()
                .zip([0.5, 0.25, 0.75])
                .map(|(a, b)| (a - b).abs());
            assert!(
                off.max_by(f32::total_cmp).is_some_and(|off| off < 1e-6),
                "{pixel:?}"
            );
        }
    }

    #[test]
    fn a_picture_that_is_transparent_all_over_is_filled_with_something_finite() {
        let mut rgb = vec![0.3; 5 * 4 * 3];
        fill(&mut rgb, &[0.0; 20], [5, 4]);
        assert!(rgb.iter().all(|v| v.is_finite()));
    }

    #[test]
    fn what_is_opaque_or_transparent_all_around_stays_exactly_so() {
        let low = [[0.0; 4], [0.0; 4], [1.0; 4], [1.0; 4]].concat();
        let high = vec![0.4; 8 * 8 * 3];
        let alpha = settle(&low, &high, [4, 4], 2);
        let column: Vec<f32> = alpha.iter().step_by(8).copied().collect();
        assert_eq!(
            [column[0], column[1], column[6], column[7]],
            [0.0, 0.0, 1.0, 1.0]
        );
        assert!((column[4] - 0.4).abs() < 1e-6);
    }
}
