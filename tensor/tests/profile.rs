//! Profiles: what ran, how often, and for how long.

mod common;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use common::{device, random};
use tensor::{Profile, ops};

/// A profile sees all work of its device: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// `products` products and one GELU of `len` elements.
fn profile(products: usize, len: usize, events: usize) -> Profile {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let x = random(1, &[len]);
    let run = || {
        let y = (0..products).fold(x.clone(), |sum, _| ops::mul(&sum, &x));
        ops::gelu(&y).to_vec().expect("read-back")
    };
    let expected = run();
    let (got, profile) = device().profile(events, run).expect("profiled");
    assert_eq!(got, expected, "results do not change");
    profile
}

#[test]
fn a_profile_lists_the_kernels_that_ran_as_often_as_they_did() {
    let profile = profile(3, 1 << 20, 10);
    let mut calls: Vec<_> = profile
        .kernels
        .iter()
        .map(|k| (&*k.name, k.calls))
        .collect();
    calls.sort();
    let [(gelu, 1), (mul, 3)] = calls[..] else {
        panic!("{calls:?}")
    };
    assert!(
        mul.starts_with("mul") && gelu.starts_with("gelu"),
        "{calls:?}"
    );
    assert!(mul.contains("WG="), "no constants in {mul:?}");
    assert_eq!(profile.stats.dispatches, 4);
    assert_eq!(profile.stats.read_backs, 1);
}

#[test]
fn times_are_above_zero_and_add_up_to_no_more_than_what_passed() {
    let profile = profile(3, 1 << 20, 10);
    for kernel in &profile.kernels {
        assert!(kernel.time > Duration::ZERO, "{kernel:?}");
    }
    let (kernels, all) = (profile.kernel_time(), profile.elapsed);
    assert!(kernels <= all, "kernels took {kernels:?} of {all:?}");
}

#[test]
fn events_are_in_order_and_do_not_overlap() {
    let profile = profile(3, 1 << 20, 10);
    let names: Vec<_> = profile.events.iter().map(|e| &e.kernel[..3]).collect();
    assert_eq!(names, ["mul", "mul", "mul", "gel"]);
    for pair in profile.events.windows(2) {
        assert!(pair[0].start + pair[0].time <= pair[1].start, "{pair:?}");
    }
    assert!(
        profile
            .events
            .iter()
            .all(|e| e.groups.iter().all(|&g| g > 0))
    );
}

#[test]
fn a_profile_longer_than_a_set_of_queries_is_counted_in_full_and_keeps_what_was_asked_for() {
    let profile = profile(2500, 64, 7); // a set has 4096, two for each dispatch
    assert_eq!(profile.kernels.iter().map(|k| k.calls).sum::<u64>(), 2501);
    assert_eq!(profile.stats.dispatches, 2501);
    assert_eq!(profile.events.len(), 7);
}
