//! "Dead leaves": endless generated scenes to learn from when no photographs are at hand.
//!
//! Opaque shapes fall on one another, their sizes r by the power law r⁻³. Such pictures share what matters here with
//! photographs: occlusion edges at every scale and contrast, and a spectrum that falls like 1/f (Lee, Mumford & Huang
//! 2001, "Occlusion models for natural images"); restoration networks trained on them do well on photographs
//! (Achddou, Gousseau & Ladjal 2023). On top of discs there are polygons, rings, strokes, rows of glyphs, stripes,
//! gratings, checks and rough textures, shaded softly: what fills streets, print and fur.
//!
//! | file | |
//! |---|---|
//! | `canvas` | supersampled, filled front to back: every sample is painted once, however many shapes fall |
//! | `shape` | what covers a row of samples from where to where |
//! | `paint` | the colour of a sample |
//! | `style` | what a scene draws its shapes and colours from |

mod canvas;
mod paint;
mod shape;
mod style;

use super::rng::{Rng, Stream};
use crate::image::Image;
use canvas::Canvas;
use paint::Paint;
use shape::Shape;
use style::Style;

/// Samples per pixel along each axis.
const SAMPLES: usize = 3;

/// Scene `index` of the endless series that `seed` names: a pure function, the same bytes on every machine.
///
/// # Panics
/// When a side is 0.
#[track_caller]
pub fn scene(seed: u64, index: u64, width: usize, height: usize) -> Image {
    assert!(
        width > 0 && height > 0,
        "dead_leaves::scene: {width}×{height}"
    );
    let mut rng = Rng::new(seed, Stream::Scene, index);
    let style = Style::new(&mut rng);
    let mut canvas = Canvas::new(width, height);
    let wanted = (canvas.samples() as f32 * style.covered) as usize;
    // A bound on the time: it stops styles of tiny leaves a little early.
    let most = canvas.samples() / 40 + 64;
    for _ in 0..most {
        if canvas.filled() >= wanted {
            break;
        }
        leaf(&mut canvas, &style, &mut rng);
    }
    let (w, h) = canvas.size();
    let background = style.paint(&mut rng, [0.5 * w, 0.5 * h], w.max(h));
    canvas.fill(&Shape::everything(w, h), &background);
    finish(canvas, &style, &mut rng)
}

/// One leaf: a shape, or a group of shapes of one paint.
fn leaf(canvas: &mut Canvas, style: &Style, rng: &mut Rng) {
    let radius = style.radius(rng);
    let (w, h) = canvas.size();
    let centre = [
        rng.range(-radius, w + radius),
        rng.range(-radius, h + radius),
    ];
    let paint = style.paint(rng, centre, radius);
    let kind = rng.uniform();
    if kind < style.strokes {
        strokes(canvas, &paint, rng, centre, radius);
    } else if kind < style.strokes + style.glyphs {
        glyphs(canvas, &paint, style, rng, centre, radius);
    } else if rng.chance(style.round) {
        let squeeze = if rng.chance(0.5) {
            1.0
        } else {
            rng.range(0.2, 1.0)
        };
        let disc = Shape::ellipse(centre, [radius, radius * squeeze], style.direction(rng));
        let hole = rng.chance(0.1).then(|| rng.range(0.5, 0.9));
        canvas.fill(&disc.with_hole(hole), &paint);
    } else {
        canvas.fill(&polygon(style, rng, centre, radius), &paint);
    }
}

/// A convex polygon, its corners on an ellipse; half of them rectangles.
fn polygon(style: &Style, rng: &mut Rng, centre: [f32; 2], radius: f32) -> Shape {
    let axis = style.direction(rng);
    let squeeze = rng.range(0.2, 1.0);
    if rng.chance(0.5) {
        let end = |u: f32| offset(centre, axis, u, 0.0);
        return Shape::bar(end(-radius), end(radius), radius * squeeze);
    }
    let mut corners: Vec<[f32; 2]> = (0..3 + rng.below(5)).map(|_| rng.direction()).collect();
    // In order around the circle, without an angle: by half-plane, then by the falling cosine.
    corners.sort_by(|a, b| {
        let key = |c: &[f32; 2]| if c[1] >= 0.0 { 1.0 - c[0] } else { 3.0 + c[0] };
        key(a).total_cmp(&key(b))
    });
    let corner = |[u, v]: [f32; 2]| offset(centre, axis, u * radius, v * radius * squeeze);
    Shape::convex(corners.into_iter().map(corner).collect())
}

/// The point `u` along the unit vector `axis` and `v` across it from `origin`.
fn offset(origin: [f32; 2], axis: [f32; 2], u: f32, v: f32) -> [f32; 2] {
    [
        origin[0] + u * axis[0] - v * axis[1],
        origin[1] + u * axis[1] + v * axis[0],
    ]
}

