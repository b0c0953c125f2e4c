//! Shapes, as a canvas needs them: which part of a row they cover. Units are samples.

/// A convex outline, perhaps with a hole of the same form.
pub(super) struct Shape {
    outline: Outline,
    hole: Option<f32>,
    top: f32,
    bottom: f32,
}

enum Outline {
    /// a·x² + 2·b·x·y + c·y² ≤ 1 around the centre.
    Ellipse {
        centre: [f32; 2],
        a: f32,
        b: f32,
        c: f32,
    },
    /// Corners in order.
    Convex(Vec<[f32; 2]>),
}

impl Shape {
    /// The ellipse with half-axes `radii`, the first along the unit vector `axis`.
    pub fn ellipse(centre: [f32; 2], radii: [f32; 2], axis: [f32; 2]) -> Self {
        let [p, q] = radii.map(|r| 1.0 / (r * r));
        let [u, v] = axis;
        let (a, b, c) = (
            p * u * u + q * v * v,
            (p - q) * u * v,
            p * v * v + q * u * u,
        );
        let reach = (a / (a * c - b * b)).sqrt();
        let outline = Outline::Ellipse { centre, a, b, c };
        Self {
            outline,
            hole: None,
            top: centre[1] - reach,
            bottom: centre[1] + reach,
        }
    }

    /// The polygon with these corners, which go round a convex outline.
    pub fn convex(corners: Vec<[f32; 2]>) -> Self {
        let top = corners.iter().map(|c| c[1]).fold(f32::INFINITY, f32::min);
        let bottom = corners
            .iter()
            .map(|c| c[1])
            .fold(f32::NEG_INFINITY, f32::max);
        Self {
            outline: Outline::Convex(corners),
            hole: None,
            top,
            bottom,
        }
    }

    /// The rectangle from `a` to `b`, `half` to either side of the line between them.
    pub fn bar(a: [f32; 2], b: [f32; 2], half: f32) -> Self {
        let (x, y) = (b[0] - a[0], b[1] - a[1]);
        let scale = half / (x * x + y * y).sqrt().max(1e-3);
        let (nx, ny) = (-y * scale, x * scale);
        Self::convex(vec![
            [a[0] + nx, a[1] + ny],
            [b[0] + nx, b[1] + ny],
            [b[0] - nx, b[1] - ny],
            [a[0] - nx, a[1] - ny],
        ])
    }

    /// All of a canvas.
    pub fn everything(width: f32, height: f32) -> Self {
        Self::convex(vec![
            [0.0, 0.0],
            [width, 0.0],
            [width, height],
            [0.0, height],
        ])
    }

    /// An ellipse with a concentric hole of `hole` times its size, if any.
    pub fn with_hole(self, hole: Option<f32>) -> Self {
        Self { hole, ..self }
    }

    /// Where the shape begins and ends, from top to bottom.
    pub fn rows(&self) -> (f32, f32) {
        (self.top, self.bottom)
    }

    /// Where it begins and ends on the line at height y.
    pub fn span(&self, y: f32) -> Option<(f32, f32)> {
        match &self.outline {
            Outline::Ellipse { .. } => self.ellipse_span(y, 1.0),
            Outline::Convex(corners) => convex_span(corners, y),
        }
    }

    /// Where its hole does.
    pub fn hole(&self, y: f32) -> Option<(f32, f32)> {
        self.ellipse_span(y, self.hole?)
    }

    fn ellipse_span(&self, y: f32, size: f32) -> Option<(f32, f32)> {
        let Outline::Ellipse { centre, a, b, c } = self.outline else {
            return None;
        };
        let y = y - centre[1];
        let square = b * y * b * y - a * (c * y * y - size * size);
        let (middle, half) = (centre[0] - b * y / a, square.max(0.0).sqrt() / a);
        (square > 0.0).then_some((middle - half, middle + half))
    }
}

fn convex_span(corners: &[[f32; 2]], y: f32) -> Option<(f32, f32)> {
    let (mut left, mut right) = (f32::INFINITY, f32::NEG_INFINITY);
    let mut p = *corners.last()?;
    for &q in corners {
        if (p[1] <= y) != (q[1] <= y) {
            let x = p[0] + (y - p[1]) * (q[0] - p[0]) / (q[1] - p[1]);
            (left, right) = (left.min(x), right.max(x));
        }
        p = q;
    }
    (left < right).then_some((left, right))
}
