//! What distinguishes one scene from another: sizes, palette, patterns, sharpness.

use super::SAMPLES;
use super::paint::{Paint, Pattern};
use crate::data::rng::Rng;

/// Drawn once per scene; its leaves are drawn from it.
pub(super) struct Style {
    /// Share of the canvas that leaves cover; the rest is background.
    pub covered: f32,
    /// Shares of leaves that are bundles of strokes, and rows of glyphs.
    pub strokes: f32,
    pub glyphs: f32,
    /// Share of round shapes among the others.
    pub round: f32,
    /// Side weight of a light blur of everything (0 for none): lenses and shrinking leave edges less than perfect.
    pub soft: f32,
    /// How far out of focus, as an affine function of the pixel.
    pub out_of_focus: Option<[f32; 3]>,
    /// Standard deviation of the noise.
    pub noise: f32,
    inverse_squares: [f32; 2], // of the largest and the smallest radius, in samples
    upright: Option<[f32; 2]>, // the axis most things keep to: streets, print
    palette: Vec<[f32; 3]>,
    patterned: f32,
    rough: f32,
    shaded: f32,
}

impl Style {
    pub fn new(rng: &mut Rng) -> Self {
        let s = SAMPLES as f32;
        // A product: mostly small leaves, some scenes of large ones only.
        let smallest = s * (1.0 + 9.0 * rng.uniform() * rng.uniform() * rng.uniform());
        let largest = s * rng.range(40.0, 160.0);
        let upright = rng.chance(0.4).then(|| {
            if rng.chance(0.6) {
                [1.0, 0.0]
            } else {
                rng.direction()
            }
        });
        let text = rng.chance(0.2);
        Self {
            // The last gaps take most leaves: leave them to the background.
            covered: if rng.chance(0.5) {
                0.97
            } else {
                rng.range(0.5, 0.97)
            },
            strokes: if rng.chance(0.4) {
                rng.range(0.05, 0.6)
            } else {
                0.03
            },
            glyphs: if text { rng.range(0.2, 0.6) } else { 0.03 },
            round: rng.range(0.1, 0.8),
            soft: if rng.chance(0.5) {
                0.0
            } else {
                rng.range(0.0, 0.12)
            },
            out_of_focus: rng.chance(0.15).then(|| {
                [
                    rng.range(-0.5, 1.0),
                    0.02 * rng.normal(),
                    0.02 * rng.normal(),
                ]
            }),
            noise: if rng.chance(0.5) {
                0.0
            } else {
                rng.range(0.0, 1.2 / 255.0)
            },
            inverse_squares: [largest, smallest].map(|r| 1.0 / (r * r)),
            upright,
            palette: palette(rng),
            patterned: if rng.chance(0.3) {
                rng.range(0.1, 0.6)
            } else {
                0.08
            },
            rough: if rng.chance(0.6) {
                rng.range(0.1, 0.8)
            } else {
                0.05
            },
            shaded: rng.range(0.0, 0.5),
        }
    }

    /// A radius by the density r⁻³ between the smallest and the largest: 1/r² is uniform.
    pub fn radius(&self, rng: &mut Rng) -> f32 {
        1.0 / rng
            .range(self.inverse_squares[0], self.inverse_squares[1])
            .sqrt()
    }

    /// An axis for a shape.
    pub fn direction(&self, rng: &mut Rng) -> [f32; 2] {
        match self.upright {
            Some([u, v]) if rng.chance(0.85) => {
                if rng.chance(0.5) {
                    [u, v]
                } else {
                    [-v, u]
                }
            }
            _ => rng.direction(),
        }
    }

    /// A paint for a leaf of this radius.
    pub fn paint(&self, rng: &mut Rng, origin: [f32; 2], radius: f32) -> Paint {
        let colour = self.colour(rng);
        let (pattern, contrast) = self.pattern(rng, colour, radius);
        let strength = self.shaded * rng.normal() / radius.max(8.0);
        let [u, v] = rng.direction();
        // Rounded bodies darken towards their outline.
        let bulge = if rng.chance(0.3) {
            -self.shaded * rng.uniform() / (radius * radius)
        } else {
            0.0
        };
        Paint {
            colour,
            contrast,
            pattern,
            origin,
            shade: [strength * u, strength * v, bulge],
        }
    }

    fn colour(&self, rng: &mut Rng) -> [f32; 3] {
        let base = self.palette[rng.below(self.palette.len())];
        let (gray, tint) = (0.08 * rng.normal(), 0.02 * rng.normal());
        [base[0] + gray + tint, base[1] + gray, base[2] + gray - tint].map(|v| v.clamp(0.0, 1.0))
    }

    fn pattern(&self, rng: &mut Rng, colour: [f32; 3], radius: f32) -> (Pattern, [f32; 3]) {
        let s = SAMPLES as f32;
        let other = self.colour(rng);
        let to_other = |share: f32| std::array::from_fn(|c| share * (other[c] - colour[c]));
        if radius > 3.0 * s && rng.chance(self.patterned) {
            // Periods from 2 to 16 pixels, the short ones more often: what bicubic blurs.
            let period = s * (2.0 + 14.0 * rng.uniform() * rng.uniform());
            let wave = self.direction(rng).map(|d| d / period);
            let duty = rng.range(0.2, 0.8);
            let pattern = match rng.below(4) {
                0 | 1 => Pattern::Stripes { wave, duty },
                2 => Pattern::Grating { wave },
                _ => Pattern::Checks { wave, duty },
            };
            return (pattern, to_other(rng.range(0.3, 1.0)));
        }
        if rng.chance(self.rough) {
            // One texel is half a pixel to four pixels wide.
            let texel = s * (0.5 + 3.5 * rng.uniform() * rng.uniform());
            let wave = rng.direction().map(|d| d / texel);
            let offset = [rng.range(500.0, 1000.0), rng.range(500.0, 1000.0)];
            let amount = rng.range(0.05, 0.5);
            let gray = amount * rng.range(0.1, 0.6);
            let to_other: [f32; 3] = to_other(amount);
            return (Pattern::Rough { wave, offset }, to_other.map(|v| v + gray));
        }
        (Pattern::Plain, [0.0; 3])
    }
}

/// A few colours that go together: luminances spread around a mean, a common tint, and little chroma of their own,
/// red against blue twice as strong as green against both, as in photographs.
fn palette(rng: &mut Rng) -> Vec<[f32; 3]> {
    let mean = rng.range(0.25, 0.75);
    let spread = rng.range(0.1, 0.5);
    let chroma = 0.25 * rng.uniform() * rng.uniform();
    let (tint_rb, tint_g) = (0.08 * rng.normal(), 0.03 * rng.normal());
    let colour = |rng: &mut Rng| {
        let gray = mean + spread * rng.range(-1.0, 1.0) * 1.2;
        let (rb, g) = (
            tint_rb + chroma * rng.normal(),
            tint_g + 0.5 * chroma * rng.normal(),
        );
        // Dark colours have little room for chroma.
        let room = (2.0 * gray.clamp(0.0, 1.0)).min(1.0);
        [
            gray + room * (rb - 0.5 * g),
            gray + room * g,
            gray + room * (-rb - 0.5 * g),
        ]
        .map(|v| v.clamp(0.02, 0.98))
    };
    (0..3 + rng.below(6)).map(|_| colour(rng)).collect()
}
