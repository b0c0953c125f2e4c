//! The linear layer.

use autograd::Var;

use crate::{Layout, Module, Parameter, ParameterStore, State, join};

/// `y = x·wᵀ + b` for every token: [.., K] → [.., N].
///
/// ```
/// use autograd::Var;
/// use nn::{Linear, ParameterStore};
/// use tensor::{Device, Tensor};
/// # fn main() -> Result<(), tensor::Error> {
/// let device = Device::open(None)?;
/// let layer = Linear::new(&mut ParameterStore::new(&device, 0), 3, 2, true);
/// layer.weight.value().set(&[1.0, 0.0, -1.0, 2.0, 2.0, 2.0]); // [2, 3]
/// layer.bias.as_ref().expect("asked for").value().set(&[10.0, 20.0]);
/// let x = Var::constant(Tensor::new(&device, &[1.0, 2.0, 3.0], &[1, 3]));
/// assert_eq!(layer.forward(&x).value().to_vec()?, [1.0 - 3.0 + 10.0, 2.0 + 4.0 + 6.0 + 20.0]);
/// # Ok(()) }
/// ```
pub struct Linear {
    /// [N, K]
    pub weight: Parameter,
    /// `[N]`
    pub bias: Option<Parameter>,
}

impl Linear {
    /// Weights from a truncated normal of deviation 0.02, bias 0.
    pub fn new(store: &mut ParameterStore, inputs: usize, outputs: usize, bias: bool) -> Self {
        Linear {
            weight: store.normal(0.02, &[outputs, inputs], Layout::Same),
            bias: bias.then(|| store.full(0.0, &[outputs], Layout::Same)),
        }
    }

    /// A 1×1 convolution without bias, which is a linear layer of pixels: its weight is stored as
    /// [N, K, 1, 1], and starts uniform in ±1/√K as PyTorch's convolutions do.
    pub fn conv1x1(store: &mut ParameterStore, inputs: usize, outputs: usize) -> Self {
        let bound = 1.0 / (inputs as f64).sqrt();
        Linear {
            weight: store.uniform(bound, &[outputs, inputs], Layout::Conv1x1),
            bias: None,
        }
    }

    /// [.., K] → [.., N]
    #[track_caller]
    pub fn forward(&self, x: &Var) -> Var {
        autograd::linear(x, &self.weight, self.bias.as_deref(), None)
    }

    /// `forward(x) + residual`, in one pass over memory.
    #[track_caller]
    pub fn forward_onto(&self, x: &Var, residual: &Var) -> Var {
        autograd::linear(x, &self.weight, self.bias.as_deref(), Some(residual))
    }

    /// `gelu(forward(x))`, in one pass over memory where no gradient is wanted.
    ///
    /// # Panics
    /// If the layer has no bias.
    #[track_caller]
    pub fn forward_gelu(&self, x: &Var) -> Var {
        let Some(bias) = &self.bias else {
            panic!("forward_gelu: this layer has no bias")
        };
        autograd::linear_gelu(x, &self.weight, bias)
    }
}

impl Module for Linear {
    fn visit(&self, name: &str, visitor: &mut dyn FnMut(String, State)) {
        visitor(join(name, "weight"), State::Parameter(&self.weight));
        if let Some(bias) = &self.bias {
            visitor(join(name, "bias"), State::Parameter(bias));
        }
    }
}
