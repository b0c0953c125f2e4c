//! Layers and Adam: a small network learns a picture by heart: `cargo run --example 04_layers`.
//!
//! Builds on 03: what was done there by hand, layers, `Module` and `Adam` do here.

use autograd::{Var, gelu, no_grad};
use nn::{Adam, AdamOptions, Linear, Module, ParameterStore, State, join, l1_loss, parameters};
use tensor::{Device, Tensor};

const WIDTH: usize = 36;
const HEIGHT: usize = 18;

/// Three linear layers with a bend after each but the last: without, they would be no more than one.
struct Mlp {
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}

impl Mlp {
    fn new(store: &mut ParameterStore, inputs: usize, hidden: usize) -> Self {
        let mut linear = |from, to| Linear::new(store, from, to, true);
        let (fc1, fc2) = (linear(inputs, hidden), linear(hidden, hidden));
        let fc3 = linear(hidden, 1);
        Mlp { fc1, fc2, fc3 }
    }

    fn forward(&self, x: &Var) -> Var {
        let x = gelu(&self.fc1.forward(x)); // [N, hidden]
        let x = gelu(&self.fc2.forward(&x)); // [N, hidden]
        self.fc3.forward(&x) // [N, 1]
    }
}

/// What a network must say of itself: its state, by name, for the optimiser and for checkpoints.
impl Module for Mlp {
    fn visit(&self, name: &str, visitor: &mut dyn FnMut(String, State)) {
        self.fc1.visit(&join(name, "fc1"), visitor);
        self.fc2.visit(&join(name, "fc2"), visitor);
        self.fc3.visit(&join(name, "fc3"), visitor);
    }
}

/// Both coordinates of pixel `i` in units of half the width: −1 to 1 across, −1 to 0 down.
fn place(i: usize) -> [f32; 2] {
    [i % WIDTH, i / WIDTH].map(|c| 2.0 * c as f32 / WIDTH as f32 - 1.0)
}

/// What is to be learnt: a shaded ball in front of slanting stripes.
fn picture([x, y]: [f32; 2]) -> f32 {
    let height = 1.0 - ((x - 0.1).powi(2) + (y + 0.5).powi(2)) / 0.16;
    let stripes = 0.5 + 0.5 * (12.0 * x - 8.0 * y).sin();
    if height > 0.0 { height.sqrt() } else { stripes }
}

/// A place as the network sees it: x, y and waves of them, each octave twice as fast. Of x and y
/// alone it would learn only the slow changes (Tancik et al. 2020).
fn features(place: [f32; 2]) -> Vec<f32> {
    let phase = |k: i32| place.map(|c| std::f32::consts::PI * c * 2f32.powi(k));
    let waves = (0..4).flat_map(phase).flat_map(|p| [p.sin(), p.cos()]);
    place.into_iter().chain(waves).collect()
}

fn main() -> anyhow::Result<()> {
    let device = Device::open(None)?;
    let n = WIDTH * HEIGHT;
    let seen: Vec<f32> = (0..n).flat_map(|i| features(place(i))).collect();
    let wanted: Vec<f32> = (0..n).map(|i| picture(place(i))).collect();
    let inputs = seen.len() / n;
    let x = Var::constant(Tensor::new(&device, &seen, &[n, inputs]));
    let target = Var::constant(Tensor::new(&device, &wanted, &[n, 1]));

    let net = Mlp::new(&mut ParameterStore::new(&device, 1), inputs, 64);
    for (name, parameter) in parameters(&net) {
        println!("{name:10} {:?}", parameter.shape());
    }
    // Adam divides each weight's step by how large its gradients have been: no single rate would
    // suit both a weight of fc1, three layers from the loss, and the bias of fc3, next to it.
    let mut adam = Adam::new(parameters(&net), AdamOptions::default());
    adam.set_lr(5e-3);
    for step in 1..=300 {
        let loss = l1_loss(&net.forward(&x), &target); // mean |output − target|
        loss.backward();
        adam.step(); // and forgets the gradients: they would add up
        if step % 60 == 0 || step == 1 {
            println!("step {step:3}: loss {:.4}", loss.item()?);
        }
    }

    let learnt = no_grad(|| net.forward(&x)).value().to_vec()?; // [H·W]
    println!("\n{:WIDTH$}    the network's", "the picture");
    for (wanted, got) in wanted.chunks(WIDTH).zip(learnt.chunks(WIDTH)) {
        println!("{}    {}", shades(wanted), shades(got));
    }
    Ok(())
}

fn shades(row: &[f32]) -> String {
    let ink = |v: &f32| b" .:-=+*#%@"[(v * 9.99).clamp(0.0, 9.0) as usize] as char;
    row.iter().map(ink).collect()
}
