//! Gathering rows and summing them back, against host loops.

mod common;

use common::{assert_close, device, host, random};
use tensor::ops::{self, RowLists};
use tensor::{Tensor, ops::gather, ops::segment_sum};

const NONE: u32 = RowLists::NONE;

fn host_gather(x: &[f64], index: &[u32], [batch, rows, channels]: [usize; 3]) -> Vec<f64> {
    let mut y = Vec::new();
    for b in 0..batch {
        for &row in index {
            for c in 0..channels {
                let at = (b * rows + row as usize) * channels + c;
                y.push(if row == NONE { 0.0 } else { x[at] });
            }
        }
    }
    y
}

#[test]
fn gather_takes_the_listed_rows_and_zeros_for_empty_slots() {
    let index = [4, 0, NONE, 4, 2, NONE];
    for (batch, channels) in [(1, 1), (3, 7), (2, 40)] {
        let x = random(1, &[batch, 5, channels]);
        let lists = RowLists::new(&device(), &index, 2, 5);
        let expected = host_gather(&host(&x), &index, [batch, 5, channels]);
        let y = gather(&x, &lists);
        assert_eq!(y.shape(), [batch, 6, channels]);
        assert_close("gather", &y, &expected, 0.0);
    }
}

#[test]
fn segment_sum_adds_every_slot_of_a_row_and_gives_zeros_to_rows_without() {
    let index = [4, 0, NONE, 4, 2, NONE, 4, 1];
    let (batch, channels) = (2, 9);
    let y = random(2, &[batch, index.len(), channels]);
    let mut expected = vec![0.0; batch * 5 * channels];
    for (i, value) in host(&y).into_iter().enumerate() {
        let (b, slot, c) = (i / channels / 8, i / channels % 8, i % channels);
        if index[slot] != NONE {
            expected[(b * 5 + index[slot] as usize) * channels + c] += value;
        }
    }
    let lists = RowLists::new(&device(), &index, 4, 5);
    assert_close("segment_sum", &segment_sum(&y, &lists), &expected, 1e-6);
}

#[test]
fn segment_sum_is_the_derivative_of_gather() {
    // ⟨gather(x), w⟩ = ⟨x, segment_sum(w)⟩ for every w
    let index = [3, 3, NONE, 0, 1, 3, 6, 6, 2];
    let lists = RowLists::new(&device(), &index, 3, 7);
    let (x, w) = (random(3, &[2, 7, 5]), random(4, &[2, 9, 5]));
    let dot = |a: &Tensor, b: &Tensor| common::zip(a, b, |a, b| a * b).iter().sum::<f64>();
    let difference = dot(&gather(&x, &lists), &w) - dot(&x, &segment_sum(&w, &lists));
    assert!(difference.abs() < 1e-5, "{difference}");
}

#[test]
fn a_list_of_empty_slots_gives_zeros_both_ways() {
    let lists = RowLists::new(&device(), &[NONE; 3], 1, 2);
    assert_close(
        "gather",
        &gather(&random(5, &[1, 2, 4]), &lists),
        &[0.0; 12],
        0.0,
    );
    assert_close(
        "sum",
        &segment_sum(&random(6, &[1, 3, 4]), &lists),
        &[0.0; 8],
        0.0,
    );
}

#[test]
fn long_sums_keep_their_precision() {
    // 20,000 equal terms: added one by one in f32, they are off by more than 1e-4.
    let n = 20_000;
    let lists = RowLists::new(&device(), &vec![0; n], 1, 1);
    let y = Tensor::full(&device(), 0.1, &[1, n, 2]);
    let expected = n as f64 * f64::from(0.1f32);
    assert_close("sum", &segment_sum(&y, &lists), &[expected; 2], 1e-5);
}

#[test]
fn tokens_are_sorted_by_owner_in_each_image_and_put_back() {
    let x = random(7, &[2, 3, 5]);
    let owner = Tensor::new(&device(), &[1, 1, 0, 2, 0, 1], &[2, 3]);
    let sorted = ops::counting_sort(&owner, 3);
    let y = ops::sort_tokens(&x, &sorted);
    let values = host(&x);
    let mut expected = host_gather(&values[..15], &[2, 0, 1], [1, 3, 5]);
    expected.extend(host_gather(&values[15..], &[1, 2, 0], [1, 3, 5]));
    assert_close("sort_tokens", &y, &expected, 0.0);
    assert_close(
        "unsort_tokens",
        &ops::unsort_tokens(&y, &sorted),
        &values,
        0.0,
    );
}

#[test]
#[should_panic(expected = "RowLists: row 5 of 5")]
fn a_list_that_names_a_row_out_of_range_panics() {
    RowLists::new(&device(), &[0, 5], 1, 5);
}

#[test]
fn a_list_of_every_row_in_order_changes_nothing_and_costs_nothing() {
    let x = random(11, &[2, 6, 3]);
    let lists = RowLists::new(&device(), &[0, 1, 2, 3, 4, 5], 2, 6);
    let before = device().stats().dispatches;
    let (taken, summed) = (ops::gather(&x, &lists), ops::segment_sum(&x, &lists));
    assert_eq!(device().stats().dispatches, before);
    assert_close("gather", &taken, &host(&x), 0.0);
    assert_close("segment_sum", &summed, &host(&x), 0.0);
}
