//! Gradients: by pencil, checked, and put to use: `cargo run --example 03_autograd`.
//!
//! Builds on 01; 00 does the same with numbers. A `Var` is a tensor that remembers how it was made.

use autograd::{Var, gelu, linear, mul, no_grad, scale, sub, sum};
use tensor::{Device, Tensor};

fn main() -> anyhow::Result<()> {
    let device = Device::open(None)?;
    by_pencil(&device)?;
    checked(&device)?;
    fit(&device)
}

/// y = (2a − b²)·a at a = 3, b = 2, an op a line:
///
/// ```text
/// p = b·b   = 4         dy/dy = 1
/// q = 2a    = 6         dy/dd = a = 3       y = d·a hands each factor the other one
/// d = q − p = 2         dy/dq = 3           d = q − p hands its gradient on, and its negative
/// y = d·a   = 6         dy/dp = −3
///                       dy/da = d + 2·dy/dq = 2 + 6 = 8     a was used twice: the two add up
///                       dy/db = 2b·dy/dp = −12              and so was b, within p
/// ```
fn by_pencil(device: &Device) -> anyhow::Result<()> {
    let a = Var::parameter(Tensor::full(device, 3.0, &[1]));
    let b = Var::parameter(Tensor::full(device, 2.0, &[1]));
    let d = sub(&scale(&a, 2.0), &mul(&b, &b)); // each op notes its inputs and its rule …
    let y = mul(&d, &a);
    y.backward(); // … and this walks the notes from the last to the first
    println!("by pencil    y = 6, dy/da = 8, dy/db = -12");
    let (y, da, db) = (y.item()?, gradient(&a)?[0], gradient(&b)?[0]);
    println!("by the tape  y = {y}, dy/da = {da}, dy/db = {db}\n");
    Ok(())
}

/// A derivative is a claim that can be tested: f(w + h) − f(w − h) is 2h·df/dw, up to h³. Here f is
/// Σ gelu(x·wᵀ), too long for a pencil. autograd/tests/ checks every rule of the crate like this.
fn checked(device: &Device) -> anyhow::Result<()> {
    let x = Tensor::new(device, &[0.5, -1.0, 2.0, 0.3, 0.8, -0.6], &[2, 3]);
    let w = [0.4, -0.2, 0.7];
    let f = |w: &[f32]| {
        let w = Var::parameter(Tensor::new(device, w, &[1, 3]));
        let y = sum(&gelu(&linear(&Var::constant(x.clone()), &w, None, None)));
        (w, y)
    };
    let (parameter, y) = f(&w);
    y.backward();
    // A large h leaves the h³; a small one leaves little but rounding, f32 having seven digits.
    let h = 1e-2;
    for (i, tape) in gradient(&parameter)?.into_iter().enumerate() {
        let at = |step: f32| {
            let mut moved = w;
            moved[i] += step;
            no_grad(|| f(&moved).1).item() // nobody will ask for this gradient: note nothing
        };
        let differences = (at(h)? - at(-h)?) / (2.0 * h);
        println!("df/dw[{i}]: {tape:9.6} by the tape, {differences:9.6} by central differences");
        anyhow::ensure!((tape - differences).abs() < 1e-3, "a rule is wrong");
    }
    Ok(())
}

/// What gradients are for: downhill, step by step, to the parabola that a few points lie on.
fn fit(device: &Device) -> anyhow::Result<()> {
    let points: Vec<f32> = (0..21).map(|i| i as f32 / 10.0 - 1.0).collect();
    let features: Vec<f32> = points.iter().flat_map(|&x| [1.0, x, x * x]).collect();
    let wanted: Vec<f32> = points.iter().map(|x| 1.0 - 2.0 * x + 3.0 * x * x).collect();
    let n = points.len();
    let x = Var::constant(Tensor::new(device, &features, &[n, 3]));
    let target = Var::constant(Tensor::new(device, &wanted, &[n, 1]));

    let rate = 0.5;
    let mut w = Var::parameter(Tensor::full(device, 0.0, &[1, 3]));
    println!("\nfitting 1 - 2x + 3x²");
    for step in 0..=100 {
        let error = sub(&linear(&x, &w, None, None), &target); // [n, 1]
        let loss = scale(&sum(&mul(&error, &error)), 1.0 / n as f32);
        if step % 20 == 0 {
            // Reading the loss is the one thing here that waits for the device.
            let (loss, w) = (loss.item()?, w.value().to_vec()?);
            let [a, b, c] = w[..] else { break };
            println!("step {step:3}: loss {loss:.6}, {a:.3} {b:+.3}x {c:+.3}x²");
        }
        loss.backward();
        let Some(gradient) = w.grad() else { break };
        // The new weights are a new leaf: how they came about is not to be differentiated.
        let moved = tensor::ops::weighted_sum(w.value(), 1.0, &gradient, -rate);
        w = Var::parameter(moved);
    }
    Ok(())
}

fn gradient(parameter: &Var) -> anyhow::Result<Vec<f32>> {
    let gradient = parameter.grad();
    let gradient = gradient.ok_or_else(|| anyhow::anyhow!("the result does not depend on it"))?;
    Ok(gradient.to_vec()?)
}
