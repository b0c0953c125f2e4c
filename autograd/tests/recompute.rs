//! Parts of the forward pass that are run again, or in parts.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use autograd::{Var, add, conv3x3, in_parts, mul, no_grad, once, recompute, scale, sum};
use common::{alone, assert_close, assert_grad, device, host, number, random};

/// Four chained parts of ten products, each also of what it began with, and the sum of all.
fn chained(x: &Var, w: &Var, part: impl Fn(&Var, &Var) -> Var) -> Var {
    let y = (0..4).fold(x.clone(), |y, _| part(&y, w));
    sum(&add(&y, &mul(x, x)))
}

fn ten_products(x: &Var, w: &Var) -> Var {
    add(x, &(0..10).fold(x.clone(), |y, _| mul(&add(&y, x), w)))
}

#[test]
fn recomputation_changes_no_bit_of_the_gradients() {
    let _alone = alone();
    let gradients = |part: fn(&Var, &Var) -> Var| {
        let [x, w] = [1, 2].map(|seed| Var::parameter(random(seed, &[31, 17])));
        chained(&x, &w, part).backward();
        [x, w].map(|v| v.grad().unwrap().to_vec().unwrap())
    };
    let whole = gradients(ten_products);
    // Whether a weight is an input or what the part holds itself.
    let given = |x: &Var, w: &Var| recompute(&[x, w], |v| ten_products(&v[0], &v[1]));
    let held = |x: &Var, w: &Var| {
        let w = w.clone();
        recompute(&[x], move |v| ten_products(&v[0], &w))
    };
    let nested = |x: &Var, w: &Var| {
        let inner = |v: &[Var]| recompute(&[&v[1], &v[0]], |v| ten_products(&v[1], &v[0]));
        recompute(&[x, w], move |v| add(&inner(v), &v[0]))
    };
    assert!(gradients(given) == whole);
    assert!(gradients(held) == whole);
    let twice = |x: &Var, w: &Var| add(&ten_products(x, w), x);
    assert!(gradients(nested) == gradients(twice));
}

#[test]
fn recomputation_of_what_was_given_or_of_data_is_that() {
    let _alone = alone();
    let a = number(3.0);
    add(&recompute(&[&a], |v| v[0].clone()), &a).backward();
    assert_grad(&a, 2.0);
    let data = a.detach();
    assert!(!recompute(&[&data], |v| scale(&v[0], 2.0)).needs_grad());
    no_grad(|| assert!(!recompute(&[&a], |v| scale(&v[0], 2.0)).needs_grad()));
}

#[test]
fn recomputation_holds_the_tape_of_one_part_at_a_time() {
    let _alone = alone();
    let [x, w] = [1, 2].map(|seed| Var::parameter(random(seed, &[64, 4096]))); // 1 MiB each
    let peak = |part: fn(&Var, &Var) -> Var| {
        let before = device().stats().used_bytes;
        device().reset_peaks();
        chained(&x, &w, part).backward();
        x.zero_grad();
        w.zero_grad();
        (device().stats().peak_used_bytes - before) >> 20
    };
    let given = |x: &Var, w: &Var| recompute(&[x, w], |v| ten_products(&v[0], &v[1]));
    let (all, one) = (peak(ten_products), peak(given));
    assert!(all >= 40, "{all} MiB"); // a sum for each of forty products
    assert!(one <= 20, "{one} MiB recomputed");
}

