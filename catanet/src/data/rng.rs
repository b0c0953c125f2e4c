//! Random numbers that never change.
//!
//! The order of training images, their crops and every generated scene follow from these few lines. SplitMix64 is a
//! counter through a mixing function, so any (seed, stream, index) is reached at once. Only integer arithmetic, +, −,
//! ×, ÷ and √ are used on the way to a sample: exact on every machine.

use nn::rng::{SplitMix64, mix};

/// Which numbers are wanted, so that crops, orders and scenes of one seed are unrelated.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    Order = 1,
    Crop = 2,
    Scene = 3,
    Texture = 4,
    Degrade = 5,
    Offset = 6,
}

/// A stream of random numbers.
pub(super) struct Rng(SplitMix64);

impl Rng {
    /// The stream of item `index` (an epoch, a sample, a scene) under `seed`.
    pub fn new(seed: u64, stream: Stream, index: u64) -> Self {
        let stream = mix(mix(seed).wrapping_add(stream as u64));
        Self(SplitMix64::new(mix(stream.wrapping_add(index))))
    }

    fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// An integer in 0..n (n > 0); the bias of n / 2⁶⁴ is far below anything observable.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// Uniform in [0, 1), a multiple of 2⁻²⁴.
    pub fn uniform(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32
    }

    /// Uniform in [low, high).
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.uniform()
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f32) -> bool {
        self.uniform() < p
    }

    /// Mean 0, variance 1, bell-shaped (a sum of four uniforms: no logarithm, and one draw serves).
    pub fn normal(&mut self) -> f32 {
        let bits = self.next();
        let sum: u64 = (0..4).map(|i| (bits >> (16 * i)) & 0xffff).sum();
        (sum as f32 / 65536.0 - 2.0) * 1.732_050_8
    }

    /// A direction (cos, sin), uniform on the circle: a point of the disc, brought to length 1.
    pub fn direction(&mut self) -> [f32; 2] {
        loop {
            let (x, y) = (self.range(-1.0, 1.0), self.range(-1.0, 1.0));
            let square = x * x + y * y;
            if (1e-4..=1.0).contains(&square) {
                let length = square.sqrt();
                return [x / length, y / length];
            }
        }
    }

    /// 0..n in random order (Fisher–Yates).
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_means_the_same_numbers_for_ever() {
        let mut rng = Rng::new(3407, Stream::Order, 0);
        assert_eq!(
            [rng.next(), rng.next()],
            [6349560777140167626, 11240218025634657045]
        );
        assert_eq!(
            Rng::new(3407, Stream::Order, 1).permutation(8),
            [7, 0, 4, 6, 1, 5, 3, 2]
        );
    }

    #[test]
    fn the_moments_of_uniform_and_normal_are_right() {
        let mut rng = Rng::new(1, Stream::Scene, 2);
        let n = 20_000;
        let (mut mean, mut square) = (0.0, 0.0);
        for _ in 0..n {
            let v = rng.normal();
            (mean, square) = (mean + v / n as f32, square + v * v / n as f32);
        }
        assert!(
            mean.abs() < 0.03 && (square - 1.0).abs() < 0.03,
            "{mean} {square}"
        );
        let mean = (0..n).map(|_| rng.uniform()).sum::<f32>() / n as f32;
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
    }
}
