//! Where a software driver's loads from storage buffers are dear, kernels take what fits as uniforms,
//! list after list: their results are the same to the bit.

mod common;

use std::sync::OnceLock;

use common::random_vec;
use tensor::ops::{self, Activation, AttentionLists, RowLists};
use tensor::{Device, Overrides, Tensor};

/// The adapter without windows and with them.
fn devices() -> &'static [Device; 2] {
    static DEVICES: OnceLock<[Device; 2]> = OnceLock::new();
    DEVICES.get_or_init(|| {
        [false, true].map(|windows| {
            let overrides = Overrides {
                windows: Some(windows),
                ..Default::default()
            };
            Device::open_with(None, overrides).expect("tests need an adapter")
        })
    })
}

fn random(device: &Device, seed: u64, shape: &[usize]) -> Tensor {
    Tensor::new(device, &random_vec(seed, shape.iter().product()), shape)
}

/// What `work` gives, the same with windows and without, and how many dispatches each took.
#[track_caller]
fn same(work: impl Fn(&Device) -> Vec<Tensor>) -> [u64; 2] {
    let [without, with] = devices().each_ref().map(|device| {
        let before = device.stats().dispatches;
        let results = work(device);
        let dispatches = device.stats().dispatches - before;
        let values = results.iter().map(|t| t.to_vec().expect("read-back"));
        (values.collect::<Vec<_>>(), dispatches)
    });
    assert!(without.0.iter().flatten().all(|v| v.is_finite()));
    assert!(without.0 == with.0, "windows change the result");
    [without.1, with.1]
}

/// Outputs and gradients of attention within groups that share some rows, some slots being empty.
fn attend(device: &Device, groups: usize, queries: usize, keys: usize) -> Vec<Tensor> {
    let rows = groups * keys - groups / 2;
    let list = |each: usize, empty: usize| -> Vec<u32> {
        let slot = |i: usize| match i % each < each - empty {
            true => (i * 7 % rows) as u32,
            false => RowLists::NONE,
        };
        (0..groups * each).map(slot).collect()
    };
    let lists = AttentionLists {
        queries: RowLists::new(device, &list(queries, 3), groups, rows),
        keys: RowLists::new(device, &list(keys, 0), groups, rows),
    };
    let [q, k, v] = [(1, 36), (2, 36), (3, 40)].map(|(s, c)| random(device, s, &[2, rows, c]));
    let (y, lse) = ops::attention(&q, &k, &v, &lists, 4);
    let dy = random(device, 4, y.shape());
    let gradients = ops::attention_grad([&q, &k, &v], (&y, &lse), &dy, &lists, 4);
    [&[y, lse][..], &gradients].concat()
}

#[test]
fn attention_goes_from_window_to_window() {
    // Three lists of keys to a window, or nine of queries, of 40: the last two windows overlap.
    // Software drivers alone do it.
    let [without, with] = same(|device| attend(device, 5, 72, 256));
    assert!(with > without || !devices()[1].is_software());
}

#[test]
fn attention_whose_lists_are_longer_than_a_window_or_begin_where_none_may() {
    for (groups, queries, keys) in [(2, 40, 850), (3, 900, 64), (9, 37, 131)] {
        same(|device| attend(device, groups, queries, keys));
    }
}

#[test]
fn products_take_weights_of_any_size() {
    for (k, n) in [(40, 36), (96, 40), (128, 128), (128, 132)] {
        same(|device| {
            let [x, w, dy] = [(1, [77, k]), (2, [n, k]), (3, [77, n])]
                .map(|(seed, shape)| random(device, seed, &shape));
            vec![
                ops::linear(&x, &w, None, Activation::None, None),
                ops::linear_input_grad(&dy, &w, Some(&x)),
            ]
        });
    }
}
