//! Parameters that lie side by side are updated at once. A test binary of its own: the device counts
//! the dispatches of all tests.

#[path = "../../tensor/tests/common/mod.rs"]
mod common;

use autograd::Var;
use common::{device, random};
use nn::{Adam, AdamOptions, Conv2d, Init, LayerNorm, Linear, l1_loss, parameters};
use tensor::Tensor;

type Named = Vec<(String, Var)>;

/// The parameters of three layers that were made with one `Init`.
fn side_by_side() -> Named {
    let init = &mut Init::new(&device(), 1);
    let layers = (
        Conv2d::new(init, 2, 3),
        Linear::new(init, 5, 7, true),
        LayerNorm::new(init, 130),
    );
    [
        parameters(&layers.0),
        parameters(&layers.1),
        parameters(&layers.2),
    ]
    .concat()
}

/// The same values, each parameter in memory of its own.
fn apart(parameters: &Named) -> Named {
    let copy = |(name, p): &(String, Var)| {
        let own = Tensor::new(&device(), &p.to_vec().unwrap(), p.shape());
        (name.clone(), Var::parameter(own))
    };
    parameters.iter().map(copy).collect()
}

/// The dispatches of each of three steps; some parameters get no gradient in the second.
fn train(parameters: &Named) -> [u64; 3] {
    let mut adam = Adam::new(parameters.clone(), AdamOptions::default());
    [0, 1, 2].map(|step| {
        for (i, (_, p)) in parameters.iter().enumerate() {
            if step != 1 || i != 2 {
                let target = random(100 * step + i as u64, p.shape());
                l1_loss(p, &Var::constant(target)).backward();
            }
        }
        let before = device().stats().dispatches;
        adam.step();
        device().stats().dispatches - before
    })
}

#[test]
fn parameters_side_by_side_take_one_dispatch_and_get_the_bits_they_would_get_alone() {
    let together = side_by_side();
    let alone = apart(&together);
    assert_eq!(
        train(&together),
        [1, 2, 1],
        "two stretches where one is left out"
    );
    assert_eq!(train(&alone), [6, 5, 6]);
    for ((name, a), (_, b)) in together.iter().zip(&alone) {
        assert!(a.to_vec().unwrap() == b.to_vec().unwrap(), "{name}");
    }
}
