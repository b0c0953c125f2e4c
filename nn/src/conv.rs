//! Convolutions, channels last.

use autograd::Var;

use crate::{Layout, Module, Parameter, ParameterStore, State, join};

fn visit(weight: &Parameter, bias: &Parameter, name: &str, visitor: &mut dyn FnMut(String, State)) {
    visitor(join(name, "weight"), State::Parameter(weight));
    visitor(join(name, "bias"), State::Parameter(bias));
}

/// Dense 3×3 convolution, stride 1, zero padding 1: [B, H, W, Ci] → [B, H, W, Co].
///
/// ```text
/// y[v, u, o] = b[o] + Σ over ky, kx, i of x[v + ky − 1, u + kx − 1, i] · w[ky, kx, i, o]
/// ```
///
/// ```
/// use autograd::Var;
/// use nn::{Conv2d, ParameterStore};
/// use tensor::{Device, Tensor};
/// # fn main() -> Result<(), tensor::Error> {
/// let device = Device::open(None)?;
/// let layer = Conv2d::new(&mut ParameterStore::new(&device, 0), 1, 1);
/// layer.weight.value().set(&[0., 0., 0., 1., 0., 0., 0., 0., 0.]); // what is to the left
/// layer.bias.value().set(&[10.0]);
/// let x = Var::constant(Tensor::new(&device, &[1., 2., 3., 4.], &[1, 2, 2, 1]));
/// assert_eq!(layer.forward(&x).value().to_vec()?, [10., 11., 10., 13.]);
/// # Ok(()) }
/// ```
pub struct Conv2d {
    /// [3, 3, Ci, Co]; in files [Co, Ci, 3, 3]
    pub weight: Parameter,
    /// `[Co]`
    pub bias: Parameter,
}

impl Conv2d {
    /// Weight and bias uniform in ±1/√(9·Ci).
    pub fn new(store: &mut ParameterStore, inputs: usize, outputs: usize) -> Self {
        let bound = 1.0 / (9.0 * inputs as f64).sqrt(); // PyTorch's: Kaiming with a = √5
        Conv2d {
            weight: store.uniform(bound, &[3, 3, inputs, outputs], Layout::Conv3x3),
            bias: store.uniform(bound, &[outputs], Layout::Same),
        }
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
///
/// ```text
/// y[v, u, c] = b[c] + Σ over ky, kx of x[v + ky − 2, u + kx − 2, c] · w[ky, kx, c]
/// ```
///
/// ```
/// use autograd::Var;
/// use nn::{DepthwiseConv2d, ParameterStore};
/// use tensor::{Device, Tensor};
/// # fn main() -> Result<(), tensor::Error> {
/// let device = Device::open(None)?;
/// let layer = DepthwiseConv2d::new(&mut ParameterStore::new(&device, 0), 2);
/// layer.weight.value().set(&[1.0, -1.0].repeat(25)); // the sum of a channel, minus that of the other
/// layer.bias.value().set(&[0.0, 100.0]);
/// let x = Var::constant(Tensor::new(&device, &[1., 5., 2., 6., 3., 7.], &[1, 1, 3, 2]));
/// assert_eq!(layer.forward(&x).value().to_vec()?, [6.0, 82.0].repeat(3));
/// # Ok(()) }
/// ```
pub struct DepthwiseConv2d {
    /// [5, 5, C]; in files [C, 1, 5, 5]
    pub weight: Parameter,
    /// `[C]`
    pub bias: Parameter,
}

impl DepthwiseConv2d {
    /// Weight and bias uniform in ±1/5.
    pub fn new(store: &mut ParameterStore, channels: usize) -> Self {
        DepthwiseConv2d {
            weight: store.uniform(0.2, &[5, 5, channels], Layout::Depthwise5x5),
            bias: store.uniform(0.2, &[channels], Layout::Same),
        }
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
