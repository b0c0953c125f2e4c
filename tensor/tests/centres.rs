//! Token centres against host loops.

mod common;

use common::{assert_close, assert_same_bits, device, host, random, random_vec};
use tensor::{Tensor, ops};

/// Whole numbers from -2 to 2: their inner products are exact, and often equal.
fn whole(seed: u64, shape: &[usize]) -> Tensor {
    let values = random_vec(seed, shape.iter().product());
    let values: Vec<f32> = values
        .iter()
        .map(|v| (v * 2.5).round().clamp(-2.0, 2.0))
        .collect();
    Tensor::new(&device(), &values, shape)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn owners(seed: u64, shape: [usize; 2], centres: usize) -> Tensor<u32> {
    let below = |v: &f32| ((v + 1.0) / 2.0 * centres as f32) as u32;
    let owner: Vec<u32> = random_vec(seed, shape[0] * shape[1])
        .iter()
        .map(below)
        .collect();
    Tensor::new(&device(), &owner, &shape)
}

#[test]
fn a_token_belongs_to_the_nearest_centre_and_on_ties_to_the_lowest() {
    for (tokens, centres, c) in [(1, 1, 1), (3, 5, 1), (333, 7, 3), (333, 128, 40)] {
        let (x, means) = (whole(1, &[2, tokens, c]), whole(2, &[centres, c]));
        let owner = ops::nearest_centre(&x, &means);
        assert_eq!(owner.shape(), [2, tokens]);
        let (hx, hm) = (host(&x), host(&means));
        let nearest = |x: &[f64]| {
            let dots: Vec<f64> = hm.chunks(c).map(|m| dot(x, m)).collect();
            let largest = dots.iter().copied().fold(f64::MIN, f64::max);
            dots.iter().position(|&d| d == largest).unwrap() as u32
        };
        let expected: Vec<u32> = hx.chunks(c).map(nearest).collect();
        assert_eq!(
            owner.to_vec().unwrap(),
            expected,
            "{tokens} tokens, {centres} centres"
        );
    }
}

#[test]
fn tokens_are_sorted_by_owner_and_keep_their_order_within() {
    for tokens in [1, 3, 255, 256, 257, 700] {
        for centres in [1, 3, 16, 128] {
            check_sort(&owners(3, [3, tokens], centres), centres);
            let last = vec![centres as u32 - 1; 3 * tokens];
            check_sort(&Tensor::new(&device(), &last, &[3, tokens]), centres);
        }
    }
}

fn check_sort(owner: &Tensor<u32>, centres: usize) {
    let tokens = owner.shape()[1];
    let sorted = ops::counting_sort(owner, centres);
    let (order, inverse) = (
        sorted.order.to_vec().unwrap(),
        sorted.inverse.to_vec().unwrap(),
    );
    for (b, owner) in owner.to_vec().unwrap().chunks(tokens).enumerate() {
        let (order, inverse) = (
            &order[b * tokens..][..tokens],
            &inverse[b * tokens..][..tokens],
        );
        let mut expected: Vec<u32> = (0..tokens as u32).collect();
        expected.sort_by_key(|&t| owner[t as usize]); // stable
        assert_eq!(
            order, expected,
            "{tokens} tokens, {centres} centres, image {b}"
        );
        assert!((0..tokens).all(|place| inverse[order[place] as usize] == place as u32));
    }
}

/// [M, C]: every centre's sum over the batch.
fn sums_of(x: &Tensor, owner: &Tensor<u32>, centres: usize) -> Vec<f64> {
    let c = x.channels();
    let mut sums = vec![0.0; centres * c];
    for (x, m) in host(x).chunks(c).zip(owner.to_vec().unwrap()) {
        (0..c).for_each(|i| sums[m as usize * c + i] += x[i]);
    }
    sums
}

#[test]
fn a_centre_sums_its_tokens_of_the_whole_batch() {
    for (batch, tokens, centres, c) in [(1, 1, 1, 1), (3, 33, 128, 3), (3, 700, 3, 40)] {
        let (x, owner) = (
            random(4, &[batch, tokens, c]),
            owners(5, [batch, tokens], centres),
        );
        let sums = ops::centre_sums(&x, &ops::counting_sort(&owner, centres));
        assert_eq!(sums.shape(), [centres, c]);
        assert_close("sums", &sums, &sums_of(&x, &owner, centres), 5e-6);
    }
}

#[test]
fn refined_centres_are_units_of_their_sums_and_empty_ones_stay() {
    let (batch, tokens, centres, c) = (3, 45, 64, 7);
    let x = ops::unit(&random(6, &[batch, tokens, c]));
    let old = ops::unit(&random(7, &[centres, c]));
    let (new, sums, owner) = ops::refine_centres(&x, &old);
    let expected_sums = sums_of(&x, &owner, centres);
    assert_close("sums", &sums, &expected_sums, 1e-6);

    let owner = owner.to_vec().unwrap();
    assert_eq!(owner, ops::nearest_centre(&x, &old).to_vec().unwrap());
    let owns = |m: usize, image: usize| owner[image * tokens..][..tokens].contains(&(m as u32));
    let images = |m: usize| (0..batch).filter(|&b| owns(m, b)).count();
    for wanted in [0, 1, batch] {
        let any = (0..centres).any(|m| images(m) == wanted);
        assert!(any, "the data has a centre with tokens in {wanted} images");
    }
    let (new, old) = (host(&new), host(&old));
    for m in 0..centres {
        let row = m * c..(m + 1) * c;
        if images(m) == 0 {
            assert_eq!(new[row.clone()], old[row], "empty centre {m}");
        } else {
            let sum = &expected_sums[row.clone()];
            let length = dot(sum, sum).sqrt();
            let close = |(n, s): (&f64, &f64)| (n - s / length).abs() < 1e-5;
            assert!(new[row].iter().zip(sum).all(close), "centre {m}");
        }
    }
}

fn pooled(tokens: &[f32], centres: usize) -> Vec<f32> {
    let x = Tensor::new(&device(), tokens, &[1, tokens.len(), 1]);
    ops::pool_tokens(&x, centres).to_vec().unwrap()
}

#[test]
fn pooling_mirrors_the_end_a_full_m_where_m_divides_n() {
    assert_eq!(pooled(&[1., 2., 3., 4., 6.], 4), [1.5, 3.5, 6.0, 3.5]); // 1 2 | 3 4 | 6 6 | 4 3
    assert_eq!(pooled(&[1., 2., 3., 6.], 2), [2.0, 5.0]); // 1 2 3 | 6 6 3
    assert_eq!(pooled(&[1., 2.], 5), [1., 2., 2., 1., 1.]); // back and forth
}

#[test]
fn pooled_runs_are_averaged_over_the_batch() {
    let sizes = [
        (1, 1),
        (1, 5),
        (3, 16),
        (4, 4),
        (5, 1),
        (8, 4),
        (9, 4),
        (50, 16),
        (700, 128),
    ];
    for (n, centres) in sizes {
        let (batch, c) = (3, 7);
        let x = random(8, &[batch, n, c]);
        let hx = host(&x);
        let run = n / centres + 1;
        let there_and_back = (0..n).chain((0..n).rev()).cycle();
        let sequence: Vec<usize> = there_and_back.take(run * centres).collect();
        let expected = common::sums([centres, c], batch * run, |m, i, l| {
            let (b, t) = (l / run, sequence[m * run + l % run]);
            hx[(b * n + t) * c + i] / (batch * run) as f64
        });
        let got = ops::pool_tokens(&x, centres);
        assert_close(
            &format!("{n} tokens, {centres} centres"),
            &got,
            &expected,
            1e-6,
        );
    }
}

#[test]
fn two_runs_give_the_same_bits() {
    let x = ops::unit(&random(9, &[3, 300, 40]));
    let old = ops::unit(&random(10, &[16, 40]));
    assert_same_bits("pool_tokens", || ops::pool_tokens(&x, 16));
    assert_same_bits("refine_centres", || ops::refine_centres(&x, &old).0);
    assert_same_bits("sums", || ops::refine_centres(&x, &old).1);
}