/// A bundle of thin curved strokes: grass, hair, wires, branches.
fn strokes(canvas: &mut Canvas, paint: &Paint, rng: &mut Rng, centre: [f32; 2], radius: f32) {
    let s = SAMPLES as f32;
    let length = radius * rng.range(1.5, 5.0) + 4.0 * s;
    let thick = (radius * rng.range(0.05, 0.4)).clamp(0.5 * s, 4.0 * s);
    let axis = rng.direction();
    for _ in 0..1 + rng.below(4) {
        let start = [
            centre[0] + rng.normal() * thick * 3.0,
            centre[1] + rng.normal() * thick * 3.0,
        ];
        let bend = 0.4 * rng.normal();
        let point = |t: f32| {
            let (u, v) = (length * (t - 0.5), length * bend * t * (1.0 - t));
            offset(start, axis, u, v)
        };
        let pieces = if length > 8.0 * s { 6 } else { 3 };
        for i in 0..pieces {
            let (t, step) = (i as f32 / pieces as f32, 1.0 / pieces as f32);
            canvas.fill(&Shape::bar(point(t), point(t + step), 0.5 * thick), paint);
        }
    }
}

/// A row of letter-like signs: strokes between the points of a 3×3 grid.
fn glyphs(
    canvas: &mut Canvas,
    paint: &Paint,
    style: &Style,
    rng: &mut Rng,
    centre: [f32; 2],
    radius: f32,
) {
    let s = SAMPLES as f32;
    let height = (0.6 * radius).clamp(2.0 * s, 16.0 * s); // half of a sign's height
    let width = height * rng.range(0.4, 0.8);
    let thick = (height * rng.range(0.1, 0.3)).max(0.3 * s);
    let axis = style.direction(rng);
    let signs = 1 + rng.below(6);
    for sign in 0..signs {
        let advance = (sign as f32 - 0.5 * (signs - 1) as f32) * (2.0 * width + 3.0 * thick);
        let point = |column: usize, row: usize| {
            let (u, v) = (
                advance + width * (column as f32 - 1.0),
                height * (row as f32 - 1.0),
            );
            offset(centre, axis, u, v)
        };
        for _ in 0..2 + rng.below(3) {
            if rng.chance(0.15) {
                let (at, ring) = (point(1, rng.below(3)), [width, 0.5 * height]);
                let hole = (1.0 - 1.5 * thick / width).clamp(0.2, 0.9);
                canvas.fill(&Shape::ellipse(at, ring, axis).with_hole(Some(hole)), paint);
                continue;
            }
            // Mostly full horizontals and verticals, as in letters.
            let (a, b) = match rng.below(5) {
                0 | 1 => {
                    let column = rng.below(3);
                    (point(column, 0), point(column, 2))
                }
                2 | 3 => {
                    let row = rng.below(3);
                    (point(0, row), point(2, row))
                }
                _ => (point(rng.below(3), 0), point(rng.below(3), 2)),
            };
            canvas.fill(&Shape::bar(a, b, 0.5 * thick), paint);
        }
    }
}

/// Samples to pixels, then what a camera adds: softness, here and there out of focus, and noise.
fn finish(canvas: Canvas, style: &Style, rng: &mut Rng) -> Image {
    let (width, height) = canvas.pixels();
    let mut pixels = canvas.resolve(); // [H, W, 3]
    if style.soft > 0.0 {
        blur(&mut pixels, width, height, style.soft);
    }
    if let Some([a, b, c]) = style.out_of_focus {
        // A blurred copy is blended in along a ramp, so that one part of the scene stays crisp.
        let mut blurred = pixels.clone();
        for _ in 0..3 {
            blur(&mut blurred, width, height, 0.25);
        }
        for (i, (sharp, soft)) in pixels
            .chunks_exact_mut(3)
            .zip(blurred.chunks_exact(3))
            .enumerate()
        {
            let (x, y) = ((i % width) as f32, (i / width) as f32);
            let amount = (a + b * x + c * y).clamp(0.0, 1.0);
            sharp
                .iter_mut()
                .zip(soft)
                .for_each(|(v, s)| *v += amount * (s - *v));
        }
    }
    if style.noise > 0.0 {
        for rgb in pixels.chunks_exact_mut(3) {
            let gray = style.noise * rng.normal(); // mostly luminance noise
            rgb.iter_mut().for_each(|v| *v += gray);
        }
    }
    Image::from_f32(&pixels, width, height)
}

/// Convolves with [side, 1 − 2·side, side] along both axes, the edge pixel repeated.
fn blur(pixels: &mut [f32], width: usize, height: usize, side: f32) {
    let row = width * 3;
    let mut along = |start: usize, step: usize, count: usize| {
        let mut before = pixels[start];
        for i in 0..count {
            let at = start + i * step;
            let here = pixels[at];
            let after = if i + 1 < count {
                pixels[at + step]
            } else {
                here
            };
            pixels[at] = here + side * (before + after - 2.0 * here);
            before = here;
        }
    };
    for y in 0..height {
        (0..3).for_each(|c| along(y * row + c, 3, width));
    }
    for x in 0..row {
        along(x, row, height);
    }
}

#[cfg(test)]
mod tests;
