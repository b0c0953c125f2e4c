//! Tensors stored as f16: every op of the forward pass gives what it gives for the same numbers
//! stored as f32, rounded once.

use tensor::ops::{self, Activation, AttentionLists, RowLists};
use tensor::{Device, Tensor};

/// None, with a word on it, where the adapter has no f16.
fn device() -> Option<Device> {
    let device = Device::open(None).expect("tests need an adapter");
    let has = device.has_half();
    if !has {
        println!("skipped: {} has no f16", device.name());
    }
    has.then_some(device)
}

/// Numbers in ±2 on the device.
fn numbers(device: &Device, shape: &[usize], seed: u32) -> Tensor {
    let len: usize = shape.iter().product();
    let number = |i: usize| {
        let mixed = (i as u32 + 1).wrapping_mul(seed.wrapping_mul(2) + 2_654_435_761);
        (mixed >> 8) as f32 / (1 << 22) as f32 - 2.0
    };
    let data: Vec<f32> = (0..len).map(number).collect();
    Tensor::new(device, &data, shape)
}

/// What `op` makes of the same numbers, stored as f16 and as f32, is the same but for one rounding.
#[track_caller]
fn assert_rounded_once(inputs: &[&Tensor], op: impl Fn(&[Tensor]) -> Tensor) {
    let halves: Vec<_> = inputs.iter().map(|x| x.to_half()).collect();
    let floats: Vec<_> = halves.iter().map(Tensor::to_float).collect();
    let (half, float) = (op(&halves), op(&floats));
    assert!(half.is_half() && !float.is_half());
    assert_eq!(half.shape(), float.shape());
    let (half, float) = (half.to_vec().expect("read"), float.to_vec().expect("read"));
    for (i, (h, f)) in half.iter().zip(&float).enumerate() {
        // Half a step of f16, 2⁻¹¹ of the number or 2⁻²⁵; a driver may cut off instead of rounding.
        let step = (f.abs() / 1024.0).max(6.0e-8);
        assert!((h - f).abs() <= step, "element {i}: {h} instead of {f}");
    }
    assert!(float.iter().any(|f| f.abs() > 0.1), "nothing was computed");
}

#[test]
fn numbers_keep_eleven_bits_in_half_the_memory() {
    let Some(device) = device() else { return };
    let x = Tensor::new(&device, &[1.0, -0.1, 2049.0, 1e-7, 65504.0], &[5]);
    let half = x.to_half();
    assert!(half.is_half() && !half.to_float().is_half());
    let read = half.to_vec().expect("read");
    let close = [1.0, -0.1, 2049.0, 1e-7, 65504.0].iter().zip(&read);
    for (x, h) in close {
        assert!((x - h).abs() <= (x.abs() / 1024.0_f32).max(6e-8), "{h}");
    }
    assert_eq!([read[0], read[4]], [1.0, 65504.0]);
    let both = Tensor::to_vecs(&[&half, &x]).expect("read");
    assert_eq!(both, [read, x.to_vec().expect("read")]);

    let before = device.stats().used_bytes;
    let x = numbers(&device, &[1 << 20], 1);
    let float = device.stats().used_bytes - before;
    let _half = x.to_half();
    assert_eq!(device.stats().used_bytes - before, float + float / 2);
}

#[test]
fn linear_layers() {
    let Some(device) = device() else { return };
    // By fours, and the plain form.
    for (n, k) in [(36, 40), (96, 40), (7, 5)] {
        let (x, r) = (numbers(&device, &[77, k], 1), numbers(&device, &[77, n], 2));
        let (w, b) = (numbers(&device, &[n, k], 3), numbers(&device, &[n], 4));
        assert_rounded_once(&[&x, &r], |t| {
            ops::linear(&t[0], &w, Some(&b), Activation::None, Some(&t[1]))
        });
        assert_rounded_once(&[&x], |t| {
            ops::linear(&t[0], &w, None, Activation::Gelu, None)
        });
    }
}

#[test]
fn convolutions() {
    let Some(device) = device() else { return };
    for c in [40, 3] {
        let x = numbers(&device, &[2, 9, 11, c], 1);
        let (w, b) = (
            numbers(&device, &[3, 3, c, 12], 2),
            numbers(&device, &[12], 3),
        );
        let r = numbers(&device, &[2, 9, 11, 12], 4);
        assert_rounded_once(&[&x, &r], |t| {
            ops::conv3x3(&t[0], &w, Some(&b), Some(&t[1]))
        });
        assert_rounded_once(&[&x], |t| {
            ops::conv3x3_leaky_relu_shuffle(&t[0], &w, &b, 0.1, 2)
        });
        let (w, b) = (numbers(&device, &[5, 5, c], 5), numbers(&device, &[c], 6));
        assert_rounded_once(&[&x], |t| ops::depthwise5x5(&t[0], &w, Some(&b)));
        assert_rounded_once(&[&x], |t| ops::depthwise5x5_gelu_add(&t[0], &w, &b));
    }
}

