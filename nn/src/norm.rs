//! Layer normalisation.

use autograd::Var;

use crate::{Init, Layout, Module, Parameter, State, join};

/// Every token made mean 0, variance 1 over its channels, then `·weight + bias`. eps is 1e-5.
pub struct LayerNorm {
    /// `[C]`
    pub weight: Parameter,
    /// `[C]`
    pub bias: Parameter,
}

impl LayerNorm {
    /// Weight 1, bias 0.
    pub fn new(init: &mut Init, channels: usize) -> Self {
        let mut full = |v| init.parameter(&vec![v; channels], &[channels], Layout::Same);
        LayerNorm {
            weight: full(1.0),
            bias: full(0.0),
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
