//! Initial parameters: their numbers and their memory.

use tensor::{Device, Tensor, ops};

use crate::{Layout, Parameter};

/// Elements of a block that parameters are put into, unless the adapter binds less: CATANet's are
/// half as many.
const BLOCK: usize = 1 << 20;
/// Parameters begin at multiples of so many elements: 256 bytes, where every adapter's kernels can
/// begin to read.
pub(crate) const ALIGN: usize = 64;

/// What every layer is made with: a device, a small seeded generator (SplitMix64, Steele et al.
/// 2014; the same numbers on every machine and in every version of this crate), and memory in which
/// a network's parameters lie side by side, so that the optimiser can update them all at once.
pub struct Init {
    device: Device,
    state: u64,
    block: Option<(Tensor, usize)>, // and how many of its elements are taken
}

impl Init {
    /// The stream of this seed, for parameters on this device.
    pub fn new(device: &Device, seed: u64) -> Init {
        Init {
            device: device.clone(),
            state: seed,
            block: None,
        }
    }

    /// Where the parameters live.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// A parameter that starts at these values.
    pub(crate) fn parameter(
        &mut self,
        values: &[f32],
        shape: &[usize],
        layout: Layout,
    ) -> Parameter {
        let len = values.len().next_multiple_of(ALIGN);
        let free = self
            .block
            .take()
            .filter(|(b, taken)| b.len() - taken >= len);
        let (block, taken) = free.unwrap_or_else(|| {
            let most = self.device.max_tensor_bytes() as usize / 4;
            let len = BLOCK.min(most).max(len);
            (Tensor::full(&self.device, 0.0, &[len]), 0)
        });
        let value = ops::slice(&block, taken..taken + values.len()).reshape(shape);
        value.set(values);
        self.block = Some((block, taken + len));
        Parameter::new(value, layout)
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
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
