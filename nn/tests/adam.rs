//! Parameters that lie side by side are updated at once. A test binary of its own: the device counts
//! the dispatches of all tests.

#[path = "../../tensor/tests/common/mod.rs"]
mod common;

use autograd::Var;
use common::{device, random};
use nn::{
    Adam, AdamOptions, Conv2d, DepthwiseConv2d, LayerNorm, Linear, Module, Parameter,
    ParameterStore, State, join, l1_loss, parameters,
};
use tensor::{Stats, Tensor};

/// One of each layer, and one that has no part.
struct Net {
    conv: Conv2d,
    depthwise: DepthwiseConv2d,
    norm: LayerNorm,
    unused: Linear,
    linear: Linear,
}

impl Net {
    fn new() -> Net {
        let store = &mut ParameterStore::new(&device(), 1);
        Net {
            conv: Conv2d::new(store, 3, 12),
            depthwise: DepthwiseConv2d::new(store, 12),
            norm: LayerNorm::new(store, 12),
            unused: Linear::new(store, 5, 7, true),
            linear: Linear::new(store, 12, 12, true),
        }
    }

    fn forward(&self, x: &Var) -> Var {
        let x = self.depthwise.forward_gelu_add(&self.conv.forward(x));
        let x = self.norm.forward(&x);
        // Used twice: the second gradient is added.
        self.linear.forward_onto(&self.linear.forward_gelu(&x), &x)
    }
}

impl Module for Net {
    fn visit(&self, name: &str, visitor: &mut dyn FnMut(String, State)) {
        self.conv.visit(&join(name, "conv"), visitor);
        self.depthwise.visit(&join(name, "depthwise"), visitor);
        self.norm.visit(&join(name, "norm"), visitor);
        self.unused.visit(&join(name, "unused"), visitor);
        self.linear.visit(&join(name, "linear"), visitor);
    }
}

type Named = Vec<(String, Parameter)>;

/// The same values, each parameter in memory of its own.
fn apart(parameters: &Named) -> Named {
    let copy = |(name, p): &(String, Parameter)| {
        let own = Tensor::new(&device(), &p.value().to_vec().unwrap(), p.shape());
        (name.clone(), Parameter::new(own, p.layout()))
    };
    parameters.iter().map(copy).collect()
}

/// Dispatches and copies since then.
fn since(before: Stats) -> [u64; 2] {
    let after = device().stats();
    [
        after.dispatches - before.dispatches,
        after.copies - before.copies,
    ]
}

/// The dispatches and copies of each of three steps; some parameters get no gradient in the second.
fn train(parameters: &Named) -> [[u64; 2]; 3] {
    let mut adam = Adam::new(parameters.clone(), AdamOptions::default());
    [0, 1, 2].map(|step| {
        for (i, (_, p)) in parameters.iter().enumerate() {
            if step != 1 || i != 2 {
                let target = random(100 * step + i as u64, p.shape());
                l1_loss(p, &Var::constant(target)).backward();
            }
        }
        let before = device().stats();
        adam.step();
        since(before)
    })
}

/// The device counts what both tests do.
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

#[test]
fn parameters_side_by_side_take_one_dispatch_and_get_the_bits_they_would_get_alone() {
    let _alone = ALONE.lock();
    let together = parameters(&Net::new());
    let alone = apart(&together);
    let stretches = "two stretches where one is left out";
    assert_eq!(train(&together), [[1, 0], [2, 0], [1, 0]], "{stretches}");
    assert_eq!(train(&alone), [[10, 0], [9, 0], [10, 0]]);
    for ((name, a), (_, b)) in together.iter().zip(&alone) {
        let [a, b] = [a, b].map(|p| p.value().to_vec().unwrap());
        assert!(a == b, "{name}");
    }
}

#[test]
fn a_training_step_copies_nothing() {
    let _alone = ALONE.lock();
    let net = Net::new();
    let mut adam = Adam::new(parameters(&net), AdamOptions::default());
    let image = |seed, channels| Var::constant(random(seed, &[2, 13, 17, channels]));
    for seed in 0..2 {
        let before = device().stats();
        l1_loss(&net.forward(&image(seed, 3)), &image(seed + 5, 12)).backward();
        // And one more micro-batch, whose gradients are added.
        l1_loss(&net.forward(&image(seed + 1, 3)), &image(seed + 6, 12)).backward();
        assert_eq!(since(before)[1], 0, "copies on the way to the gradients");
        let before = device().stats();
        adam.step();
        assert_eq!(since(before), [2, 0], "before and behind what has no part");
        assert!(parameters(&net).iter().all(|(_, p)| p.grad().is_none()));
    }
}

#[test]
fn a_parameter_under_two_names_is_updated_once() {
    let _alone = ALONE.lock();
    let own = Parameter::new(random(1, &[7]), nn::Layout::Same);
    let named = ["a", "b"].map(|name| (name.to_owned(), own.clone()));
    let mut adam = Adam::new(named.to_vec(), AdamOptions::default());
    l1_loss(&own, &Var::constant(random(2, &[7]))).backward();
    let before = device().stats();
    adam.step();
    assert_eq!(since(before), [1, 0]);
}
