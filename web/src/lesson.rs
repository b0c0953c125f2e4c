//! A small network that learns one picture by heart: from a pixel's place to its colour.
//!
//! It is that of `examples/04_layers.rs`, in colour. Nothing here knows of browsers: `tests/web.rs`
//! compares the losses in one with those of a native program.

use autograd::{Var, gelu, no_grad};
use nn::{Adam, AdamOptions, Linear, Module, ParameterStore, State, join, l1_loss, parameters};
use tensor::{Device, Tensor};

/// The picture's width and height.
pub const SIDE: usize = 64;
/// Channels of the hidden layers.
pub const HIDDEN: usize = 64;
/// Waves of a place that the network is given, each twice as fast as the one before.
const OCTAVES: i32 = 5;

struct Mlp([Linear; 3]);

impl Mlp {
    fn new(store: &mut ParameterStore, inputs: usize) -> Mlp {
        let sizes = [(inputs, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 3)];
        Mlp(sizes.map(|(from, to)| Linear::new(store, from, to, true)))
    }

    fn forward(&self, x: &Var) -> Var {
        let [first, middle, last] = &self.0;
        let x = gelu(&first.forward(x)); // [N, HIDDEN]
        let x = gelu(&middle.forward(&x)); // [N, HIDDEN]
        last.forward(&x) // [N, 3]
    }
}

impl Module for Mlp {
    fn visit(&self, name: &str, visitor: &mut dyn FnMut(String, State)) {
        for (i, layer) in self.0.iter().enumerate() {
            layer.visit(&join(name, &i.to_string()), visitor);
        }
    }
}

/// A training that is under way.
pub struct Lesson {
    net: Mlp,
    adam: Adam,
    places: Var,  // [N, inputs]
    colours: Var, // [N, 3]
}

impl Lesson {
    /// An untrained network and the picture `[SIDE, SIDE, 3]` that it is to learn, values in `[0, 1]`.
    ///
    /// # Panics
    /// If the picture is not of that size.
    pub fn new(device: &Device, picture: &[f32], lr: f64) -> Lesson {
        let n = SIDE * SIDE;
        let places: Vec<f32> = (0..n).flat_map(|i| features(place(i))).collect();
        let inputs = places.len() / n;
        let net = Mlp::new(&mut ParameterStore::new(device, 1), inputs);
        let options = AdamOptions {
            lr,
            ..Default::default()
        };
        Lesson {
            adam: Adam::new(parameters(&net), options),
            places: Var::constant(Tensor::new(device, &places, &[n, inputs])),
            colours: Var::constant(Tensor::new(device, picture, &[n, 3])),
            net,
        }
    }

    /// The picture to learn where none is given, a shaded ball before slanting stripes: `[SIDE, SIDE, 3]`
    pub fn scene() -> Vec<f32> {
        (0..SIDE * SIDE).flat_map(|i| colour(place(i))).collect()
    }

    /// One step of Adam. Returns the loss before it, the mean absolute error.
    pub fn step(&mut self) -> Tensor {
        let loss = l1_loss(&self.net.forward(&self.places), &self.colours);
        loss.backward();
        self.adam.step();
        loss.value().clone() // [1]
    }

    /// Sets the learning rate of the steps to come.
    pub fn set_lr(&mut self, lr: f64) {
        self.adam.set_lr(lr);
    }

    /// What the network has learnt so far: `[SIDE·SIDE, 3]`
    pub fn picture(&self) -> Tensor {
        no_grad(|| self.net.forward(&self.places)).value().clone()
    }

    /// The weights of the middle layer: `[HIDDEN, HIDDEN]`
    pub fn weights(&self) -> Tensor {
        self.net.0[1].weight.value().clone()
    }
}

/// Where pixel `i` is: x and y from −1 to 1.
fn place(i: usize) -> [f32; 2] {
    [i % SIDE, i / SIDE].map(|c| (2 * c + 1) as f32 / SIDE as f32 - 1.0)
}

fn colour([x, y]: [f32; 2]) -> [f32; 3] {
    let [u, v] = [(x + 0.1) / 0.62, (y - 0.05) / 0.62];
    let r2 = u * u + v * v;
    if r2 < 1.0 {
        // Lit from above on the left.
        let light = (0.7 * (1.0 - r2).sqrt() - 0.4 * u - 0.5 * v).clamp(0.0, 1.0);
        return [0.25 + 0.75 * light, 0.08 + 0.6 * light, 0.1 + 0.2 * light];
    }
    let stripe = 0.5 + 0.5 * (9.0 * x - 6.0 * y).sin();
    [
        0.1 + 0.35 * stripe,
        0.3 + 0.45 * stripe,
        0.45 + 0.4 * stripe,
    ]
}

/// A place as the network sees it: x and y, and waves of them. Of x and y alone it would learn only
/// slow changes (Tancik et al. 2020).
fn features(place: [f32; 2]) -> Vec<f32> {
    let phase = |k: i32| place.map(|c| std::f32::consts::PI * c * 2f32.powi(k));
    let waves = (0..OCTAVES).flat_map(phase);
    let waves = waves.flat_map(|phase| [phase.sin(), phase.cos()]);
    place.into_iter().chain(waves).collect()
}
