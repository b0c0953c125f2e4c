//! Loops with a round to spare, which some releases of Mesa need to unroll them, give the same bits.

mod common;

use std::sync::OnceLock;

use common::{random_on as random, two_devices};
use tensor::ops::{self, Activation, AttentionLists, RowLists};
use tensor::{Device, Overrides, Tensor};

/// What `work` gives is the same to the bit with spare rounds and without.
#[track_caller]
fn same(work: impl Fn(&Device) -> Vec<Tensor>) {
    static DEVICES: OnceLock<[Device; 2]> = OnceLock::new();
    let devices = DEVICES.get_or_init(|| {
        two_devices(|spare_rounds| Overrides {
            spare_rounds: Some(spare_rounds),
            ..Default::default()
        })
    });
    let [without, with] = devices.each_ref().map(|device| {
        let values = work(device);
        let read = |t: &Tensor| t.to_vec().expect("read-back");
        let values = values.iter().flat_map(read);
        values
            .inspect(|v| assert!(v.is_finite()))
            .map(f32::to_bits)
            .collect::<Vec<_>>()
    });
    assert!(
        !without.is_empty() && without == with,
        "spare rounds change the result"
    );
}

#[test]
fn products_and_norms() {
    same(|device| {
        let x = random(device, 1, &[77, 96]);
        let [w, dy] = [(2, [40, 96]), (3, [77, 40])].map(|(s, shape)| random(device, s, &shape));
        let [scale, bias, b] = [(4, 96), (5, 96), (6, 40)].map(|(s, n)| random(device, s, &[n]));
        let y = ops::linear(&x, &w, Some(&b), Activation::Gelu, Some(&dy));
        let [dw, db] = ops::linear_backward_w(&x, &dy).map(ops::RowSum::total);
        let (norm, _) = ops::layer_norm(&x, &scale, &bias, 1e-5);
        vec![y, ops::linear_backward_x(&dy, &w, None), dw, db, norm]
    });
}

#[test]
fn convolutions() {
    same(|device| {
        let x = random(device, 1, &[1, 9, 11, 40]);
        let w = random(device, 2, &[3, 3, 40, 40]);
        let depth = random(device, 3, &[5, 5, 40]);
        let [dw, db] = ops::conv3x3_backward_w(&x, &x).map(ops::RowSum::total);
        let [ddepth, _] = ops::depthwise5x5_backward_w(&x, &x).map(ops::RowSum::total);
        let y = ops::conv3x3(&x, &w, None, Some(&x));
        vec![y, dw, db, ops::depthwise5x5(&x, &depth, None), ddepth]
    });
}

#[test]
fn attention_and_its_gradients() {
    same(|device| {
        let index: Vec<_> = (0..120).map(|i| i * 7 % 120).collect();
        let lists = AttentionLists::within(RowLists::new(device, &index, 3, 120));
        let [q, k, v] = [(1, 36), (2, 36), (3, 40)].map(|(s, c)| random(device, s, &[1, 120, c]));
        let (y, lse) = ops::attention(&q, &k, &v, &lists, 4);
        let gradients = ops::attention_backward([&q, &k, &v], (&y, &lse), &v, &lists, 4);
        [&[y, lse][..], &gradients].concat()
    });
}

#[test]
fn the_nearest_centre() {
    same(|device| {
        let [x, centres] =
            [(1, 200), (2, 19)].map(|(s, n)| ops::unit(&random(device, s, &[n, 40])));
        let owner = ops::nearest_centre(&x, &centres)
            .to_vec()
            .expect("read-back");
        let owner: Vec<_> = owner.iter().map(|&m| m as f32).collect();
        vec![Tensor::new(device, &owner, &[200])]
    });
}
