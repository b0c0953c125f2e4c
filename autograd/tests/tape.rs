//! What the tape promises: gradients add up, nothing is kept longer than needed, depth is free.

#[path = "../../tensor/tests/common/mod.rs"]
mod common;

use std::sync::{Mutex, MutexGuard, PoisonError};

use autograd::{
    Var, add, checkpoint, conv3x3, in_parts, is_recording, l1_loss, mul, no_grad, reshape, scale,
    sum,
};
use common::{assert_close, device, host, random};
use tensor::Tensor;

/// Held by every test here: some count what the device does, and all share it.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn number(value: f32) -> Var {
    Var::parameter(Tensor::full(&device(), value, &[1]))
}

#[track_caller]
fn assert_grad(of: &Var, expected: f32) {
    let grad = of.grad().expect("a gradient").item().unwrap();
    assert_eq!(grad, expected);
}

#[test]
fn gradients_add_up_until_they_are_zeroed() {
    let _alone = alone();
    let a = number(3.0);
    assert!(a.grad().is_none());
    mul(&a, &a).backward();
    assert_grad(&a, 6.0);
    scale(&a, 2.0).backward();
    assert_grad(&a, 8.0);
    a.zero_grad();
    assert!(a.grad().is_none());
    mul(&a, &a).backward();
    assert_grad(&a, 6.0);
}

#[test]
fn a_gradient_that_was_taken_does_not_change_with_later_ones() {
    let _alone = alone();
    let a = number(3.0);
    scale(&a, 2.0).backward();
    let taken = a.grad().unwrap();
    scale(&a, 5.0).backward();
    assert_eq!(taken.item().unwrap(), 2.0);
    assert_grad(&a, 7.0);
}

#[test]
fn both_ways_through_a_diamond_count_once_each() {
    let _alone = alone();
    let a = number(2.0);
    let top = mul(&a, &a); // 4
    let (left, right) = (scale(&top, 3.0), mul(&top, &a)); // 12, 8
    let y = add(&mul(&left, &right), &top); // 3·a⁵ + a²
    y.backward();
    assert_eq!(y.item().unwrap(), 100.0);
    assert_grad(&a, 244.0); // 15·a⁴ + 2·a
    assert!(top.grad().is_none(), "only parameters keep gradients");
}

#[test]
fn a_parameter_is_its_own_scalar_and_a_constant_has_no_gradient() {
    let _alone = alone();
    let a = number(2.0);
    a.backward();
    assert_grad(&a, 1.0);
    let constant = Var::constant(Tensor::full(&device(), 2.0, &[1]));
    let y = mul(&constant, &constant);
    y.backward();
    assert!(!y.needs_grad() && y.grad().is_none() && constant.grad().is_none());
}

#[test]
fn detach_cuts_one_way_and_leaves_the_other() {
    let _alone = alone();
    let a = number(3.0);
    let square = mul(&a, &a);
    assert!(!square.detach().needs_grad());
    mul(&square.detach(), &a).backward();
    assert_grad(&a, 9.0); // a² taken as a constant
    assert!(!mul(&square.detach(), &a.detach()).needs_grad());
}

#[test]
fn no_grad_records_nothing_and_ends_with_its_closure() {
    let _alone = alone();
    let a = number(3.0);
    assert!(is_recording());
    let y = no_grad(|| {
        assert!(!is_recording());
        no_grad(|| ());
        assert!(
            !is_recording(),
            "the inner one's end is not the outer one's"
        );
        mul(&a, &a)
    });
    assert!(is_recording() && !y.needs_grad() && a.needs_grad());
    assert_eq!(y.item().unwrap(), 9.0);

    std::panic::catch_unwind(|| no_grad(|| panic!("inside no_grad"))).unwrap_err();
    assert!(is_recording(), "a panic ends it too");
    let other = no_grad(|| std::thread::spawn(is_recording).join().unwrap());
    assert!(other, "other threads go on recording");
}

