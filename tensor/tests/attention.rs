//! Attention of listed rows, forward and backward, against host loops in f64.

mod common;

use common::{assert_close, device, host, random};
use tensor::Tensor;
use tensor::ops::{self, AttentionLists, RowLists};

const NONE: u32 = RowLists::NONE;

/// One attention: sizes, lists, and the data of [`Case::tensors`].
struct Case {
    batch: usize,
    heads: usize,
    dk: usize,
    dv: usize,
    groups: usize,
    rows: usize,
    key_rows: usize,
    queries: Vec<u32>,
    keys: Vec<u32>,
    spread: f32, // of q and k: what the scores' size depends on
}

/// What attention gives, in slots: y, lse, and the gradients dq, dk, dv.
struct Expected {
    y: Vec<f64>,
    lse: Vec<f64>,
    gradients: [Vec<f64>; 3],
}

impl Case {
    /// `queries` and `keys` slots in each of `groups`; rows at random, repeated and left out, and
    /// every seventh query slot empty.
    fn new(batch: usize, [heads, dk, dv]: [usize; 3], [groups, queries, keys]: [usize; 3]) -> Case {
        let (rows, key_rows) = (groups * queries + 3, groups * keys / 2 + 2);
        let pick = |i: usize, rows: usize| (i * 7919 + i / 3) as u32 % rows as u32;
        let query = |i| if i % 7 == 6 { NONE } else { pick(i, rows) };
        let queries = (0..groups * queries).map(query).collect();
        let keys = (0..groups * keys).map(|i| pick(i, key_rows)).collect();
        Case {
            batch,
            heads,
            dk,
            dv,
            groups,
            rows,
            key_rows,
            queries,
            keys,
            spread: 3.0,
        }
    }

    fn lists(&self) -> AttentionLists {
        AttentionLists {
            queries: RowLists::new(&device(), &self.queries, self.groups, self.rows),
            keys: RowLists::new(&device(), &self.keys, self.groups, self.key_rows),
        }
    }

    /// q, k, v, dy.
    fn tensors(&self) -> [Tensor; 4] {
        let Case {
            batch,
            heads,
            dk,
            dv,
            ..
        } = *self;
        [
            ops::scale(&random(1, &[batch, self.rows, heads * dk]), self.spread),
            ops::scale(&random(2, &[batch, self.key_rows, heads * dk]), self.spread),
            random(3, &[batch, self.key_rows, heads * dv]),
            random(4, &[batch, self.queries.len(), heads * dv]),
        ]
    }

    fn expected(&self) -> Expected {
        let [q, k, v, dy] = self.tensors().map(|t| host(&t));
        let Case {
            batch,
            heads,
            dk,
            dv,
            groups,
            ..
        } = *self;
        let (slots, key_slots) = (self.queries.len(), self.keys.len());
        let (per_group, keys_per_group) = (slots / groups, key_slots / groups);
        let mut y = vec![0.0; batch * slots * heads * dv];
        let mut lse = vec![0.0; batch * heads * slots];
        let mut dq = vec![0.0; batch * self.rows * heads * dk];
        let mut dks = vec![0.0; batch * self.key_rows * heads * dk];
        let mut dvs = vec![0.0; batch * self.key_rows * heads * dv];
        let scale = 1.0 / (dk as f64).sqrt();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        for (at, lse) in lse.iter_mut().enumerate() {
            let (b, h, slot) = (at / slots / heads, at / slots % heads, at % slots);
            if self.queries[slot] == NONE {
                continue;
            }
            let q_at = ((b * self.rows + self.queries[slot] as usize) * heads + h) * dk;
            let row = &q[q_at..][..dk];
            let key_slots_here = (0..keys_per_group).map(|j| slot / per_group * keys_per_group + j);
            let key_at = |s: usize| (b * self.key_rows + self.keys[s] as usize) * heads + h;
            let score = |s: usize| dot(row, &k[key_at(s) * dk..][..dk]) * scale;
            let sum: f64 = key_slots_here.clone().map(|s| score(s).exp()).sum();
            *lse = sum.ln();
            let out =
                ((b * slots + slot) * heads + h) * dv..((b * slots + slot) * heads + h + 1) * dv;
            for s in key_slots_here.clone() {
                for (d, y) in y[out.clone()].iter_mut().enumerate() {
                    *y += score(s).exp() / sum * v[key_at(s) * dv + d];
                }
            }
            let delta = dot(&y[out.clone()], &dy[out.clone()]);
            for s in key_slots_here {
                let p = score(s).exp() / sum;
                let ds = p * (dot(&dy[out.clone()], &v[key_at(s) * dv..][..dv]) - delta) * scale;
                for d in 0..dk {
                    dq[q_at + d] += ds * k[key_at(s) * dk + d];
                    dks[key_at(s) * dk + d] += ds * row[d];
                }
                for d in 0..dv {
                    dvs[key_at(s) * dv + d] += p * dy[out.start + d];
                }
            }
        }
        Expected {
            y,
            lse,
            gradients: [dq, dks, dvs],
        }
    }

