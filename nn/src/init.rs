//! Initial weights.

/// A small seeded generator (SplitMix64, Steele et al. 2014), the same numbers on every machine and
/// in every version of this crate.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The stream of this seed.
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// `n` numbers uniform in ±`bound`.
    pub(crate) fn uniform(&mut self, n: usize, bound: f64) -> Vec<f32> {
        (0..n)
            .map(|_| ((2.0 * self.unit() - 1.0) * bound) as f32)
            .collect()
    }

    /// `n` numbers of a normal distribution, mean 0, cut off at ±2 (absolute, as PyTorch's
    /// `trunc_normal_` does by default): Box & Muller's method, drawn again where cut.
    pub(crate) fn truncated_normal(&mut self, n: usize, std: f64) -> Vec<f32> {
        let mut draw = || {
            loop {
                let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
                let value = std * radius * (std::f64::consts::TAU * self.unit()).cos();
                if value.abs() <= 2.0 {
                    return value as f32;
                }
            }
        };
        (0..n).map(|_| draw()).collect()
    }
}
