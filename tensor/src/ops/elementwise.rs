//! Element by element: sums, products and activations.

use crate::Tensor;
use crate::pipeline::Kernel;
use crate::record::grid;
use crate::tensor::{Element, WG};

const SOURCE: &str = concat!(
    include_str!("../../../shaders/erf.wgsl"),
    include_str!("../../../shaders/elementwise.wgsl")
);

/// Dispatches a kernel of elementwise.wgsl, four elements to an invocation.
fn run<E: Element>(entry: &'static str, inputs: &[&Tensor<E>], y: &Tensor<E>, [sa, sb]: [f32; 2]) {
    let kernel = Kernel {
        source: SOURCE,
        entry,
        constants: &[("VEC", 4), ("WG", WG as u32)],
    };
    let fours = y.len().div_ceil(4);
    let params = [fours as u32, sa.to_bits(), sb.to_bits()];
    let inputs: Vec<_> = inputs.iter().map(|t| t.buffer()).collect();
    let groups = grid(fours.div_ceil(WG));
    y.device()
        .dispatch(&kernel, &inputs, &[y.buffer()], &params, groups);
}

#[track_caller]
fn binary(entry: &'static str, a: &Tensor, b: &Tensor, sa: f32, sb: f32) -> Tensor {
    assert_eq!(a.shape(), b.shape(), "{entry}: shapes differ");
    let y = Tensor::like(a, a.shape());
    run(entry, &[a, b], &y, [sa, sb]);
    y
}

fn unary(entry: &'static str, a: &Tensor, s: f32) -> Tensor {
    let y = Tensor::like(a, a.shape());
    run(entry, &[a], &y, [s, 0.0]);
    y
}

/// The numbers of x into y: from f32 to f16, or back.
pub(crate) fn convert<E: Element>(x: &Tensor<E>, y: &Tensor<E>) {
    run("scale", &[x], y, [1.0, 0.0]);
}

/// Makes every element of `y` this value.
pub(crate) fn fill(y: &Tensor, value: f32) {
    run("fill", &[], y, [value, 0.0]);
}

/// `sa·a + sb·b`, shapes equal.
#[track_caller]
pub fn weighted_sum(a: &Tensor, sa: f32, b: &Tensor, sb: f32) -> Tensor {
    binary("weighted_sum", a, b, sa, sb)
}

/// `a + b`, shapes equal.
#[track_caller]
pub fn add(a: &Tensor, b: &Tensor) -> Tensor {
    weighted_sum(a, 1.0, b, 1.0)
}

/// `a − b`, shapes equal.
#[track_caller]
pub fn sub(a: &Tensor, b: &Tensor) -> Tensor {
    weighted_sum(a, 1.0, b, -1.0)
}

/// `a·b` element by element, shapes equal.
#[track_caller]
pub fn mul(a: &Tensor, b: &Tensor) -> Tensor {
    binary("mul", a, b, 1.0, 1.0)
}

/// `s·a`.
pub fn scale(a: &Tensor, s: f32) -> Tensor {
    unary("scale", a, s)
}

/// The exact GELU, `x·Φ(x)` by erf (not the tanh approximation).
pub fn gelu(x: &Tensor) -> Tensor {
    unary("gelu", x, 0.0)
}

/// `dx = dy·(Φ(x) + x·φ(x))`.
#[track_caller]
pub fn gelu_backward(x: &Tensor, dy: &Tensor) -> Tensor {
    binary("gelu_backward", x, dy, 0.0, 0.0)
}

/// `x` where positive, else `slope·x`.
pub fn leaky_relu(x: &Tensor, slope: f32) -> Tensor {
    unary("leaky_relu", x, slope)
}

/// `dy` where x is positive, else `slope·dy`.
#[track_caller]
pub fn leaky_relu_backward(x: &Tensor, dy: &Tensor, slope: f32) -> Tensor {
    binary("leaky_relu_backward", x, dy, slope, 0.0)
}
