//! State by name, in PyTorch's layouts, and an optimiser that goes on where it stopped.

#[path = "../../tensor/tests/common/mod.rs"]
mod common;

use std::sync::atomic::{AtomicBool, Ordering};

use autograd::Var;
use common::{device, random};
use nn::checkpoint::{Array, Data, StateDict};
use nn::{
    Adam, AdamOptions, Conv2d, DepthwiseConv2d, LayerNorm, Linear, Module, ParameterStore, State,
    join, l1_loss, load_state_dict, parameters, state_dict,
};
use tensor::Tensor;

/// One of each kind of state.
struct Net {
    conv: Conv2d,
    depthwise: DepthwiseConv2d,
    point: Linear,
    norm: LayerNorm,
    means: Tensor,
    started: AtomicBool,
}

impl Net {
    fn new(seed: u64) -> Net {
        let store = &mut ParameterStore::new(&device(), seed);
        Net {
            conv: Conv2d::new(store, 2, 3),
            depthwise: DepthwiseConv2d::new(store, 3),
            point: Linear::conv1x1(store, 3, 4),
            norm: LayerNorm::new(store, 4),
            means: random(seed, &[5, 4]),
            started: AtomicBool::new(seed.is_multiple_of(2)),
        }
    }

    /// [B, H, W, 2] → [B, H, W, 4]
    fn forward(&self, x: &Var) -> Var {
        let x = self.depthwise.forward(&self.conv.forward(x));
        self.norm.forward(&self.point.forward(&x))
    }
}

impl Module for Net {
    fn visit(&self, name: &str, visitor: &mut dyn FnMut(String, State)) {
        self.conv.visit(&join(name, "conv"), visitor);
        self.depthwise.visit(&join(name, "depthwise"), visitor);
        self.point.visit(&join(name, "point"), visitor);
        self.norm.visit(&join(name, "norm"), visitor);
        visitor(join(name, "means"), State::Buffer(&self.means));
        visitor(join(name, "started"), State::Flag(&self.started));
    }
}

fn values(array: &Array) -> &[f32] {
    match &array.data {
        Data::F32(values) => values,
        other => panic!("{other:?} is not f32"),
    }
}

#[test]
fn every_layout_is_pytorchs() {
    let net = Net::new(1);
    let dict = state_dict(&net).unwrap();
    let shape = |name: &str| dict.arrays[name].shape.as_slice();
    assert_eq!(shape("conv.weight"), [3, 2, 3, 3]);
    assert_eq!(shape("conv.bias"), [3]);
    assert_eq!(shape("depthwise.weight"), [3, 1, 5, 5]);
    assert_eq!(shape("point.weight"), [4, 3, 1, 1]);
    assert_eq!(shape("norm.weight"), [4]);
    assert_eq!(shape("means"), [5, 4]);
    assert_eq!(dict.arrays["started"], flag(false));
    assert_eq!(
        dict.arrays.len(),
        9,
        "and nothing else: {:?}",
        dict.arrays.keys()
    );

    let file = values(&dict.arrays["conv.weight"]); // [o, i, tap]
    for (at, ours) in net
        .conv
        .weight
        .value()
        .to_vec()
        .unwrap()
        .into_iter()
        .enumerate()
    {
        let (tap, i, o) = (at / 6, at / 3 % 2, at % 3); // [tap, i, o]
        assert_eq!(
            file[(o * 2 + i) * 9 + tap],
            ours,
            "tap {tap}, channels {i} → {o}"
        );
    }
    let file = values(&dict.arrays["depthwise.weight"]); // [c, tap]
    for (at, ours) in net
        .depthwise
        .weight
        .value()
        .to_vec()
        .unwrap()
        .into_iter()
        .enumerate()
    {
        assert_eq!(file[at % 3 * 25 + at / 3], ours);
    }
    assert_eq!(
        values(&dict.arrays["point.weight"]),
        net.point.weight.value().to_vec().unwrap()
    );
}

