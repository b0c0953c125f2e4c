//! Convolutions, channels last.

use autograd::Var;

use crate::{Init, Layout, Module, Parameter, State, join};

/// PyTorch's default start: weight and bias uniform in ±1/√fan_in (Kaiming with a = √5).
fn uniform(init: &mut Init, shape: &[usize], fan_in: usize, layout: Layout) -> Parameter {
    let values = init.uniform(shape.iter().product(), 1.0 / (fan_in as f64).sqrt());
    init.parameter(&values, shape, layout)
}

fn visit(weight: &Parameter, bias: &Parameter, name: &str, visitor: &mut dyn FnMut(String, State)) {
    visitor(join(name, "weight"), State::Parameter(weight));
    visitor(join(name, "bias"), State::Parameter(bias));
}

/// Dense 3×3 convolution, stride 1, zero padding 1: [B, H, W, Ci] → [B, H, W, Co].
pub struct Conv2d {
    /// [3, 3, Ci, Co]; in files [Co, Ci, 3, 3]
    pub weight: Parameter,
    /// `[Co]`
    pub bias: Parameter,
}

impl Conv2d {
    /// Weight and bias uniform in ±1/√(9·Ci).
    pub fn new(init: &mut Init, inputs: usize, outputs: usize) -> Self {
        let shape = [3, 3, inputs, outputs];
        let weight = uniform(init, &shape, 9 * inputs, Layout::Conv3x3);
        let bias = uniform(init, &[outputs], 9 * inputs, Layout::Same);
        Conv2d { weight, bias }
    }

    /// [B, H, W, Ci] → [B, H, W, Co]
    #[track_caller]
    pub fn forward(&self, x: &Var) -> Var {
        autograd::conv3x3(x, &self.weight, &self.bias, None)
    }

    /// `forward(x) + residual`, in one pass over memory.
    #[track_caller]
    pub fn forward_onto(&self, x: &Var, residual: &Var) -> Var {
        autograd::conv3x3(x, &self.weight, &self.bias, Some(residual))
    }

    /// `pixel_shuffle(leaky_relu(forward(x)))`, in one pass over memory where no gradient is wanted:
    /// [B, H, W, Ci] → [B, H·r, W·r, Co/r²].
    #[track_caller]
    pub fn forward_leaky_relu_shuffle(&self, x: &Var, slope: f32, r: usize) -> Var {
        autograd::conv3x3_leaky_relu_shuffle(x, &self.weight, &self.bias, slope, r)
    }
}

impl Module for Conv2d {
    fn visit(&self, name: &str, visitor: &mut dyn FnMut(String, State)) {
        visit(&self.weight, &self.bias, name, visitor);
    }
}

/// Depthwise 5×5 convolution, stride 1, zero padding 2: [B, H, W, C] → [B, H, W, C].
pub struct DepthwiseConv2d {
    /// [5, 5, C]; in files [C, 1, 5, 5]
    pub weight: Parameter,
    /// `[C]`
    pub bias: Parameter,
}

impl DepthwiseConv2d {
    /// Weight and bias uniform in ±1/5.
    pub fn new(init: &mut Init, channels: usize) -> Self {
        let weight = uniform(init, &[5, 5, channels], 25, Layout::Depthwise5x5);
        let bias = uniform(init, &[channels], 25, Layout::Same);
        DepthwiseConv2d { weight, bias }
    }

    /// [B, H, W, C] → [B, H, W, C]
    #[track_caller]
    pub fn forward(&self, x: &Var) -> Var {
        autograd::depthwise5x5(x, &self.weight, &self.bias)
    }

    /// `x + gelu(forward(x))`, in one pass over memory where no gradient is wanted.
    #[track_caller]
    pub fn forward_gelu_add(&self, x: &Var) -> Var {
        autograd::depthwise5x5_gelu_add(x, &self.weight, &self.bias)
    }
}

impl Module for DepthwiseConv2d {
    fn visit(&self, name: &str, visitor: &mut dyn FnMut(String, State)) {
        visit(&self.weight, &self.bias, name, visitor);
    }
}
