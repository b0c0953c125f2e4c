//! Gradients of attention, of moved rows and of token centres, against differences.

mod common;

use std::sync::Arc;

use autograd::{
    attention, refine_centres, scale_rows, segment_sum, sort_tokens, unit, unsort_tokens,
};
use common::{BEFORE, check, device, random, random_vec};
use tensor::Tensor;
use tensor::ops::{self, AttentionLists, RowLists};

const NONE: u32 = RowLists::NONE;

/// `groups` lists of `queries` and `keys` slots each: rows repeated and left out, every seventh
/// query slot empty.
fn lists([groups, queries, keys]: [usize; 3], rows: usize, key_rows: usize) -> Arc<AttentionLists> {
    let pick = |i: usize, rows: usize| (i * 7919 + i / 3) as u32 % rows as u32;
    let query = |i| if i % 7 == 6 { NONE } else { pick(i, rows) };
    let query: Vec<u32> = (0..groups * queries).map(query).collect();
    let key: Vec<u32> = (0..groups * keys).map(|i| pick(i, key_rows)).collect();
    Arc::new(AttentionLists {
        queries: RowLists::new(&device(), &query, groups, rows),
        keys: RowLists::new(&device(), &key, groups, key_rows),
    })
}

#[test]
fn attention_with_empty_slots_repeated_keys_and_several_groups() {
    // Batch; heads, channels of a key and of a value; groups, query and key slots; rows of each.
    for (batch, [heads, dk, dv], slots, [rows, key_rows]) in [
        (1, [1, 1, 1], [1, 2, 3], [2, 3]),
        (2, [2, 2, 3], [3, 8, 5], [13, 7]),
        (1, [3, 4, 1], [2, 17, 33], [40, 5]),
        (2, [4, 9, 10], [2, 17, 33], [29, 50]), // the network's heads
    ] {
        let lists = lists(slots, rows, key_rows);
        let inputs = [
            ops::scale(&random(1, &[batch, rows, heads * dk]), 2.0),
            ops::scale(&random(2, &[batch, key_rows, heads * dk]), 2.0),
            random(3, &[batch, key_rows, heads * dv]),
        ];
        let name = format!("attention, {heads} heads of {dk} and {dv}");
        check(&name, &inputs, |v| {
            attention(&v[0], &v[1], &v[2], &lists, heads)
        });
    }
}

#[test]
fn attention_of_rows_to_themselves() {
    let lists = lists([2, 9, 11], 13, 13);
    let x = random(1, &[2, 13, 6]);
    check("self-attention", &[x], |v| {
        attention(&v[0], &v[0], &v[0], &lists, 2)
    });
}

#[test]
fn segment_sum_with_empty_slots_and_repeated_rows() {
    let index = [3, 3, NONE, 0, 1, 3, 6, 6, NONE]; // rows 2, 4 and 5 are left out
    let lists = RowLists::new(&device(), &index, 3, 7);
    for (batch, c) in [(1, 1), (2, 5), (3, 40)] {
        let slots = random(2, &[batch, index.len(), c]);
        check("segment_sum", &[slots], |v| segment_sum(&v[0], &lists));
    }
}

#[test]
fn sorting_tokens_and_putting_them_back() {
    for (tokens, c) in [(1, 1), (5, 3), (261, 4)] {
        let owner = random_vec(1, 2 * tokens);
        let owner: Vec<u32> = owner.iter().map(|v| ((v + 1.0) * 2.5) as u32).collect();
        let sorted = ops::counting_sort(&Tensor::new(&device(), &owner, &[2, tokens]), 5);
        let x = [random(2, &[2, tokens, c])];
        check("sort", &x, |v| sort_tokens(&v[0], &sorted));
        check("unsort", &x, |v| unsort_tokens(&v[0], &sorted));
    }
}

#[test]
fn scaled_rows() {
    for (batch, rows, c) in [(1, 1, 1), (2, 5, 7), (3, 33, 40)] {
        let factor = random(1, &[rows]);
        let x = random(2, &[batch, rows, c]);
        check("scale_rows", &[x], |v| scale_rows(&v[0], &factor));
    }
}

#[test]
fn unit_rows() {
    for shape in [[1, 1, 2], [2, 5, 7], [1, 67, 40]] {
        check("unit", &[random(1, &shape)], |v| unit(&v[0]));
    }
}

/// `[B, N, C]`: token t lies along axis `owner[t]`, so far that no step gives it to another centre.
fn along_axes(owner: &[usize], batch: usize, c: usize) -> Tensor {
    let mut values = random_vec(1, owner.len() * c);
    for (token, &axis) in values.chunks_mut(c).zip(owner) {
        token.iter_mut().for_each(|v| *v *= 0.3);
        token[axis] += 1.0;
    }
    Tensor::new(&device(), &values, &[batch, owner.len() / batch, c])
}

#[test]
fn refined_centres_with_one_that_owns_nothing() {
    for (batch, tokens, centres, c) in [(1, 1, 2, 3), (2, 7, 4, 5), (2, 45, 17, 40)] {
        let mut axes = vec![0.0; centres * c];
        (0..centres).for_each(|m| axes[m * c + m] = 1.0);
        let axes = Tensor::new(&device(), &axes, &[centres, c]);
        let owner: Vec<usize> = (0..batch * tokens).map(|t| t % (centres - 1)).collect();
        let x = along_axes(&owner, batch, c);

        let (_, sums, found) = ops::refine_centres(&ops::scale(&x, BEFORE), &axes);
        let found = found.to_vec().unwrap();
        assert!(found.iter().zip(&owner).all(|(&f, &o)| f as usize == o));
        let last = &sums.to_vec().unwrap()[(centres - 1) * c..];
        assert!(last.iter().all(|&s| s == 0.0), "the last centre is empty");
        check("refine_centres", &[x], |v| refine_centres(&v[0], &axes));
    }
}