#[test]
fn loaded_state_is_the_saved_one_and_computes_the_same() {
    let (a, b) = (Net::new(1), Net::new(2));
    let x = Var::constant(random(3, &[1, 5, 7, 2]));
    assert_ne!(
        a.forward(&x).value().to_vec().unwrap(),
        b.forward(&x).value().to_vec().unwrap()
    );
    let saved = state_dict(&a).unwrap();
    load_state_dict(&b, &saved, |_| true).unwrap();
    assert_eq!(state_dict(&b).unwrap(), saved);
    assert_eq!(
        a.forward(&x).value().to_vec().unwrap(),
        b.forward(&x).value().to_vec().unwrap()
    );
}

#[test]
fn only_wanted_names_are_loaded() {
    let (a, b) = (Net::new(1), Net::new(2));
    let (theirs, before) = (state_dict(&a).unwrap(), state_dict(&b).unwrap());
    let wanted = |name: &str| !name.starts_with("conv.");
    // What is not wanted may be missing, or of any shape.
    let mut dict = theirs.clone();
    dict.arrays.remove("conv.bias");
    dict.arrays.insert("conv.weight".to_owned(), flag(true));
    load_state_dict(&b, &dict, wanted).unwrap();
    for (name, array) in state_dict(&b).unwrap().arrays {
        let source = if wanted(&name) { &theirs } else { &before };
        assert_eq!(array, source.arrays[&name], "{name}");
    }
}

fn flag(value: bool) -> Array {
    let data = Data::Bool(vec![value]);
    Array {
        shape: vec![],
        data,
    }
}

#[test]
fn a_flag_may_be_a_bool_or_a_whole_number() {
    let net = Net::new(1);
    let mut dict = state_dict(&net).unwrap();
    for value in [1, 0] {
        let data = Data::I64(vec![value]);
        dict.arrays.insert(
            "started".to_owned(),
            Array {
                shape: vec![],
                data,
            },
        );
        load_state_dict(&net, &dict, |_| true).unwrap();
        assert_eq!(net.started.load(Ordering::Relaxed), value == 1);
    }
}

/// Loads into a net what `change` made of another's state: the error's text, after a check that
/// nothing was taken up.
#[track_caller]
fn refused(change: impl Fn(&mut StateDict)) -> String {
    let net = Net::new(2);
    let before = state_dict(&net).unwrap();
    let mut dict = state_dict(&Net::new(1)).unwrap();
    change(&mut dict);
    let error = load_state_dict(&net, &dict, |_| true).unwrap_err();
    assert_eq!(
        state_dict(&net).unwrap(),
        before,
        "a refused state changes nothing"
    );
    error.to_string()
}

#[test]
fn state_that_does_not_fit_is_refused_whole_and_the_key_named() {
    let text = refused(|d| drop(d.arrays.remove("norm.bias")));
    assert!(
        text.ends_with("fit this network: `norm.bias` is missing"),
        "{text}"
    );
    let text = refused(|d| drop(d.arrays.insert("extra".to_owned(), flag(true))));
    assert!(text.ends_with("`extra` is not part of it"), "{text}");
    let text = refused(|d| {
        let shape = vec![3, 3, 2, 3]; // ours, not PyTorch's
        let data = Data::F32(vec![0.0; 54]);
        d.arrays
            .insert("conv.weight".to_owned(), Array { shape, data });
    });
    let shapes = "`conv.weight` has shape [3, 3, 2, 3], not [3, 2, 3, 3]";
    assert!(text.ends_with(shapes), "{text}");
    let text = refused(|d| {
        let (shape, data) = (vec![5, 4], Data::I64(vec![0; 20]));
        d.arrays.insert("means".to_owned(), Array { shape, data });
    });
    assert!(
        text.ends_with("`means` holds another kind of number"),
        "{text}"
    );
    let text = refused(|d| d.arrays.retain(|name, _| !name.starts_with("norm.")));
    assert!(
        text.contains("`norm.") && text.ends_with("(and 1 more such)"),
        "{text}"
    );
}

const OPTIONS: AdamOptions = AdamOptions {
    lr: 1e-2,
    betas: (0.9, 0.99),
    eps: 1e-8,
    weight_decay: 1e-3,
    decoupled: false,
};

