//! What training does to whole rows of parameters: clipping, averages, gradients shared by processes. A
//! test binary of its own: the device counts the dispatches of all tests.

#[path = "../../tensor/tests/common/mod.rs"]
mod common;

use std::sync::{Mutex, MutexGuard, PoisonError};

use autograd::{Var, mul, sum};
use common::{assert_close, device, host, random, random_vec};
use nn::checkpoint::{Data, StateDict};
use nn::{
    Adam, AdamOptions, Ema, Layout, Linear, Module, NotFinite, Parameter, ParameterStore, State,
    join, not_finite, parameters,
};
use tensor::Tensor;

/// Layers side by side, one in the middle that has no part, and a parameter in memory of its own.
struct Net {
    first: Linear,
    unused: Linear,
    last: Linear,
    own: Parameter,
    means: Tensor,
}

impl Net {
    fn new() -> Net {
        let store = &mut ParameterStore::new(&device(), 1);
        Net {
            first: Linear::new(store, 3, 5, true),
            unused: Linear::new(store, 5, 7, true),
            last: Linear::new(store, 40, 11, true),
            own: Parameter::new(random(2, &[70]), Layout::Same),
            means: random(3, &[4]),
        }
    }

    /// Gives every parameter that has a part a random gradient.
    fn backward(&self, seed: u64) {
        for (i, (name, p)) in parameters(self).iter().enumerate() {
            if !name.starts_with("unused") {
                let gradient = random(100 * seed + i as u64, p.shape());
                sum(&mul(p, &Var::constant(gradient))).backward();
            }
        }
    }

    fn values(&self) -> Vec<Vec<f32>> {
        let all = parameters(self);
        all.iter()
            .map(|(_, p)| p.value().to_vec().unwrap())
            .collect()
    }

    fn gradients(&self) -> Vec<Option<Vec<f32>>> {
        let all = parameters(self);
        let gradient = |p: &Parameter| p.grad().map(|g| g.to_vec().unwrap());
        all.iter().map(|(_, p)| gradient(p)).collect()
    }
}

impl Module for Net {
    fn visit(&self, name: &str, visitor: &mut dyn FnMut(String, State)) {
        self.first.visit(&join(name, "first"), visitor);
        self.unused.visit(&join(name, "unused"), visitor);
        self.last.visit(&join(name, "last"), visitor);
        visitor(join(name, "own"), State::Parameter(&self.own));
        visitor(join(name, "means"), State::Buffer(&self.means));
    }
}

/// Held by every test: the device counts what all of them do.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Dispatches, copies and read-backs of `f`.
fn counted(f: impl FnOnce()) -> [u64; 3] {
    let before = device().stats();
    f();
    let after = device().stats();
    [
        after.dispatches - before.dispatches,
        after.copies - before.copies,
        after.read_backs - before.read_backs,
    ]
}

fn adam(net: &Net) -> Adam {
    Adam::new(parameters(net), AdamOptions::default())
}

#[test]
fn clipping_shortens_all_gradients_by_one_factor_without_reading_back() {
    let _alone = alone();
    let net = Net::new();
    let mut adam = adam(&net);
    // What has no part may have had a gradient before, which must not count.
    sum(&net.unused.weight).backward();
    adam.step();
    net.backward(1);
    let before = net.gradients();
    let squares = before.iter().flatten().flatten();
    let norm = squares.map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();

    adam.clip(1.01 * norm);
    assert_eq!(net.gradients(), before, "a bound above the norm");

    let max_norm = 0.3 * norm;
    let [_, copies, read_backs] = counted(|| adam.clip(max_norm));
    assert_eq!([copies, read_backs], [0, 0]);
    let factor = max_norm / (norm + 1e-6);
    for ((name, p), before) in parameters(&net).iter().zip(&before) {
        assert_eq!(p.grad().is_some(), before.is_some(), "{name}");
        if let (Some(after), Some(before)) = (p.grad(), before) {
            let expected: Vec<f64> = before.iter().map(|&g| factor * f64::from(g)).collect();
            assert_close(name, &after, &expected, 1e-6);
        }
    }

    // The same bits in another run.
    let clipped = net.gradients();
    let again = Net::new();
    again.backward(1);
    self::adam(&again).clip(max_norm);
    assert!(again.gradients() == clipped);
}