#[test]
fn a_residual_tells_how_the_sum_is_stored() {
    let Some(device) = device() else { return };
    let (x, w) = (
        numbers(&device, &[1, 4, 5, 8], 1),
        numbers(&device, &[3, 3, 8, 3], 2),
    );
    let (base, x) = (numbers(&device, &[1, 4, 5, 3], 3), x.to_half());
    let y = ops::conv3x3(&x, &w, None, Some(&base));
    assert!(!y.is_half());
    let same = ops::conv3x3(&x.to_float(), &w, None, Some(&base));
    assert_eq!(y.to_vec().expect("read"), same.to_vec().expect("read"));
}

#[test]
fn attention_between_rows() {
    let Some(device) = device() else { return };
    let index: Vec<u32> = (0..30).map(|i| i * 7 % 20).collect();
    let rows = RowLists::new(&device, &index, 3, 20);
    let lists = AttentionLists::within(rows);
    let [q, k] = [1, 2].map(|seed| numbers(&device, &[2, 20, 36], seed));
    let v = numbers(&device, &[2, 20, 40], 3);
    assert_rounded_once(&[&q, &k, &v], |t| {
        ops::attention(&t[0], &t[1], &t[2], &lists, 4).0
    });
    // Keys and values as f32, like those of token centres.
    assert_rounded_once(&[&q], |t| ops::attention(&t[0], &k, &v, &lists, 4).0);
}

#[test]
fn layer_norm_and_sums() {
    let Some(device) = device() else { return };
    for c in [40, 7] {
        let (x, y) = (numbers(&device, &[33, c], 1), numbers(&device, &[33, c], 2));
        let (w, b) = (numbers(&device, &[c], 3), numbers(&device, &[c], 4));
        assert_rounded_once(&[&x], |t| ops::layer_norm(&t[0], &w, &b, 1e-5).0);
        assert_rounded_once(&[&x, &y], |t| ops::add(&t[0], &t[1]));
        assert_rounded_once(&[&x], |t| ops::leaky_relu(&t[0], 0.1));
        assert_rounded_once(&[&x], |t| ops::gelu(&t[0]));
    }
}

#[test]
fn rows_moved_and_added_up() {
    let Some(device) = device() else { return };
    for c in [40, 7] {
        let x = numbers(&device, &[2, 12, c], 1);
        let lists = RowLists::new(&device, &[3, 1, RowLists::NONE, 3, 11, 0], 1, 12);
        let slots = numbers(&device, &[2, 6, c], 2);
        assert_rounded_once(&[&x], |t| ops::gather(&t[0], &lists));
        assert_rounded_once(&[&slots], |t| ops::segment_sum(&t[0], &lists));
        let owner = Tensor::<u32>::new(&device, &[1, 0, 2].repeat(8), &[2, 12]);
        let sorted = ops::counting_sort(&owner, 3);
        assert_rounded_once(&[&x], |t| ops::sort_tokens(&t[0], &sorted));
        let factor = numbers(&device, &[12], 3);
        assert_rounded_once(&[&x], |t| ops::scale_rows(&t[0], &factor));
        let index = Tensor::<u32>::new(&device, &[5, 0, 23], &[3]);
        assert_rounded_once(&[&x], |t| ops::take_rows(&t[0].reshape(&[24, c]), &index));
    }
}

#[test]
fn parts_and_what_is_put_together_of_them() {
    let Some(device) = device() else { return };
    let x = numbers(&device, &[9, 4], 1);
    assert_rounded_once(&[&x], |t| {
        let parts = [0..2, 2..9].map(|range| ops::slice(&t[0], range));
        ops::concat(9, parts)
    });
}

#[test]
fn tokens_are_assigned_by_f32_numbers() {
    let Some(device) = device() else { return };
    let x = numbers(&device, &[2, 50, 40], 1).to_half();
    let unit = ops::unit(&x);
    assert!(!unit.is_half());
    let same = ops::unit(&x.to_float());
    assert_eq!(unit.to_vec().expect("read"), same.to_vec().expect("read"));
    let pooled = ops::pool_tokens(&x, 16);
    let same = ops::pool_tokens(&x.to_float(), 16);
    assert_eq!(pooled.to_vec().expect("read"), same.to_vec().expect("read"));
}

#[test]
#[should_panic(expected = "linear_backward_w: binding")]
fn an_op_without_a_form_for_f16_says_so() {
    let Some(device) = device() else {
        panic!("skipped: linear_backward_w: binding 0 has no form for f16 either")
    };
    let x = numbers(&device, &[8, 40], 1).to_half();
    ops::linear_backward_w(&x, &x);
}
