//! What tests of gradients share: an op in the middle of a graph, against central differences.
#![allow(dead_code)] // each test binary uses a part

#[path = "../../../tensor/tests/common/mod.rs"]
mod base;

use autograd::{Var, mul, no_grad, scale, sum};
pub use base::*;
use parking_lot::{Mutex, MutexGuard};
use tensor::Tensor;

/// What the inputs are multiplied by on their way into the op, so that it is not the first one.
pub const BEFORE: f32 = 0.75;
/// How far an input moves: a power of two, so that most moved inputs are exact.
const STEP: f32 = 1.0 / 64.0;
/// Largest error allowed, relative to the largest gradient of the input.
const TOLERANCE: f64 = 1e-4;
/// Elements of an input that are moved one by one, evenly spread from the first to the last.
const MOVED: usize = 24;

/// Held by every test of a binary whose tests count what the device does: all share it.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock()
}

/// A parameter of one number.
pub fn number(value: f32) -> Var {
    Var::parameter(Tensor::full(&device(), value, &[1]))
}

/// The gradient of one number.
#[track_caller]
pub fn assert_grad(of: &Var, expected: f32) {
    let grad = of.grad().expect("a gradient").item().unwrap();
    assert_eq!(grad, expected);
}

/// Numbers of either sign and a size in [0.2, 1.2): the kinks are at 0, and no step reaches them.
pub fn away_from_zero(seed: u64, shape: &[usize]) -> Tensor {
    let values: Vec<f32> = random_vec(seed, shape.iter().product())
        .iter()
        .map(|v| v + 0.2 * v.signum())
        .collect();
    Tensor::new(&device(), &values, shape)
}

/// Checks the gradients of `op` by all its `inputs`: the inputs come out of another op, and the
/// output times random coefficients is summed up. Every element of a small input is moved, some of
/// a large one, and all of them at once along a random direction.
#[track_caller]
pub fn check(name: &str, inputs: &[Tensor], op: impl Fn(&[Var]) -> Var) {
    let forward = |leaves: &[Var]| {
        let inputs: Vec<Var> = leaves.iter().map(|x| scale(x, BEFORE)).collect();
        op(&inputs)
    };
    let leaves: Vec<Var> = inputs.iter().cloned().map(Var::parameter).collect();
    let y = forward(&leaves);
    let coefficients = random(99, y.shape());
    sum(&mul(&y, &Var::constant(coefficients.clone()))).backward();

    // Summed in f64, as the rounding of an f32 sum would drown the differences.
    let coefficients = host(&coefficients);
    let loss = |leaves: &[Var]| -> f64 {
        let y = host(no_grad(|| forward(leaves)).value());
        y.iter().zip(&coefficients).map(|(y, c)| y * c).sum()
    };
    for (i, input) in inputs.iter().enumerate() {
        let gradient = leaves[i].grad();
        let gradient = host(&gradient.unwrap_or_else(|| panic!("{name}: input {i} got none")));
        let start = input.to_vec().expect("read-back");
        let slope = |direction: &[f32]| {
            let at = |steps: f32| {
                let to = |(x, d): (&f32, &f32)| x + steps * STEP * d;
                let moved: Vec<f32> = start.iter().zip(direction).map(to).collect();
                let mut leaves: Vec<Var> = inputs.iter().cloned().map(Var::constant).collect();
                leaves[i] = Var::constant(Tensor::new(&device(), &moved, input.shape()));
                loss(&leaves)
            };
            // Four points, so that the error falls with the fourth power of the step.
            (8.0 * (at(1.0) - at(-1.0)) - (at(2.0) - at(-2.0))) / (12.0 * f64::from(STEP))
        };
        let largest = gradient.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
        let (len, moved) = (start.len(), start.len().min(MOVED));
        for element in (0..moved).map(|k| k * (len - 1) / (moved - 1).max(1)) {
            let mut direction = vec![0.0; len];
            direction[element] = 1.0;
            let (expected, got) = (slope(&direction), gradient[element]);
            assert!(
                (expected - got).abs() <= TOLERANCE * largest,
                "{name}: input {i} [{element}]: gradient {got}, difference {expected}"
            );
        }
        let direction: Vec<f32> = random_vec(98, len).iter().map(|v| v.signum()).collect();
        let along = |(g, d): (&f64, &f32)| g * f64::from(*d);
        let got: f64 = gradient.iter().zip(&direction).map(along).sum();
        let length = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        let expected = slope(&direction);
        assert!(
            (expected - got).abs() <= TOLERANCE * length,
            "{name}: input {i}, all elements at once: gradient {got}, difference {expected}"
        );
    }
}