#[test]
fn without_a_tape_intermediate_results_are_freed_on_their_last_use() {
    let _alone = alone();
    let x = Var::parameter(random(1, &[123, 457]));
    let chain = || (0..20).fold(x.clone(), |y, _| scale(&y, 0.9));
    no_grad(chain);
    let before = device().stats().pool_buffers;
    let y = no_grad(|| (0..20).fold(x.clone(), |y, _| mul(&y, &x)));
    assert_eq!(
        device().stats().pool_buffers,
        before,
        "no more than two at a time"
    );
    drop(y);
    let _taped = (0..20).fold(x.clone(), |y, _| mul(&y, &x));
    assert!(
        device().stats().pool_buffers >= before + 18,
        "the tape keeps them"
    );
}

/// Four chained parts of ten products, each also of what it began with, and the sum of all.
fn chained(x: &Var, w: &Var, part: impl Fn(&Var, &Var) -> Var) -> Var {
    let y = (0..4).fold(x.clone(), |y, _| part(&y, w));
    sum(&add(&y, &mul(x, x)))
}

fn ten_products(x: &Var, w: &Var) -> Var {
    add(x, &(0..10).fold(x.clone(), |y, _| mul(&add(&y, x), w)))
}

#[test]
fn a_checkpoint_changes_no_bit_of_the_gradients() {
    let _alone = alone();
    let gradients = |part: fn(&Var, &Var) -> Var| {
        let [x, w] = [1, 2].map(|seed| Var::parameter(random(seed, &[31, 17])));
        chained(&x, &w, part).backward();
        [x, w].map(|v| v.grad().unwrap().to_vec().unwrap())
    };
    let whole = gradients(ten_products);
    // Whether a weight is an input or what the part holds itself.
    let given = |x: &Var, w: &Var| checkpoint(&[x, w], |v| ten_products(&v[0], &v[1]));
    let held = |x: &Var, w: &Var| {
        let w = w.clone();
        checkpoint(&[x], move |v| ten_products(&v[0], &w))
    };
    let nested = |x: &Var, w: &Var| {
        let inner = |v: &[Var]| checkpoint(&[&v[1], &v[0]], |v| ten_products(&v[1], &v[0]));
        checkpoint(&[x, w], move |v| add(&inner(v), &v[0]))
    };
    assert!(gradients(given) == whole);
    assert!(gradients(held) == whole);
    let twice = |x: &Var, w: &Var| add(&ten_products(x, w), x);
    assert!(gradients(nested) == gradients(twice));
}

#[test]
fn a_checkpoint_of_what_it_was_given_or_of_data_is_that() {
    let _alone = alone();
    let a = number(3.0);
    add(&checkpoint(&[&a], |v| v[0].clone()), &a).backward();
    assert_grad(&a, 2.0);
    let data = a.detach();
    assert!(!checkpoint(&[&data], |v| scale(&v[0], 2.0)).needs_grad());
    no_grad(|| assert!(!checkpoint(&[&a], |v| scale(&v[0], 2.0)).needs_grad()));
}