    #[track_caller]
    fn check(&self) {
        let ([q, k, v, dy], lists) = (self.tensors(), self.lists());
        let (y, lse) = ops::attention(&q, &k, &v, &lists, self.heads);
        let expected = self.expected();
        assert_close("y", &y, &expected.y, 2e-6);
        assert_close("lse", &lse, &expected.lse, 1e-6);
        let gradients = ops::attention_backward([&q, &k, &v], (&y, &lse), &dy, &lists, self.heads);
        for (i, name) in ["dq", "dk", "dv"].into_iter().enumerate() {
            assert_close(name, &gradients[i], &expected.gradients[i], 1e-5);
        }
    }
}

// Every (heads, dk, dv) is a set of kernels to compile: the tests share three.

#[test]
fn tiny_odd_sizes_match_host_loops() {
    Case::new(1, [1, 1, 1], [1, 1, 1]).check();
    Case::new(1, [2, 2, 3], [1, 1, 3]).check();
    Case::new(3, [2, 2, 3], [3, 5, 7]).check();
    Case::new(2, [2, 2, 3], [2, 17, 33]).check();
}

#[test]
fn the_networks_heads_match_host_loops() {
    Case::new(2, [4, 9, 10], [3, 32, 64]).check(); // sub-groups
    Case::new(1, [4, 9, 10], [2, 100, 100]).check(); // windows
    Case::new(1, [4, 9, 10], [5, 64, 16]).check(); // centres
}

#[test]
fn large_scores_neither_overflow_nor_lose_the_sum() {
    let mut case = Case::new(1, [4, 9, 10], [1, 20, 40]);
    case.spread = 8.0; // scores of up to ±190: exp(190) is beyond f32
    let ([q, k, v, _], lists) = (case.tensors(), case.lists());
    let (y, lse) = ops::attention(&q, &k, &v, &lists, case.heads);
    let expected = case.expected();
    // A score of 100 is known to 1e-5 only, and so is its probability.
    assert_close("y", &y, &expected.y, 3e-5);
    assert_close("lse", &lse, &expected.lse, 1e-6);
}

#[test]
fn empty_slots_let_nothing_in_whatever_row_0_holds() {
    let mut case = Case::new(1, [2, 2, 3], [1, 3, 4]);
    case.queries = vec![1, NONE, NONE];
    let ([q, k, v, dy], lists) = (case.tensors(), case.lists());
    let mut values = q.to_vec().unwrap();
    values[..4].fill(1e30);
    let q = Tensor::new(&device(), &values, q.shape());
    let (y, lse) = ops::attention(&q, &k, &v, &lists, case.heads);
    let expected = case.expected();
    assert_close("y", &y, &expected.y, 2e-6);
    let gradients = ops::attention_backward([&q, &k, &v], (&y, &lse), &dy, &lists, case.heads);
    for (i, name) in ["dq", "dk", "dv"].into_iter().enumerate() {
        assert_close(name, &gradients[i], &expected.gradients[i], 1e-5);
    }
}

#[test]
fn scores_that_keep_rising_along_the_keys_are_summed_right() {
    // Each key scores 50 more than the one before: the sums' reference must follow.
    let (d, keys) = (device(), 9);
    let lists = AttentionLists {
        queries: RowLists::new(&d, &[0], 1, 1),
        keys: RowLists::new(&d, &(0..keys as u32).collect::<Vec<_>>(), 1, keys),
    };
    let q = Tensor::full(&d, 1.0, &[1, 1, 1]);
    let k: Vec<f32> = (0..keys).map(|j| 50.0 * j as f32).collect();
    let v: Vec<f32> = (0..keys).map(|j| j as f32).collect();
    let [k, v] = [k, v].map(|t| Tensor::new(&d, &t, &[1, keys, 1]));
    let (y, lse) = ops::attention(&q, &k, &v, &lists, 1);
    assert_close("y", &y, &[8.0], 1e-6);
    assert_close("lse", &lse, &[400.0], 1e-6);
}
