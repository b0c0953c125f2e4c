//! Paints: the colour of a sample as a function of where it is. Units are samples.

use std::sync::LazyLock;

use crate::data::rng::{Rng, Stream};

/// Two colours mixed by a pattern, under soft light.
pub(super) struct Paint {
    pub colour: [f32; 3],
    /// What the pattern adds to the colour where it is 1.
    pub contrast: [f32; 3],
    pub pattern: Pattern,
    pub origin: [f32; 2],
    /// The light falls off along x, along y and with the squared distance from the origin.
    pub shade: [f32; 3],
}

/// Values in `[0, 1]` over the plane; vectors are cycles per sample.
pub(super) enum Pattern {
    Plain,
    /// 1 on the fraction `duty` of each cycle.
    Stripes {
        wave: [f32; 2],
        duty: f32,
    },
    /// A smooth wave.
    Grating {
        wave: [f32; 2],
    },
    /// Panes: 1 where both waves are in their `duty`.
    Checks {
        wave: [f32; 2],
        duty: f32,
    },
    /// Rough ground: the texture at this scale and direction.
    Rough {
        wave: [f32; 2],
        offset: [f32; 2],
    },
}

impl Paint {
    pub fn at(&self, x: f32, y: f32) -> [f32; 3] {
        let (x, y) = (x - self.origin[0], y - self.origin[1]);
        let light = 1.0 + self.shade[0] * x + self.shade[1] * y + self.shade[2] * (x * x + y * y);
        let mix = self.pattern.at(x, y);
        std::array::from_fn(|c| light * (self.colour[c] + mix * self.contrast[c]))
    }
}

impl Pattern {
    fn at(&self, x: f32, y: f32) -> f32 {
        let inside = |cycles: f32, duty: f32| f32::from(u8::from(fraction(cycles) < duty));
        match *self {
            Self::Plain => 0.0,
            Self::Stripes { wave: [u, v], duty } => inside(u * x + v * y, duty),
            Self::Grating { wave: [u, v] } => smooth_wave(u * x + v * y),
            Self::Checks { wave: [u, v], duty } => {
                inside(u * x + v * y, duty) * inside(u * y - v * x, duty)
            }
            Self::Rough {
                wave: [u, v],
                offset,
            } => texture(u * x + v * y + offset[0], u * y - v * x + offset[1]),
        }
    }
}

/// x − ⌊x⌋ (the standard `floor` is a call on plain x86-64).
fn fraction(x: f32) -> f32 {
    let f = x - (x as i32) as f32;
    if f < 0.0 { f + 1.0 } else { f }
}

/// A cosine-like wave of period 1 from 0 to 1: smoothstep up, smoothstep down.
fn smooth_wave(cycles: f32) -> f32 {
    smoothstep((2.0 * fraction(cycles) - 1.0).abs())
}

fn smoothstep(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

/// Side of the texture, which repeats.
const SIDE: usize = 128;

/// 1/f-like noise around 0.5: octaves of value noise, amplitude falling with frequency.
static TEXTURE: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let mut rng = Rng::new(0, Stream::Texture, 0);
    let mut tile = vec![0.5; SIDE * SIDE];
    for (cells, amplitude) in [
        (4, 0.30),
        (8, 0.24),
        (16, 0.19),
        (32, 0.15),
        (64, 0.12),
        (128, 0.10),
    ] {
        let values: Vec<f32> = (0..cells * cells)
            .map(|_| amplitude * rng.normal())
            .collect();
        let cell = SIDE / cells;
        for (i, v) in tile.iter_mut().enumerate() {
            let (x, y) = (i % SIDE, i / SIDE);
            let value = |dx: usize, dy: usize| {
                values[(y / cell + dy) % cells * cells + (x / cell + dx) % cells]
            };
            let at = |p: usize| smoothstep((p % cell) as f32 / cell as f32);
            *v += mix(
                mix(value(0, 0), value(1, 0), at(x)),
                mix(value(0, 1), value(1, 1), at(x)),
                at(y),
            );
        }
    }
    tile
});

/// The texture between its points, bilinearly.
fn texture(x: f32, y: f32) -> f32 {
    let (fx, fy) = (fraction(x), fraction(y));
    let (x, y) = (
        (x - fx) as i32 as usize % SIDE,
        (y - fy) as i32 as usize % SIDE,
    );
    let (x1, y1) = ((x + 1) % SIDE, (y + 1) % SIDE);
    let tile = &*TEXTURE;
    let at = |x: usize, y: usize| tile[y * SIDE + x];
    mix(
        mix(at(x, y), at(x1, y), fx),
        mix(at(x, y1), at(x1, y1), fx),
        fy,
    )
}

fn mix(a: f32, b: f32, t: f32) -> f32 {
    a + t * (b - a)
}
