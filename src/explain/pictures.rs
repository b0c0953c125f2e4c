//! What was found, as pictures.

use catanet::attribution::Attribution;
use catanet::config::DIM;
use catanet::image::Image;

/// Maps of channels in a row of the sheet.
const ACROSS: usize = 8;
/// Each pixel of a small picture is so many.
const TIMES: usize = 4;

/// The groups of a block in colours over the picture's luma, each pixel some pixels large. Centres that are
/// alike have no like colours: hues only tell them apart.
pub fn groups(square: &Image, owners: &[u32]) -> Image {
    let lights = square.data.as_chunks::<3>().0.iter();
    let lights = lights.map(|[r, g, b]| {
        (0.299 * f64::from(*r) + 0.587 * f64::from(*g) + 0.114 * f64::from(*b)) / 255.0
    });
    let colours = owners.iter().zip(lights).map(|(owner, light)| {
        let [r, g, b] = hue(*owner as usize);
        [r, g, b].map(|v| (255.0 * v * (0.35 + 0.65 * light)).round() as u8)
    });
    enlarged(square, colours.collect())
}

/// A colour for number `i`: steps of the golden ratio keep neighbours in number apart.
fn hue(i: usize) -> [f64; 3] {
    let turn = i as f64 * 0.618_033_988_749_895 % 1.0;
    [0.0, 1.0 / 3.0, 2.0 / 3.0].map(|at| {
        let away = (turn - at).abs();
        let away = away.min(1.0 - away); // around the circle
        (1.6 - 4.0 * away).clamp(0.15, 1.0)
    })
}

/// All channels of what comes out of a block, each from its least value, black, to its largest, white.
pub fn channels(square: &Image, features: &[f32]) -> Image {
    let (width, height) = (square.width, square.height);
    let rows = DIM.div_ceil(ACROSS);
    let (wide, high) = (ACROSS * (width + 1), rows * (height + 1));
    let mut data = vec![0; wide * high * 3];
    for c in 0..DIM {
        let values = || features.iter().skip(c).step_by(DIM);
        let least = values().fold(f32::MAX, |a, b| a.min(*b));
        let most = values().fold(f32::MIN, |a, b| a.max(*b));
        let (left, top) = (c % ACROSS * (width + 1), c / ACROSS * (height + 1));
        for (i, value) in values().enumerate() {
            let at = (top + i / width) * wide + left + i % width;
            let light = (value - least) / (most - least).max(f32::MIN_POSITIVE);
            data[at * 3..][..3].fill((light * 255.0).round() as u8);
        }
    }
    Image::new(wide, high, data)
}

/// A map of attribution in red over the picture, pale.
pub fn attribution(square: &Image, found: &Attribution) -> Image {
    let shares = sizes(found);
    let pixels = square.data.as_chunks::<3>().0.iter();
    let colours = pixels.zip(shares).map(|([r, g, b], share)| {
        let pale = |v: u8| 255.0 - (255.0 - f64::from(v)) * 0.45;
        let over = [215.0, 25.0, 28.0];
        let mixed = [*r, *g, *b].map(pale);
        [0, 1, 2].map(|c| (mixed[c] + (over[c] - mixed[c]) * share).round() as u8)
    });
    enlarged(square, colours.collect())
}

/// How much each pixel matters, 0 to 1. Few pixels have most of it: the square root shows the others.
fn sizes(found: &Attribution) -> Vec<f64> {
    let most = found
        .map
        .iter()
        .fold(f64::MIN_POSITIVE, |most, v| most.max(v.abs()));
    found.map.iter().map(|v| (v.abs() / most).sqrt()).collect()
}

/// Each pixel as a square of pixels.
fn enlarged(square: &Image, colours: Vec<[u8; 3]>) -> Image {
    let (width, height) = (square.width * TIMES, square.height * TIMES);
    let pixel = |i: usize| colours[i / width / TIMES * square.width + i % width / TIMES];
    Image::new(width, height, (0..width * height).flat_map(pixel).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_colours_of_groups_differ() {
        let all: Vec<_> = (0..16).map(hue).collect();
        for (i, a) in all.iter().enumerate() {
            for b in &all[..i] {
                let apart: f64 = a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum();
                assert!(apart > 0.05, "{a:?} and {b:?}");
            }
        }
    }

    #[test]
    fn a_pixel_becomes_a_square() {
        let square = Image::new(2, 1, vec![0; 6]);
        let large = enlarged(&square, vec![[1; 3], [2; 3]]);
        assert_eq!((large.width, large.height), (2 * TIMES, TIMES));
        assert_eq!((large.data[0], large.data[3 * TIMES]), (1, 2));
    }
}