fn train(net: &Net, adam: &mut Adam, steps: std::ops::Range<u64>) {
    for seed in steps {
        let x = Var::constant(random(seed, &[1, 5, 7, 2]));
        let target = Var::constant(random(seed + 100, &[1, 5, 7, 4]));
        l1_loss(&net.forward(&x), &target).backward();
        adam.step();
    }
}

#[test]
fn adam_goes_on_bit_for_bit_from_its_saved_state() {
    let net = Net::new(1);
    let mut adam = Adam::new(parameters(&net), OPTIONS);
    train(&net, &mut adam, 0..3);
    let (weights, moments) = (state_dict(&net).unwrap(), adam.state_dict().unwrap());
    train(&net, &mut adam, 3..6);

    let other = Net::new(2);
    let mut resumed = Adam::new(parameters(&other), OPTIONS);
    load_state_dict(&other, &weights, |_| true).unwrap();
    resumed.load_state_dict(&moments).unwrap();
    assert_eq!(resumed.steps(), 3);
    train(&other, &mut resumed, 3..6);
    assert_eq!(resumed.steps(), 6);
    assert_eq!(state_dict(&other).unwrap(), state_dict(&net).unwrap());
    assert_eq!(resumed.state_dict().unwrap(), adam.state_dict().unwrap());
    assert_ne!(state_dict(&net).unwrap(), weights, "the steps do something");
}

#[test]
fn adam_refuses_a_state_that_does_not_fit_and_keeps_its_own() {
    let net = Net::new(1);
    let mut adam = Adam::new(parameters(&net), OPTIONS);
    train(&net, &mut adam, 0..2);
    let sound = adam.state_dict().unwrap();
    let mut fresh = Adam::new(parameters(&net), OPTIONS);
    let before = fresh.state_dict().unwrap();
    let mut refused = |change: &dyn Fn(&mut StateDict)| {
        let mut state = sound.clone();
        change(&mut state);
        let text = fresh.load_state_dict(&state).unwrap_err().to_string();
        assert_eq!(
            fresh.state_dict().unwrap(),
            before,
            "a refused state changes nothing"
        );
        text
    };
    let text = refused(&|s| drop(s.metadata.remove("step")));
    assert!(text.contains("`step` is missing"), "{text}");
    let text = refused(&|s| drop(s.arrays.remove("v.norm.weight")));
    assert!(text.contains("`v.norm.weight` is missing"), "{text}");
    let text = refused(&|s| drop(s.arrays.insert("m.conv.bias".to_owned(), flag(true))));
    assert!(text.contains("`m.conv.bias` is [], not [3]"), "{text}");
}

#[test]
fn adam_leaves_parameters_without_a_gradient_alone_and_forgets_used_gradients() {
    let net = Net::new(1);
    let mut adam = Adam::new(parameters(&net), OPTIONS);
    let before = state_dict(&net).unwrap();
    let x = Var::constant(random(1, &[1, 5, 7, 2]));
    let y = net.conv.forward(&x); // the other layers have no part
    l1_loss(&y, &Var::constant(random(2, y.shape()))).backward();
    adam.step();
    for (name, array) in state_dict(&net).unwrap().arrays {
        let changed = array != before.arrays[&name];
        assert_eq!(changed, name.starts_with("conv."), "{name}");
    }
    assert!(parameters(&net).iter().all(|(_, p)| p.grad().is_none()));
}

#[test]
fn adams_first_step_has_the_size_of_the_learning_rate() {
    let net = Net::new(1);
    let options = AdamOptions {
        weight_decay: 0.0,
        ..OPTIONS
    };
    let mut adam = Adam::new(parameters(&net), options);
    adam.set_lr(1e-3);
    let before = net.point.weight.value().to_vec().unwrap();
    train(&net, &mut adam, 0..1);
    let after = net.point.weight.value().to_vec().unwrap();
    let sizes = before.iter().zip(after).map(|(b, a)| (a - b).abs());
    assert!(sizes.into_iter().all(|s| (s - 1e-3).abs() < 1e-5));
}
