//! What the op tests share: one device a binary, random tensors, comparison with host values.
#![allow(dead_code)] // each test binary uses a part

use std::sync::OnceLock;

use tensor::ops::RowSum;
use tensor::{Device, Overrides, Tensor};

/// The device of this test binary: opened once (drivers have hung on opening many at a time).
pub fn device() -> Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE
        .get_or_init(|| Device::open(None).expect("tests need an adapter"))
        .clone()
}

/// Two devices of the adapter: with the overrides `of(false)`, and `of(true)`.
pub fn two_devices(of: impl Fn(bool) -> Overrides) -> [Device; 2] {
    [false, true].map(|on| Device::open_with(None, of(on)).expect("tests need an adapter"))
}

/// Numbers in [-1, 1), the same for the same seed.
pub fn random_vec(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        // xorshift64*: enough for test data
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// A tensor of [`random_vec`].
pub fn random(seed: u64, shape: &[usize]) -> Tensor {
    random_on(&device(), seed, shape)
}

/// The same on another device.
pub fn random_on(device: &Device, seed: u64, shape: &[usize]) -> Tensor {
    Tensor::new(device, &random_vec(seed, shape.iter().product()), shape)
}

/// Reads a tensor back as f64.
pub fn host(t: &Tensor) -> Vec<f64> {
    t.to_vec()
        .expect("read-back")
        .into_iter()
        .map(f64::from)
        .collect()
}

/// Element by element on the host.
pub fn zip(a: &Tensor, b: &Tensor, f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    host(a)
        .into_iter()
        .zip(host(b))
        .map(|(a, b)| f(a, b))
        .collect()
}

/// Every element within `tolerance` of the expected, relative to the larger of 1 and its size.
#[track_caller]
pub fn assert_close(name: &str, got: &Tensor, expected: &[f64], tolerance: f64) {
    let got = host(got);
    assert_eq!(got.len(), expected.len(), "{name}: length");
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        let error = (g - e).abs() / e.abs().max(1.0);
        assert!(
            error <= tolerance,
            "{name}[{i}]: got {g}, expected {e} (error {error:.1e})"
        );
    }
}

/// Runs an op twice: the same input must give the same bits.
#[track_caller]
pub fn assert_same_bits(name: &str, op: impl Fn() -> Tensor) {
    let bits = |t: Tensor| -> Vec<u32> {
        let values = t.to_vec().expect("read-back");
        values.into_iter().map(f32::to_bits).collect()
    };
    assert!(bits(op()) == bits(op()), "{name}: two runs differ");
}

/// A sum of `len` terms for every (row, column) of `shape`: the naive product, row by row.
pub fn sums(
    [rows, columns]: [usize; 2],
    len: usize,
    term: impl Fn(usize, usize, usize) -> f64,
) -> Vec<f64> {
    let cells = (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c)));
    cells
        .map(|(r, c)| (0..len).map(|l| term(r, c, l)).sum())
        .collect()
}

/// Φ by its series, in f64: exact to rounding for |x| ≤ 6.
pub fn normal_cdf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for k in 1..200 {
        term *= x * x / (2 * k + 1) as f64;
        sum += term;
    }
    0.5 + sum * normal_pdf(x)
}

/// The density of the normal distribution.
pub fn normal_pdf(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

/// The gradients of LayerNorm, their last sums taken.
pub fn totals((dx, dw, db): (Tensor, RowSum, RowSum)) -> (Tensor, Tensor, Tensor) {
    (dx, dw.total(), db.total())
}
