//! What the tape promises: gradients add up, nothing is kept longer than needed, depth is free.

mod common;

use autograd::{Var, add, is_recording, mul, no_grad, reshape, scale, sum, trace};
use common::{alone, assert_close, assert_grad, device, host, number, random};
use tensor::Tensor;

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
    let value: &Tensor = square.value(); // nothing that ops of tensors take comes about unasked
    assert_eq!(value.item().unwrap(), 9.0);
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

#[test]
fn a_trace_lists_each_op_with_its_inputs_and_changes_nothing() {
    let _alone = alone();
    let run = || {
        let [a, b] = [random(1, &[3, 4]), random(2, &[3, 4])].map(|x| Var::parameter(x.clone()));
        let data = Var::constant(random(3, &[3, 4]));
        let product = mul(&a, &b);
        let y = sum(&add(&product, &data));
        y.backward();
        let gradient = host(&a.grad().expect("used"));
        ([a.id(), b.id(), product.id(), y.id()], gradient)
    };
    let (([a, b, product, y], gradient), ops) = trace(run);
    let names: Vec<_> = ops.iter().map(|op| op.name).collect();
    assert_eq!(names, ["mul", "add", "sum"]);
    assert_eq!(ops[0].inputs, [a, b]);
    assert_eq!(ops[1].inputs, [product, None]);
    assert_eq!(Some(ops[2].id), y);
    assert_eq!((&ops[1].shape[..], ops[1].bytes), (&[3, 4][..], 48));
    assert!(ops.iter().all(|op| op.seconds > 0.0));
    assert_eq!(gradient, run().1);
    assert!(trace(|| ()).1.is_empty());
}