#[test]
fn a_batch_worked_on_in_parts_has_the_gradients_of_the_whole() {
    let _alone = alone();
    let values = [(1, [5, 4, 6, 3]), (2, [5, 4, 6, 2])].map(|(seed, shape)| random(seed, &shape));
    let gradients = |parts: &[std::ops::Range<usize>]| {
        let [x, residual] = values.clone().map(Var::parameter);
        let [w, bias] = [random(3, &[3, 3, 3, 2]), random(4, &[2])].map(Var::parameter);
        let f = |v: &[Var]| {
            let y = add(&conv3x3(&scale(&v[0], 2.0), &w, &bias, None), &v[1]);
            mul(&y, &y)
        };
        let y = match parts {
            [] => f(&[x.clone(), residual.clone()]),
            _ => in_parts(&[&x, &residual], parts, f),
        };
        sum(&mul(&y, &Var::constant(random(5, &[5, 4, 6, 2])))).backward();
        [x, residual, w, bias].map(|v| v.grad().unwrap())
    };
    let whole = gradients(&[]);
    for (part, whole) in gradients(&[0..2, 2..4, 4..5]).iter().zip(&whole) {
        assert_close("gradient in parts", part, &host(whole), 1e-6);
    }
    let data = Var::constant(values[0].clone());
    assert!(!in_parts(&[&data], &[0..1, 1..5], |v| scale(&v[0], 2.0)).needs_grad());
}

/// How often something was done.
#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl Count {
    /// Counts, from 1.
    fn up(&self) -> usize {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[test]
fn what_is_done_once_is_handed_out_when_the_part_is_run_again() {
    let _alone = alone();
    let (runs, draws, effects) = (Count::default(), Count::default(), Count::default());
    let part = {
        let (runs, draws, effects) = (runs.clone(), draws.clone(), effects.clone());
        move |v: &[Var]| {
            runs.up();
            let first = once(|| draws.up() as f32); // 1, 3
            let second = once(|| draws.up() as f32); // 2, 4
            once(|| {
                effects.up();
            });
            scale(&scale(&v[0], first), 10.0 + second)
        }
    };
    let a = number(1.0);
    let y = recompute(&[&a], part.clone());
    let z = recompute(&[&y], part.clone());
    assert_eq!(z.item().unwrap(), 12.0 * 42.0);
    assert_eq!((runs.get(), draws.get(), effects.get()), (2, 4, 2));
    z.backward();
    assert_grad(&a, 12.0 * 42.0);
    assert_eq!((runs.get(), draws.get(), effects.get()), (4, 4, 2));
    part(&[a]); // outside of `recompute` it just runs
    assert_eq!((draws.get(), effects.get()), (6, 3));
}

#[test]
fn what_is_done_once_is_done_once_in_a_part_of_a_part_too() {
    let _alone = alone();
    let (runs, draws) = (Count::default(), Count::default());
    let inner = {
        let (runs, draws) = (runs.clone(), draws.clone());
        move |v: &[Var]| {
            runs.up();
            scale(&v[0], once(|| draws.up() as f32))
        }
    };
    let outer = {
        let draws = draws.clone();
        move |v: &[Var]| {
            // What is asked for within is part of the one value.
            let factor = once(|| (once(|| draws.up()) + once(|| draws.up())) as f32); // 1 + 2
            let y = recompute(&[&v[0]], inner.clone()); // by 3
            let y = recompute(&[&y], inner.clone()); // by 4
            scale(&y, factor * once(|| draws.up() as f32)) // 5
        }
    };
    let a = number(1.0);
    recompute(&[&a], outer).backward();
    assert_grad(&a, 3.0 * 3.0 * 4.0 * 5.0);
    assert_eq!(draws.get(), 5);
    assert_eq!(
        runs.get(),
        2 + 2 + 2,
        "first, again, and again on the way back"
    );
}

#[test]
fn what_is_done_once_is_data() {
    let _alone = alone();
    let a = number(3.0);
    assert!(!once(|| mul(&a, &a)).needs_grad());
}

#[test]
#[should_panic(expected = "once: the part does other things when it is run again")]
fn a_part_that_does_other_things_when_it_is_run_again_panics() {
    let _alone = alone();
    let runs = Count::default();
    let y = recompute(&[&number(3.0)], move |v| {
        match runs.up() {
            1 => once(|| ()),
            _ => drop(once(|| 1.0)),
        }
        scale(&v[0], 2.0)
    });
    y.backward();
}
