//! Random numbers that never change: a crate may change its streams between versions, a seed that
//! stands in a README may not change its meaning.

/// SplitMix64 (Steele, Lea & Flood 2014): a counter through a mixing function. Integer arithmetic
/// only: the same numbers on every machine.
///
/// ```
/// let mut rng = nn::rng::SplitMix64::new(0);
/// assert_eq!(rng.next_u64(), 0xe220_a839_7b1d_cdaf);
/// assert_eq!(rng.next_u64(), 0x6e78_9e6a_a1b9_65f4);
/// ```
#[derive(Debug, Clone)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// The stream that begins at this state.
    pub fn new(state: u64) -> SplitMix64 {
        SplitMix64(state)
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Uniform in [0, 1), a multiple of 2⁻⁵³.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The mixing function: every bit of the result depends on every bit of `z`. Mixed numbers of a seed
/// and of what is wanted under it make states of streams that have nothing to do with each other.
pub fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
