//! Tensors that a kernel makes: of one value, or of the same numbers stored otherwise.

use crate::device::Device;
use crate::ops::{convert, fill};
use crate::tensor::Tensor;

impl Tensor {
    /// A tensor of one value.
    #[track_caller]
    pub fn full(device: &Device, value: f32, shape: &[usize]) -> Self {
        let tensor = Tensor::uninit(device, shape);
        fill(&tensor, value);
        tensor
    }

    /// The same numbers stored as f16, rounded to the nearest: half the memory, and half of what an op has
    /// to load and store; beyond ±65504 they are infinite. Ops compute in f32 all the same. Those of a
    /// forward pass take such tensors, and give such for them; sums for the weights' gradients do not.
    ///
    /// # Panics
    /// If the adapter has no f16: [`Device::has_half`].
    #[track_caller]
    pub fn to_half(&self) -> Self {
        assert!(
            self.device().has_half(),
            "to_half: {} has no f16",
            self.device().name()
        );
        self.stored(true)
    }

    /// The same numbers stored as f32; free if they are.
    pub fn to_float(&self) -> Self {
        self.stored(false)
    }

    fn stored(&self, half: bool) -> Self {
        if self.is_half() == half {
            return self.clone();
        }
        let y = Tensor::alloc(self.device(), self.shape(), half);
        convert(self, &y);
        y
    }
}
