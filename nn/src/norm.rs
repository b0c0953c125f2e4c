//! Layer normalisation.

use autograd::Var;

use crate::{Layout, Module, Parameter, ParameterStore, State, join};

/// Every token made mean 0, variance 1 over its channels, then `·weight + bias`:
/// `y = (x − mean x)/√(var x + 1e-5)·w + b`, [.., C] → [.., C].
///
/// ```
/// use autograd::Var;
/// use nn::{LayerNorm, ParameterStore};
/// use tensor::{Device, Tensor};
/// # fn main() -> Result<(), tensor::Error> {
/// let device = Device::open(None)?;
/// let layer = LayerNorm::new(&mut ParameterStore::new(&device, 0), 4);
/// layer.bias.value().set(&[0.0, 0.0, 0.0, 10.0]);
/// let x = Var::constant(Tensor::new(&device, &[2.0, 2.0, 6.0, 6.0], &[1, 4])); // 4 ± 2
/// let y = layer.forward(&x).value().to_vec()?;
/// assert!(y.iter().zip([-1.0, -1.0, 1.0, 11.0]).all(|(y, e)| (y - e).abs() < 1e-5));
/// # Ok(()) }
/// ```
pub struct LayerNorm {
    /// `[C]`
    pub weight: Parameter,
    /// `[C]`
    pub bias: Parameter,
}

impl LayerNorm {
    /// Weight 1, bias 0.
    pub fn new(store: &mut ParameterStore, channels: usize) -> Self {
        LayerNorm {
            weight: store.full(1.0, &[channels], Layout::Same),
            bias: store.full(0.0, &[channels], Layout::Same),
        }
    }

    /// [.., C] → [.., C]
    #[track_caller]
    pub fn forward(&self, x: &Var) -> Var {
        autograd::layer_norm(x, &self.weight, &self.bias, 1e-5)
    }
}

impl Module for LayerNorm {
    fn visit(&self, name: &str, visitor: &mut dyn FnMut(String, State)) {
        visitor(join(name, "weight"), State::Parameter(&self.weight));
        visitor(join(name, "bias"), State::Parameter(&self.bias));
    }
}
