//! The canvas: SAMPLES² samples a pixel, filled from the front to the back.

use super::SAMPLES;
use super::paint::Paint;
use super::shape::Shape;

/// Samples once painted stay: later shapes lie behind. Each row links its free samples, so a shape jumps over what
/// is taken and costs what it adds.
pub(super) struct Canvas {
    width: usize, // in samples
    height: usize,
    filled: usize,
    next: Vec<u32>, // [height, width + 1]: a free sample points to itself, a taken one towards the next free one
    sums: Vec<f32>, // [height / SAMPLES, width / SAMPLES, 3]: colours of the samples of a pixel, added up
}

impl Canvas {
    pub fn new(width: usize, height: usize) -> Self {
        let sums = vec![0.0; width * height * 3];
        let (width, height) = (width * SAMPLES, height * SAMPLES);
        let row = 0..=width as u32;
        Self {
            width,
            height,
            filled: 0,
            next: (0..height).flat_map(|_| row.clone()).collect(),
            sums,
        }
    }

    /// Width and height in samples: shapes and paints are placed in these units.
    pub fn size(&self) -> (f32, f32) {
        (self.width as f32, self.height as f32)
    }

    /// Width and height in pixels.
    pub fn pixels(&self) -> (usize, usize) {
        (self.width / SAMPLES, self.height / SAMPLES)
    }

    pub fn samples(&self) -> usize {
        self.width * self.height
    }

    pub fn filled(&self) -> usize {
        self.filled
    }

    /// Paints the free samples whose centres `shape` covers.
    pub fn fill(&mut self, shape: &Shape, paint: &Paint) {
        let (top, bottom) = shape.rows();
        for y in first_centre(top, self.height)..first_centre(bottom, self.height) {
            let centre = y as f32 + 0.5;
            let Some((left, right)) = shape.span(centre) else {
                continue;
            };
            let (left, right) = (
                first_centre(left, self.width),
                first_centre(right, self.width),
            );
            match shape.hole(centre) {
                Some((from, to)) => {
                    self.run(y, left, first_centre(from, self.width), paint);
                    self.run(y, first_centre(to, self.width), right, paint);
                }
                None => self.run(y, left, right, paint),
            }
        }
    }

    /// Paints the free samples left..right of row y.
    fn run(&mut self, y: usize, left: usize, right: usize, paint: &Paint) {
        if left >= right {
            return;
        }
        let next = &mut self.next[y * (self.width + 1)..][..=self.width];
        let sums = &mut self.sums[y / SAMPLES * (self.width / SAMPLES) * 3..];
        let mut x = free_from(next, left);
        while x < right {
            let pixel = &mut sums[x / SAMPLES * 3..][..3];
            let colour = paint.at(x as f32 + 0.5, y as f32 + 0.5);
            pixel.iter_mut().zip(colour).for_each(|(sum, c)| *sum += c);
            next[x] = right as u32;
            self.filled += 1;
            x += 1;
            if next[x] as usize != x {
                x = free_from(next, x);
            }
        }
    }

    /// The mean colour of every pixel, `[H, W, 3]`, once all samples are painted.
    pub fn resolve(mut self) -> Vec<f32> {
        let scale = 1.0 / (SAMPLES * SAMPLES) as f32;
        self.sums.iter_mut().for_each(|v| *v *= scale);
        self.sums
    }
}

/// The first free sample at or after x, shortening the path for those who come later.
fn free_from(next: &mut [u32], mut x: usize) -> usize {
    while next[x] as usize != x {
        let further = next[next[x] as usize];
        next[x] = further;
        x = further as usize;
    }
    x
}

/// The number of samples of 0..n whose centres lie before `edge`: where a run that begins or ends there does so.
fn first_centre(edge: f32, n: usize) -> usize {
    let i = edge + 0.5; // the cast saturates: what lies outside is cut off
    (i as usize).min(n)
}
