//! The linear layer.

use autograd::Var;

use crate::{Init, Layout, Module, Parameter, State, join};

/// `y = x·wᵀ + b` for every token: [.., K] → [.., N].
pub struct Linear {
    /// [N, K]
    pub weight: Parameter,
    /// `[N]`
    pub bias: Option<Parameter>,
}

impl Linear {
    /// Weights from a truncated normal of deviation 0.02, bias 0.
    pub fn new(init: &mut Init, inputs: usize, outputs: usize, bias: bool) -> Self {
        let weight = init.truncated_normal(outputs * inputs, 0.02);
        let zeros = vec![0.0; outputs];
        Linear {
            weight: init.parameter(&weight, &[outputs, inputs], Layout::Same),
            bias: bias.then(|| init.parameter(&zeros, &[outputs], Layout::Same)),
        }
    }

    /// A 1×1 convolution without bias, which is a linear layer of pixels: its weight is stored as
    /// [N, K, 1, 1], and starts uniform in ±1/√K as PyTorch's convolutions do.
    pub fn conv1x1(init: &mut Init, inputs: usize, outputs: usize) -> Self {
        let weight = init.uniform(outputs * inputs, 1.0 / (inputs as f64).sqrt());
        Linear {
            weight: init.parameter(&weight, &[outputs, inputs], Layout::Conv1x1),
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
