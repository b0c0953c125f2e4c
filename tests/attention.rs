//! Attention three ways: by its definition, by the library's kernels, and by PyTorch's numbers.
//!
//! The definition and the online form are those of `examples/08_online_softmax.rs`, whose gradients are made
//! from the log-sum-exp; the numbers are made by `tests/attention_torch.py`.

use std::collections::BTreeMap;

use tensor::ops::{self, AttentionLists, RowLists};
use tensor::{Device, Kernels, Overrides, Tensor};

#[path = "../examples/08_online_softmax.rs"]
#[allow(dead_code)]
mod example;

use example::{Row, backward, online, plain};

/// PyTorch's numbers by name; those of lse as one row.
fn numbers() -> BTreeMap<String, Vec<Row>> {
    let json = include_str!("attention_torch.json");
    let all: BTreeMap<String, serde_json::Value> = serde_json::from_str(json).expect("numbers");
    let rows = |value: serde_json::Value| match value[0].is_number() {
        true => vec![serde_json::from_value(value).expect("a row")],
        false => serde_json::from_value(value).expect("rows"),
    };
    all.into_iter()
        .map(|(name, value)| (name, rows(value)))
        .collect()
}

#[track_caller]
fn near(what: &str, found: &[f32], torch: &[Row]) {
    let torch = torch.concat();
    assert_eq!(found.len(), torch.len(), "{what}");
    for (i, (f, t)) in found.iter().zip(&torch).enumerate() {
        assert!(
            (f - t).abs() < 2e-6 * t.abs().max(1.0),
            "{what}[{i}]: {f}, by PyTorch {t}"
        );
    }
}

#[test]
fn the_definition_and_the_online_form_give_pytorchs_numbers() {
    let torch = numbers();
    let [q, k, v, dy] = ["q", "k", "v", "dy"].map(|name| &torch[name]);
    let by_definition: Vec<f32> = q.iter().flat_map(|q| plain(q, k, v)).collect();
    near("y", &by_definition, &torch["y"]);
    let (y, lse): (Vec<Row>, Row) = q.iter().map(|q| online(q, k, v)).unzip();
    near("y, online", &y.concat(), &torch["y"]);
    near("lse", &lse, &torch["lse"]);
    let gradients = backward([q, k, v], &y, &lse, dy);
    for (name, gradient) in ["dq", "dk", "dv"].into_iter().zip(gradients) {
        near(name, &gradient.concat(), &torch[name]);
    }
}

#[test]
fn plain_and_tuned_kernels_give_pytorchs_numbers() {
    for kernels in [Kernels::Plain, Kernels::Tuned] {
        let chosen = Overrides {
            kernels: Some(kernels),
            ..Default::default()
        };
        let device = Device::open_with(None, chosen).expect("tests need an adapter");
        let torch = numbers();
        let tensor = |name: &str| {
            let rows = &torch[name];
            Tensor::new(&device, &rows.concat(), &[1, rows.len(), rows[0].len()])
        };
        let [q, k, v, dy] = ["q", "k", "v", "dy"].map(tensor);
        let all = |rows: usize| RowLists::new(&device, &Vec::from_iter(0..rows as u32), 1, rows);
        let lists = AttentionLists {
            queries: all(torch["q"].len()),
            keys: all(torch["k"].len()),
        };
        let (y, lse) = ops::attention(&q, &k, &v, &lists, 1);
        let gradients = ops::attention_backward([&q, &k, &v], (&y, &lse), &dy, &lists, 1);
        let names = ["y", "lse", "dq", "dk", "dv"];
        for (name, tensor) in names.into_iter().zip([y, lse].into_iter().chain(gradients)) {
            near(name, &tensor.to_vec().expect("read-back"), &torch[name]);
        }
        assert_eq!(device.stats().replaced, 0, "a kernel is replaced");
    }
}
