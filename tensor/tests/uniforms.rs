//! Where a software driver's loads from storage buffers are dear, kernels take what fits as uniforms,
//! list after list: their results are the same to the bit.

mod common;

use std::sync::{Mutex, OnceLock, PoisonError};

use common::{random_on as random, two_devices};
use tensor::ops::{self, Activation, AttentionLists, RowLists};
use tensor::{Device, Overrides, Result, Tensor};

/// The adapter without uniforms and with them.
fn devices() -> &'static [Device; 2] {
    static DEVICES: OnceLock<[Device; 2]> = OnceLock::new();
    DEVICES.get_or_init(|| {
        two_devices(|uniforms| Overrides {
            uniforms: Some(uniforms),
            ..Default::default()
        })
    })
}

/// What `work` gives is the same with uniforms and without; with them its kernels named `takes` take a
/// uniform, unless `takes` is empty. (Only a software driver whose lanes share loads has them.)
#[track_caller]
fn same(takes: &[&str], work: impl Fn(&Device) -> Vec<Tensor>) {
    static PROFILED: Mutex<()> = Mutex::new(()); // a device is, once at a time
    let _alone = PROFILED.lock().unwrap_or_else(PoisonError::into_inner);
    let [(without, _), (with, kernels)] = devices().each_ref().map(|device| {
        let read = || -> Result<Vec<f32>> {
            let values: Result<Vec<_>> = work(device).iter().map(Tensor::to_vec).collect();
            Ok(values?.concat())
        };
        let (values, profile) = device.profile(0, read).expect("the device is there");
        let names = profile.kernels.iter().map(|k| k.name.to_string());
        (values.expect("read-back"), names.collect::<Vec<_>>())
    });
    assert!(without.iter().all(|v| v.is_finite()));
    assert!(without == with, "uniforms change the result");
    let shares = |name: &String| name.contains(" LANES=") && !name.contains(" LANES=1 ");
    let has_uniforms = devices()[1].is_software() && kernels.iter().any(shares);
    for kernel in takes.iter().filter(|_| has_uniforms) {
        let uniform = |name: &String| name.contains(" UNIFORM");
        let mut of_it = kernels
            .iter()
            .filter(|k| k.split(' ').next() == Some(kernel));
        assert!(of_it.any(uniform), "{kernel} takes none: {kernels:?}");
    }
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
    let gradients = ops::attention_backward([&q, &k, &v], (&y, &lse), &dy, &lists, 4);
    [&[y, lse][..], &gradients].concat()
}

#[test]
fn attention_goes_from_piece_to_piece() {
    // Three lists of keys to a uniform, or nine of queries, of 40: the last two pieces overlap.
    let kernels = ["attention", "attention_backward_q", "attention_backward_kv"];
    same(&kernels, |device| attend(device, 5, 72, 256));
}

#[test]
fn attention_whose_lists_are_longer_than_a_uniform_or_begin_where_none_may() {
    same(&["attention_backward_kv"], |device| {
        attend(device, 2, 40, 850)
    });
    same(&["attention", "attention_backward_q"], |device| {
        attend(device, 3, 900, 64)
    });
    same(&[], |device| attend(device, 9, 37, 131));
}

#[test]
fn products_take_weights_of_any_size() {
    let linear = &["linear"][..];
    for (k, n, takes) in [
        (40, 36, linear),
        (96, 40, linear),
        (128, 128, linear),
        (128, 132, &[]),
    ] {
        same(takes, |device| {
            let [x, w, dy] = [(1, [77, k]), (2, [n, k]), (3, [77, n])]
                .map(|(seed, shape)| random(device, seed, &shape));
            vec![
                ops::linear(&x, &w, None, Activation::None, None),
                ops::linear_backward_x(&dy, &w, Some(&x)),
            ]
        });
    }
}
