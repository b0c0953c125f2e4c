//! The memory of parameters: values in one row of numbers, gradients in another just like it.

use std::sync::Arc;

use tensor::{Device, Tensor};

use crate::block::{Block, Position};
use crate::rng::SplitMix64;
use crate::{Layout, Parameter};

/// Elements of a block, unless the adapter binds less: CATANet has half as many.
const BLOCK: usize = 1 << 20;
/// What every layer is made with: a device, a small seeded generator for first values, and memory in
/// which a network's parameters lie side by side, and their gradients too. So a weight's gradient
/// is written to where the optimiser reads it, and the optimiser updates all of them at once.
pub struct ParameterStore {
    device: Device,
    rng: SplitMix64,
    block: Option<(Arc<Block>, Position)>, // and where the next parameter goes
}

impl ParameterStore {
    /// Memory on this device, and the stream of this seed.
    pub fn new(device: &Device, seed: u64) -> ParameterStore {
        ParameterStore {
            device: device.clone(),
            rng: SplitMix64::new(seed),
            block: None,
        }
    }

    /// Where the parameters live.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// A parameter of one value.
    pub(crate) fn full(&mut self, value: f32, shape: &[usize], layout: Layout) -> Parameter {
        self.parameter(shape, layout, |_| value)
    }

    /// A parameter uniform in ±`bound`.
    pub(crate) fn uniform(&mut self, bound: f64, shape: &[usize], layout: Layout) -> Parameter {
        self.parameter(shape, layout, |rng| {
            ((2.0 * rng.unit() - 1.0) * bound) as f32
        })
    }

    /// A parameter of a normal distribution, mean 0, cut off at ±2 (absolute, as PyTorch's
    /// `trunc_normal_` does by default): Box & Muller's method, drawn again where cut.
    pub(crate) fn normal(&mut self, std: f64, shape: &[usize], layout: Layout) -> Parameter {
        self.parameter(shape, layout, |rng| {
            loop {
                let radius = (-2.0 * (1.0 - rng.unit()).ln()).sqrt();
                let value = std * radius * (std::f64::consts::TAU * rng.unit()).cos();
                if value.abs() <= 2.0 {
                    return value as f32;
                }
            }
        })
    }

    fn parameter(
        &mut self,
        shape: &[usize],
        layout: Layout,
        mut draw: impl FnMut(&mut SplitMix64) -> f32,
    ) -> Parameter {
        let len = shape.iter().product();
        let values: Vec<f32> = (0..len).map(|_| draw(&mut self.rng)).collect();
        let (block, position) = self.room(len);
        let parameter = Parameter::in_block(block, position, shape, layout);
        parameter.value().set(&values);
        parameter
    }

    /// The next `len` numbers: of the last block, or a new one if they are more than is left.
    fn room(&mut self, len: usize) -> (Arc<Block>, Position) {
        let next = self
            .block
            .take()
            .map(|(block, last)| (block, last.next(len)));
        let fits = |(block, at): &(Arc<Block>, Position)| at.range.end <= block.values.len();
        let (block, position) = next.filter(fits).unwrap_or_else(|| {
            let most = self.device.max_tensor_bytes() as usize / 4;
            let size = [BLOCK.min(most).max(len)];
            let values = Tensor::full(&self.device, 0.0, &size);
            let range = 0..len;
            (Arc::new(Block::new(values)), Position { index: 0, range })
        });
        self.block = Some((block.clone(), position.clone()));
        (block, position)
    }
}
