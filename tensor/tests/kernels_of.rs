//! Which kernels some work asks for.

mod common;

use std::sync::{Mutex, PoisonError};

use common::{device, random};
use tensor::{KernelUse, ops};

/// Whoever asks sees all work of its device: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn kernels_of<T>(work: impl FnOnce() -> T) -> (T, Vec<KernelUse>) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    device().kernels_of(work)
}

#[test]
fn the_kernels_of_some_work_are_told_with_their_source_and_their_launches() {
    let x = random(1, &[1 << 10]);
    let (y, kernels) = kernels_of(|| {
        let y = (0..3).fold(x.clone(), |sum, _| ops::mul(&sum, &x));
        ops::gelu(&y)
    });
    let [mul, gelu] = &kernels[..] else {
        panic!("{kernels:?}")
    };
    assert_eq!((mul.entry, gelu.entry), ("mul", "gelu"));
    assert!(mul.name.starts_with("mul") && mul.name.contains("WG="));
    assert!(mul.source.contains("fn mul(") && mul.source.contains("const WG: u32 ="));
    assert_eq!((mul.inputs, mul.outputs, mul.uniforms.len()), (2, 1, 0));
    assert_eq!(mul.launches.len(), 1, "they are alike: {:?}", mul.launches);
    let launch = &mul.launches[0];
    assert_eq!((launch.count, &launch.bytes[..]), (3, &[4 << 10; 3][..]));
    assert!(launch.workgroups() > 0);
    assert_eq!(gelu.launches[0].count, 1);
    assert!(y.to_vec().is_ok(), "the work goes on");
}

#[test]
fn launches_of_other_sizes_are_told_apart() {
    let [long, short] = [1 << 10, 1 << 8].map(|len| random(1, &[len]));
    let work = || [&long, &short, &long].map(ops::gelu);
    let (_, kernels) = kernels_of(work);
    let counts: Vec<_> = kernels[0].launches.iter().map(|l| l.count).collect();
    assert_eq!((kernels.len(), counts), (1, vec![2, 1]));
}