#[test]
fn nothing_is_clipped_where_there_is_no_gradient() {
    let _alone = alone();
    let net = Net::new();
    let adam = adam(&net);
    assert_eq!(counted(|| adam.clip(1.0)), [0, 0, 0]);
}

#[test]
fn averaged_gradients_take_two_networks_to_the_same_weights() {
    let _alone = alone();
    let nets = [Net::new(), Net::new()];
    let mut adams = [adam(&nets[0]), adam(&nets[1])];
    let before = nets[0].values();
    // The unused layer's memory is not 0: it had a gradient once, in one of them.
    for (net, adam) in nets.iter().zip(&mut adams) {
        sum(&net.unused.weight).backward();
        adam.step();
    }
    let started = nets[0].values();
    nets[0].backward(1);
    nets[1].backward(2);
    let gradients = [nets[0].gradients(), nets[1].gradients()];

    let read = |adam: &Adam| Tensor::to_vecs(&adam.gradient_rows().iter().collect::<Vec<_>>());
    let [mut mean, other] = [&adams[0], &adams[1]].map(|adam| read(adam).unwrap());
    for (a, b) in mean.iter_mut().flatten().zip(other.iter().flatten()) {
        *a = 0.5 * (*a + b);
    }
    for adam in &adams {
        for (row, mean) in adam.gradient_rows().iter().zip(&mean) {
            row.set(mean);
        }
    }
    for (i, (name, _)) in parameters(&nets[0]).iter().enumerate() {
        let [a, b] = [&gradients[0][i], &gradients[1][i]];
        let mean = a.iter().flatten().zip(b.iter().flatten());
        let mean: Vec<f32> = mean.map(|(a, b)| 0.5 * (a + b)).collect();
        for net in &nets {
            let got = net.gradients()[i].clone();
            assert!(got.unwrap_or_default() == mean, "{name}");
        }
    }
    adams.iter_mut().for_each(Adam::step);
    let after = nets[0].values();
    assert!(after == nets[1].values());
    for (i, (name, _)) in parameters(&nets[0]).iter().enumerate() {
        let unused = name.starts_with("unused");
        assert_eq!(after[i] == started[i], unused, "{name}");
    }
    assert!(started != before);
}

#[test]
fn a_parameter_without_a_gradient_is_zero_in_the_rows() {
    let _alone = alone();
    let net = Net::new();
    let mut adam = adam(&net);
    sum(&net.unused.weight).backward();
    adam.step();
    net.backward(1);
    let rows = adam.gradient_rows();
    let sum = |rows: &[Tensor]| rows.iter().flat_map(host).map(f64::abs).sum::<f64>();
    let given = net.gradients();
    let given: f64 = given
        .iter()
        .flatten()
        .flatten()
        .map(|g| f64::from(g.abs()))
        .sum();
    assert!((sum(&rows) - given).abs() < 1e-9 * given, "nothing else");
    assert!(net.unused.weight.grad().is_none());
}

