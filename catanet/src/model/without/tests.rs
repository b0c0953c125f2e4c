use autograd::no_grad;
use tensor::{Device, Tensor};

use super::*;
use crate::data::dead_leaves::scene;
use crate::weights::load;

const HEIGHT: usize = 30;
const WIDTH: usize = 41;

fn network() -> (CATANet, Tensor) {
    let device = Device::open(None).expect("tests need an adapter");
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../weights/catanet_x2.safetensors"
    );
    let net = load(&device, file.as_ref(), Some(2))
        .expect("shipped weights")
        .0;
    let image = scene(3, 1, WIDTH, HEIGHT).to_f32();
    let x = Tensor::new(&device, &image, &[1, HEIGHT, WIDTH, 3]);
    (net, x)
}

#[test]
fn a_part_that_is_left_out_changes_what_comes_out_and_nothing_left_out_does_not() {
    let (net, x) = network();
    let x = Var::constant(x);
    let out = |y: Var| y.value().to_vec().expect("read back");
    let whole = no_grad(|| out(net.forward(&x, Mode::Eval)));
    let features = no_grad(|| net.features(&x));
    assert_eq!(features.len(), 8);
    assert_eq!(features[7].shape(), [1, HEIGHT, WIDTH, 40]);
    // There is no block 8: nothing is left out.
    let none = no_grad(|| out(net.forward_without(&x, LeftOut::Block(8))));
    assert_eq!(whole, none);
    for part in [
        LeftOut::Body,
        LeftOut::Block(0),
        LeftOut::Tab(7),
        LeftOut::Lrsa(3),
    ] {
        let without = no_grad(|| out(net.forward_without(&x, part)));
        let differ = whole.iter().zip(&without).filter(|(a, b)| a != b).count();
        assert!(differ > whole.len() / 2, "{part:?}: {differ}");
    }
}
