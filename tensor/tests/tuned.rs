//! Every tuned kernel against the plain one of its op, for every row of the table of tiles that this
//! adapter can run, at odd sizes and at the network's.

mod common;

use std::sync::OnceLock;

use common::random_on as random;
use tensor::ops::{self, Activation, AttentionLists, RowLists};
use tensor::{Device, Kernels, Overrides, Tensor};

/// The plain device, and one for each row of the table: what the adapter is, the same without shared
/// loads, with uniforms, with parameters as a uniform, and what an unknown device and a GPU take.
fn devices() -> &'static (Device, Vec<(&'static str, Device)>) {
    static DEVICES: OnceLock<(Device, Vec<(&'static str, Device)>)> = OnceLock::new();
    DEVICES.get_or_init(|| {
        let open = |overrides| Device::open_with(None, overrides).expect("tests need an adapter");
        let tuned = Overrides {
            kernels: Some(Kernels::Tuned),
            ..Default::default()
        };
        let rows = [
            ("as it is", tuned),
            (
                "one lane",
                Overrides {
                    one_lane: true,
                    ..tuned
                },
            ),
            (
                "uniforms",
                Overrides {
                    uniforms: Some(true),
                    ..tuned
                },
            ),
            (
                "parameters as a uniform",
                Overrides {
                    immediates: Some(false),
                    ..tuned
                },
            ),
            (
                "unknown",
                Overrides {
                    safe_tiles: true,
                    ..tuned
                },
            ),
            (
                "a GPU's",
                Overrides {
                    gpu_tiles: true,
                    ..tuned
                },
            ),
        ];
        let plain = open(Overrides {
            kernels: Some(Kernels::Plain),
            ..Default::default()
        });
        (plain, rows.map(|(name, row)| (name, open(row))).into())
    })
}

/// Both forms give the same up to rounding: sums in another order.
#[track_caller]
fn agree(name: &str, work: impl Fn(&Device) -> Vec<Tensor>) {
    let read = |device: &Device| -> Vec<Vec<f32>> {
        let tensors = work(device);
        let read = |t: &Tensor| t.to_vec().expect("read-back");
        tensors.iter().map(read).collect()
    };
    let (plain, rows) = devices();
    let expected = read(plain);
    for (row, device) in rows {
        let got = read(device);
        assert_eq!(
            device.stats().replaced,
            0,
            "{name}, {row}: a kernel is replaced"
        );
        for (i, (got, expected)) in got.iter().zip(&expected).enumerate() {
            let largest = expected.iter().fold(1.0_f32, |m, v| m.max(v.abs()));
            assert_eq!(got.len(), expected.len(), "{name}, {row}: output {i}");
            for (j, (g, e)) in got.iter().zip(expected).enumerate() {
                assert!(
                    (g - e).abs() <= 2e-5 * largest,
                    "{name}, {row}: output {i}[{j}] is {g}, plain {e}"
                );
            }
        }
    }
}

#[test]
fn linear() {
    for (rows, ci, co) in [(1, 4, 4), (77, 40, 36), (130, 40, 96)] {
        agree(&format!("linear {rows}×{ci}→{co}"), |device| {
            let [x, w, b] = [(1, [rows, ci]), (2, [co, ci]), (3, [1, co])]
                .map(|(seed, shape)| random(device, seed, &shape));
            let (b, r) = (b.reshape(&[co]), random(device, 4, &[rows, co]));
            let (y, h) = ops::linear_gelu(&x, &w, &b);
            let [dw, db] = ops::linear_backward_w(&x, &r).map(ops::RowSum::total);
            vec![
                ops::linear(&x, &w, Some(&b), Activation::None, Some(&r)),
                y,
                h,
                ops::linear_backward_x(&r, &w, Some(&x)),
                dw,
                db,
            ]
        });
    }
}

#[test]
fn conv3x3() {
    for ([h, w], ci, co) in [([1, 1], 3, 40), ([9, 11], 40, 40), ([5, 17], 40, 3)] {
        agree(&format!("conv3x3 {h}×{w}, {ci}→{co}"), |device| {
            let x = random(device, 1, &[2, h, w, ci]);
            let (k, b) = (random(device, 2, &[3, 3, ci, co]), random(device, 3, &[co]));
            let dy = random(device, 4, &[2, h, w, co]);
            let [dw, db] = ops::conv3x3_backward_w(&x, &dy).map(ops::RowSum::total);
            vec![
                ops::conv3x3(&x, &k, Some(&b), Some(&dy)),
                ops::conv3x3(&x, &k, None, None),
                ops::conv3x3_backward_x(&dy, &k, Some(&x)),
                dw,
                db,
            ]
        });
    }
    agree("conv3x3_leaky_relu_shuffle", |device| {
        let x = random(device, 1, &[1, 6, 5, 8]);
        let (k, b) = (random(device, 2, &[3, 3, 8, 18]), random(device, 3, &[18]));
        vec![ops::conv3x3_leaky_relu_shuffle(&x, &k, &b, 0.1, 3)]
    });
    agree("conv3x3_leaky_relu_shuffle, fours", |device| {
        let x = random(device, 1, &[2, 7, 9, 8]);
        let (k, b) = (random(device, 2, &[3, 3, 8, 12]), random(device, 3, &[12]));
        vec![ops::conv3x3_leaky_relu_shuffle(&x, &k, &b, 0.1, 2)]
    });
}

#[test]
fn depthwise5x5() {
    for [h, w, c] in [[1, 1, 4], [33, 10, 8], [9, 21, 5]] {
        agree(&format!("depthwise5x5 {h}×{w}×{c}"), |device| {
            let [x, dy] = [1, 2].map(|seed| random(device, seed, &[2, h, w, c]));
            let (k, b) = (random(device, 3, &[5, 5, c]), random(device, 4, &[c]));
            let (y, kept) = ops::depthwise5x5_gelu_add_keeping(&x, &k, &b);
            let [dw, db] = ops::depthwise5x5_backward_w(&x, &dy).map(ops::RowSum::total);
            vec![
                ops::depthwise5x5(&x, &k, Some(&b)),
                y,
                kept,
                ops::depthwise5x5_backward_x(&dy, &k, Some(&x)),
                dw,
                db,
            ]
        });
    }
}

#[test]
fn layer_norm() {
    for (rows, c) in [(1, 40), (77, 40), (530, 7)] {
        agree(&format!("layer_norm {rows}×{c}"), |device| {
            let [x, dy] = [1, 2].map(|seed| random(device, seed, &[rows, c]));
            let [w, b] = [3, 4].map(|seed| random(device, seed, &[c]));
            let (y, stats) = ops::layer_norm(&x, &w, &b, 1e-5);
            let (dx, dw, db) =
                common::totals(ops::layer_norm_backward(&x, &w, &stats, &dy, Some(&y)));
            vec![y, dx, dw, db]
        });
    }
}

/// Lists whose groups share rows; every seventh query slot is empty.
fn lists(device: &Device, [groups, queries, keys]: [usize; 3]) -> (AttentionLists, usize) {
    let rows = groups * keys - groups / 2;
    let query = |i: usize| match i % 7 {
        6 => RowLists::NONE,
        _ => (i * 5 % rows) as u32,
    };
    let query_index: Vec<_> = (0..groups * queries).map(query).collect();
    let key_index: Vec<_> = (0..groups * keys).map(|i| (i * 3 % rows) as u32).collect();
    let lists = AttentionLists {
        queries: RowLists::new(device, &query_index, groups, rows),
        keys: RowLists::new(device, &key_index, groups, rows),
    };
    (lists, rows)
}

#[test]
fn attention() {
    for (heads, [dk, dv], sizes) in [
        (4, [9, 10], [3, 37, 70]),
        (4, [9, 10], [2, 130, 128]),
        (4, [9, 10], [3, 65, 13]),
        (2, [9, 10], [2, 128, 64]),
        (1, [3, 5], [2, 1, 1]),
    ] {
        agree(
            &format!("attention {heads}×{dk}/{dv} {sizes:?}"),
            |device| {
                let (lists, rows) = lists(device, sizes);
                let [q, k, v] = [(1, dk), (2, dk), (3, dv)]
                    .map(|(seed, d)| random(device, seed, &[2, rows, heads * d]));
                let (y, lse) = ops::attention(&q, &k, &v, &lists, heads);
                let dy = random(device, 4, y.shape());
                let inputs = [&q, &k, &v];
                let gradients = ops::attention_backward(inputs, (&y, &lse), &dy, &lists, heads);
                [&[y, lse][..], &gradients].concat()
            },
        );
    }
}

/// What a sum over keys is relative to must follow the scores, whichever key comes first.
#[test]
fn attention_of_large_scores() {
    let rising: Vec<f32> = (0..10).map(|j| 50.0 * j as f32).collect();
    let falling: Vec<f32> = rising.iter().rev().copied().collect();
    let first = |score: f32| [&[score][..], &[0.0; 9]].concat();
    for scores in [rising, falling, first(1e10), first(-1e10), first(3.7e8)] {
        agree(&format!("attention, scores {scores:?}"), |device| {
            let within = |n: usize| RowLists::new(device, &Vec::from_iter(0..n as u32), 1, n);
            let (queries, keys) = (within(1), within(scores.len()));
            let lists = AttentionLists { queries, keys };
            // Nine products a score, so that their order and rounding matter.
            let q = Tensor::full(device, 1.1, &[1, 1, 9]);
            let k: Vec<f32> = scores.iter().flat_map(|&s| [s / 3.3; 9]).collect();
            let k = Tensor::new(device, &k, &[1, scores.len(), 9]);
            let v = random(device, 3, &[1, scores.len(), 10]);
            let (y, lse) = ops::attention(&q, &k, &v, &lists, 1);
            vec![y, lse]
        });
    }
}

/// Numbers below 2²⁴, as such.
fn numbers(device: &Device, of: &Tensor<u32>) -> Tensor {
    let values: Vec<_> = of.to_vec().expect("read-back");
    let values: Vec<_> = values.iter().map(|&v| v as f32).collect();
    Tensor::new(device, &values, of.shape())
}

#[test]
fn nearest_centre_and_the_sort() {
    for (tokens, centres, c) in [(1, 1, 4), (777, 19, 40), (50, 3, 7)] {
        agree(&format!("centres {tokens}, {centres}×{c}"), |device| {
            let x = ops::unit(&random(device, 1, &[2, tokens, c]));
            let centre = ops::unit(&random(device, 2, &[centres, c]));
            let owner = ops::nearest_centre(&x, &centre);
            let sorted = ops::counting_sort(&owner, centres);
            let (refined, sums, _) = ops::refine_centres(&x, &centre);
            let moved = ops::sort_tokens(&x, &sorted);
            let [owner, order, inverse] =
                [&owner, &sorted.order, &sorted.inverse].map(|t| numbers(device, t));
            vec![owner, order, inverse, refined, sums, moved]
        });
    }
}

#[test]
fn rows_and_elements() {
    agree("rows and elements", |device| {
        let x = random(device, 1, &[3, 21, 7]);
        let lists = RowLists::new(device, &[3, 1, RowLists::NONE, 3, 20], 1, 21);
        let taken = ops::gather(&x, &lists);
        let factor = random(device, 2, &[21]);
        vec![
            ops::segment_sum(&taken, &lists),
            taken,
            ops::scale_rows(&x, &factor),
            ops::sum_rows(&x),
            ops::gelu_backward(&x, &x),
            ops::unit_backward(&x, &ops::gelu(&x)),
        ]
    });
}

#[test]
fn a_tuned_kernel_that_a_driver_does_not_compile_is_replaced() {
    let tuned = Overrides {
        kernels: Some(Kernels::Tuned),
        ..Default::default()
    };
    let as_it_is = Overrides {
        broken: &[
            "tuned/linear",
            "tuned/conv3x3_backward_w",
            "tuned/depthwise5x5_backward_w",
            "tuned/layer_norm_backward",
            "tuned/attention_pack",
            "tuned/counting_sort",
        ],
        ..tuned
    };
    let a_gpus = Overrides {
        gpu_tiles: true,
        broken: &[
            "tuned/linear_scalar",
            "tuned/linear_backward_w_fours",
            "tuned/conv3x3_pack",
            "tuned/conv3x3_backward_w_fours",
            "tuned/layer_norm_backward_parts",
            "tuned/attention_scalar",
            "tuned/attention_backward_q_scalar",
            "tuned/attention_backward_kv_scalar",
        ],
        ..tuned
    };
    for overrides in [as_it_is, a_gpus] {
        replaces(&Device::open_with(None, overrides).expect("tests need an adapter"));
    }
}

/// What does not compile on the device is replaced, and nothing is wrong for it.
fn replaces(broken: &Device) {
    let work = |device: &Device| {
        let x = random(device, 1, &[1, 24, 20, 40]);
        let w = random(device, 2, &[40, 40]);
        let rows = x.reshape(&[480, 40]);
        let scale = random(device, 5, &[40]);
        let (_, stats) = ops::layer_norm(&rows, &scale, &scale, 1e-5);
        let (dx, dw, db) =
            common::totals(ops::layer_norm_backward(&rows, &scale, &stats, &rows, None));
        let (lists, rows) = lists(device, [2, 9, 12]);
        let q = random(device, 3, &[1, rows, 36]);
        let (y, lse) = ops::attention(&q, &q, &q, &lists, 4);
        let gradients = ops::attention_backward([&q; 3], (&y, &lse), &y, &lists, 4);
        let owner = Tensor::<u32>::new(device, &[2, 0, 1].repeat(100), &[1, 300]);
        let sorted = ops::counting_sort(&owner, 3);
        let tokens = random(device, 4, &[1, 300, 40]);
        let sums = ops::centre_sums(&tokens, &sorted);
        let linear = ops::linear(&x, &w, None, Activation::None, None);
        let filter = random(device, 6, &[3, 3, 40, 40]);
        let conv = ops::conv3x3(&x, &filter, None, None);
        let [dlinear, _] = ops::linear_backward_w(&x, &linear).map(ops::RowSum::total);
        let [dconv, _] = ops::conv3x3_backward_w(&x, &x).map(ops::RowSum::total);
        let [ddepth, _] = ops::depthwise5x5_backward_w(&x, &x).map(ops::RowSum::total);
        let all = [
            linear, dlinear, conv, dconv, ddepth, dx, dw, db, y, lse, sums,
        ];
        [&all[..], &gradients].concat()
    };
    let (plain, _) = devices();
    for (got, expected) in work(broken).iter().zip(work(plain)) {
        let expected: Vec<f64> = common::host(&expected);
        common::assert_close("replaced", got, &expected, 2e-5);
    }
    assert!(broken.stats().replaced > 0);
}