#[test]
fn an_average_follows_the_formula_in_a_dispatch_for_each_block() {
    let _alone = alone();
    let net = Net::new();
    let decay = 0.9;
    let mut ema = Ema::new(parameters(&net), decay);
    let names: Vec<String> = parameters(&net).into_iter().map(|(name, _)| name).collect();
    let wide = |values: Vec<Vec<f32>>| -> Vec<Vec<f64>> {
        let wide = |row: Vec<f32>| row.into_iter().map(f64::from).collect();
        values.into_iter().map(wide).collect()
    };
    let mut expected = wide(net.values());
    for step in 0..5 {
        for (i, (_, p)) in parameters(&net).iter().enumerate() {
            p.value().set(&random_vec(10 * step + i as u64, p.len()));
        }
        assert_eq!(counted(|| ema.update()), [2, 0, 0], "two blocks");
        for (e, w) in expected
            .iter_mut()
            .flatten()
            .zip(wide(net.values()).iter().flatten())
        {
            *e = decay * *e + (1.0 - decay) * w;
        }
    }
    let trained = net.values();
    let means = net.means.to_vec().unwrap();
    assert_eq!(counted(|| ema.swap()), [2, 0, 0]);
    for ((name, p), expected) in parameters(&net).iter().zip(&expected) {
        assert_close(name, p.value(), expected, 1e-6);
    }
    let averaged = net.values();
    ema.swap();
    assert!(net.values() == trained && net.means.to_vec().unwrap() == means);

    let state = ema.state_dict().unwrap();
    assert_eq!(state.arrays.len(), names.len());
    for (name, averaged) in names.iter().zip(&averaged) {
        assert!(state.arrays[&format!("ema.{name}")].data == Data::F32(averaged.clone()));
    }
}

#[test]
fn an_average_goes_on_bit_for_bit_from_its_saved_state() {
    let _alone = alone();
    let [a, b] = [Net::new(), Net::new()];
    let emas = [Ema::new(parameters(&a), 0.9), Ema::new(parameters(&b), 0.9)];
    let [ema, mut resumed] = emas;
    a.own.value().set(&random_vec(9, 70));
    ema.update();
    let mut state = ema.state_dict().unwrap();
    let other = state.arrays["ema.own"].clone();
    state.arrays.insert("m.own".to_owned(), other); // what else is in the file
    resumed.load_state_dict(&state).unwrap();
    b.own.value().set(&random_vec(9, 70));
    ema.update();
    resumed.update();
    let saved = resumed.state_dict().unwrap();
    assert_eq!(saved, ema.state_dict().unwrap());

    let mut refused = |change: &dyn Fn(&mut StateDict)| {
        let mut wrong = state.clone();
        change(&mut wrong);
        let text = resumed.load_state_dict(&wrong).unwrap_err().to_string();
        assert_eq!(resumed.state_dict().unwrap(), saved, "nothing changed");
        text
    };
    let text = refused(&|s| drop(s.arrays.remove("ema.last.bias")));
    assert!(text.contains("`ema.last.bias` is missing"), "{text}");
    let text = refused(&|s| {
        let own = s.arrays["ema.own"].clone();
        s.arrays.insert("ema.last.bias".to_owned(), own);
    });
    assert!(text.contains("`ema.last.bias` is [70], not [11]"), "{text}");
}

#[test]
#[should_panic(expected = "Ema::update: the averages are swapped in")]
fn averages_that_are_swapped_in_are_not_updated() {
    let _alone = alone();
    let mut ema = Ema::new(parameters(&Net::new()), 0.9);
    ema.swap();
    ema.update();
}

#[test]
fn the_first_number_that_is_not_finite_is_found_and_named() {
    let _alone = alone();
    let net = Net::new();
    net.backward(1);
    let found = || not_finite(&net).unwrap();
    let mut first = None;
    let [_, _, read_backs] = counted(|| first = found());
    assert_eq!(read_backs, 1);
    assert_eq!(first, None);
    // From the last to the first: each comes before what was spoilt already.
    let spoilt = |name: &str, gradient| {
        let name = name.to_owned();
        Some(NotFinite { name, gradient })
    };
    net.means.set(&[0.0, f32::NEG_INFINITY, 0.0, 0.0]);
    assert_eq!(found(), spoilt("means", false));
    let gradient = net.last.weight.grad().unwrap();
    let mut numbers = gradient.to_vec().unwrap();
    numbers[439] = f32::NAN;
    gradient.set(&numbers);
    assert_eq!(found(), spoilt("last.weight", true));
    assert_eq!(
        found().unwrap().to_string(),
        "the gradient of `last.weight`"
    );
    net.last.weight.value().set(&vec![f32::INFINITY; 440]);
    assert_eq!(found(), spoilt("last.weight", false));
    assert_eq!(found().unwrap().to_string(), "the value of `last.weight`");
}
