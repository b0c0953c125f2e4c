//! Parts of tensors: taken, and put together.

mod common;

use std::sync::OnceLock;

use common::{device, random, random_vec};
use tensor::{Device, Error, Overrides, Tensor, ops};

/// A device whose kernels take no more than 4 KiB of a tensor.
fn limited() -> &'static Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    device(); // opened before it, not at the same time
    let overrides = Overrides {
        binding_limit: Some(4096),
        ..Default::default()
    };
    let open = || Device::open_with(None, overrides);
    DEVICE.get_or_init(|| open().expect("tests need an adapter"))
}

#[test]
fn a_slice_holds_its_rows_and_kernels_can_take_it_wherever_it_begins() {
    let values = random_vec(1, 50 * 3);
    let x = Tensor::new(&device(), &values, &[50, 3]);
    for (from, to) in [(0, 50), (1, 2), (7, 31), (32, 50)] {
        let part = ops::slice(&x, from..to);
        assert_eq!(part.shape(), [to - from, 3]);
        assert_eq!(part.to_vec().unwrap(), values[3 * from..3 * to]);
        let doubled: Vec<f32> = values[3 * from..3 * to].iter().map(|v| 2.0 * v).collect();
        assert_eq!(ops::scale(&part, 2.0).to_vec().unwrap(), doubled);
        let last = ops::slice(&part, to - from - 1..to - from); // of a slice
        assert_eq!(last.to_vec().unwrap(), values[3 * to - 3..3 * to]);
    }
}

#[test]
fn parts_are_put_together_in_order() {
    let x = random(2, &[11, 2, 5]);
    let parts = [0..3, 3..4, 4..11].map(|range| ops::slice(&x, range));
    let whole = ops::concat(11, parts);
    assert_eq!(whole.shape(), x.shape());
    assert_eq!(whole.to_vec().unwrap(), x.to_vec().unwrap());
    let owners = Tensor::<u32>::new(&device(), &[4, 5, 6], &[3]);
    let swapped = ops::concat(3, [ops::slice(&owners, 1..3), ops::slice(&owners, 0..1)]);
    assert_eq!(swapped.to_vec().unwrap(), [5, 6, 4]);
}

#[test]
#[should_panic(expected = "concat: 3 items instead of 4")]
fn parts_that_leave_a_gap_panic() {
    ops::concat(4, [random(3, &[3, 2])]);
}

#[test]
#[should_panic(expected = "slice: 2..4 of [3, 2]")]
fn a_slice_beyond_the_end_panics() {
    ops::slice(&random(3, &[3, 2]), 2..4);
}

#[test]
fn a_tensor_that_no_kernel_can_take_at_once_is_made_and_used_in_parts() {
    let device = limited();
    assert_eq!(device.max_tensor_bytes(), 4096);
    let values = random_vec(4, 3000);
    let x = Tensor::new(device, &values, &[750, 4]); // 12,000 bytes
    assert_eq!(x.to_vec().unwrap(), values, "it can be written and read");
    let error = ops::scale(&x, 2.0).to_vec().unwrap_err();
    assert!(matches!(&error, Error::TooLarge { shape, limit: 4096, .. } if shape == &[750, 4]));
    let part = |i: usize| ops::scale(&ops::slice(&x, 250 * i..250 * (i + 1)), 2.0);
    let doubled = ops::concat(750, (0..3).map(part)).to_vec().unwrap();
    assert!(doubled.iter().zip(&values).all(|(y, x)| *y == 2.0 * x));
}

#[test]
fn rows_are_taken_from_a_tensor_that_no_kernel_can_take_at_once() {
    let device = limited();
    let values = random_vec(5, 900 * 3);
    let x = Tensor::new(device, &values, &[900, 3]);
    let index: Vec<u32> = (0..300).map(|i| i * 677 % 900).collect();
    let taken = ops::take_rows(&x, &Tensor::new(device, &index, &[300]));
    let row = |&r: &u32| &values[3 * r as usize..][..3];
    let expected: Vec<f32> = index.iter().flat_map(row).copied().collect();
    assert_eq!(taken.to_vec().unwrap(), expected);
}

#[test]
fn a_part_is_copied_into_another_of_the_same_tensor() {
    let x = random(7, &[64, 40]);
    let (a, b) = (ops::slice(&x, 0..32), ops::slice(&x, 32..64));
    a.copy_from(&b);
    assert_eq!(a.to_vec().unwrap(), b.to_vec().unwrap());
}