#[test]
fn checkpoints_hold_the_tape_of_one_part_at_a_time() {
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
    let given = |x: &Var, w: &Var| checkpoint(&[x, w], |v| ten_products(&v[0], &v[1]));
    let (all, one) = (peak(ten_products), peak(given));
    assert!(all >= 40, "{all} MiB"); // a sum for each of forty products
    assert!(one <= 20, "{one} MiB with checkpoints");
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

#[test]
fn no_work_is_done_for_the_gradients_of_an_image_or_a_target() {
    let _alone = alone();
    let [image, w, bias] = [
        random(1, &[2, 5, 7, 3]),
        random(2, &[3, 3, 3, 4]),
        random(3, &[4]),
    ];
    let (w, bias) = (Var::parameter(w), Var::parameter(bias));
    let target = random(4, &[2, 5, 7, 4]);
    let dispatches = |image: &Var, target: &Var| {
        let loss = l1_loss(&conv3x3(image, &w, &bias, None), target);
        let before = device().stats().dispatches;
        loss.backward();
        w.zero_grad();
        bias.zero_grad();
        device().stats().dispatches - before
    };
    let data = [&image, &target].map(|t| Var::constant(t.clone()));
    let wanted = [&image, &target].map(|t| Var::parameter(t.clone()));
    let least = dispatches(&data[0], &data[1]);
    assert_eq!(dispatches(&wanted[0], &data[1]), least + 1);
    assert_eq!(dispatches(&data[0], &wanted[1]), least + 1);
    assert!(wanted.iter().all(|v| v.grad().is_some()));
    assert!(data.iter().all(|v| v.grad().is_none()));
}

#[test]
fn steps_of_training_take_no_more_memory_than_the_first_two() {
    let _alone = alone();
    let x = Var::parameter(random(1, &[97, 211]));
    let step = || {
        let y = (0..10).fold(x.clone(), |y, _| mul(&add(&y, &x), &x));
        sum(&y).backward();
        x.zero_grad();
    };
    (0..2).for_each(|_| step());
    let before = device().stats();
    (0..5).for_each(|_| step());
    let after = device().stats();
    assert_eq!(after.pool_bytes, before.pool_bytes);
    assert_eq!(after.pool_buffers, before.pool_buffers);
    assert_eq!(after.read_backs, before.read_backs, "nothing is read back");
}

#[test]
fn what_backward_has_used_is_freed_though_the_result_lives_on() {
    let _alone = alone();
    let x = Var::parameter(random(1, &[89, 301]));
    let taped = || sum(&(0..10).fold(x.clone(), |y, _| mul(&y, &x)));
    let y = taped();
    y.backward();
    let before = device().stats().pool_buffers;
    taped().backward(); // with the first result still there
    assert!(device().stats().pool_buffers <= before + 1);
    drop(y);
}

#[test]
#[should_panic(expected = "backward: this tape has been used; run the forward pass again")]
fn walking_one_tape_back_twice_panics() {
    let _alone = alone();
    let a = number(3.0);
    let y = mul(&a, &a);
    y.backward();
    y.backward();
}

#[test]
#[should_panic(expected = "backward: [2, 3] is not a scalar")]
fn walking_back_from_more_than_one_number_panics() {
    let _alone = alone();
    scale(&Var::parameter(random(1, &[2, 3])), 2.0).backward();
}

/// Runs on a stack of the size that threads get by default.
fn on_a_small_stack(f: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    thread.spawn(f).unwrap().join().unwrap();
}

#[test]
fn a_long_chain_is_walked_back_on_a_small_stack() {
    let _alone = alone();
    on_a_small_stack(|| {
        let a = number(1.0);
        (0..2000).fold(a.clone(), |y, _| add(&y, &a)).backward();
        assert_grad(&a, 2001.0);
    });
}

#[test]
fn a_long_chain_is_dropped_unused_on_a_small_stack() {
    let _alone = alone();
    on_a_small_stack(|| {
        // Long enough for any stack frame; reshape costs no device work.
        let a = number(1.0);
        let chain = (0..100_000).fold(a.clone(), |y, _| reshape(&y, &[1]));
        drop(chain);
        let kept = scale(&a, 2.0);
        drop((0..100).fold(kept.clone(), |y, _| scale(&y, 2.0)));
        kept.backward(); // a shared link is not taken apart
        assert_grad(&a, 2.0);
    });
}

#[test]
fn two_runs_give_the_same_bits() {
    let _alone = alone();
    let x = random(1, &[33, 65]);
    let gradient = || {
        let x = Var::parameter(x.clone());
        sum(&mul(&add(&x, &mul(&x, &x)), &x)).backward();
        x.grad().unwrap()
    };
    common::assert_same_bits("gradient", gradient);
    let expected: Vec<f64> = host(&x).iter().map(|x| 2.0 * x + 3.0 * x * x).collect();
    assert_close("gradient", &gradient(), &expected, 1e-6);
}
