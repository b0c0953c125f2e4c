//! Token centres: which centre owns a token, and the centres' refinement.

use super::check::{self, tokens};
use super::reduce::sum_rows;
use super::sort::{SortedTokens, counting_sort};
use super::unit::unit;
use crate::Tensor;
use crate::kernel::launch::Launch;
use crate::kernel::tiles;

const PARTS: usize = 16; // invocations that share the sum of one centre

/// For every token the centre of largest inner product, the lowest on ties.
/// `x` `[B, N, C]` and `centres` `[M, C]` have rows of unit length → `[B, N]`.
///
/// # Panics
/// If the channels differ.
#[track_caller]
pub fn nearest_centre(x: &Tensor, centres: &Tensor) -> Tensor<u32> {
    let (n, c) = (x.rows(), x.channels());
    check::shape("nearest_centre", "centres", centres, &[centres.rows(), c]);
    let owner = Tensor::uninit(x.device(), &x.shape()[..x.shape().len() - 1]);
    let kernel = |file| {
        let launch = Launch::new(file, "nearest_centre").input(x).input(centres);
        launch.output(&owner).params(&[n, centres.rows()])
    };
    let plain = kernel("plain/nearest_centre").param(c).each(n);
    match tiles::nearest_centre(x.device().target(), c) {
        Some(tile) => kernel("tuned/nearest_centre")
            .constants(&tile.constants)
            .teams(tile.teams(n), tile.team)
            .or(plain)
            .run(),
        None => plain.run(),
    };
    owner
}

/// A kernel of centres.wgsl, for one invocation per element of `out`.
fn kernel(entry: &'static str, centres: usize, out: &Tensor) -> Launch {
    Launch::new("plain/centres", entry)
        .constants(&[("C", out.channels()), ("M", centres), ("PARTS", PARTS)])
        .param(out.len())
        .each(out.len())
}

/// The sums of each centre's tokens over the whole batch: `x` `[B, N, C]` → `[M, C]`.
///
/// # Panics
/// If x has not as many tokens as were sorted.
#[track_caller]
pub fn centre_sums(x: &Tensor, sorted: &SortedTokens) -> Tensor {
    let [batch, n, c] = tokens("centre_sums", x);
    check::shape("centre_sums", "order", &sorted.order, &[batch, n]);
    let [m, chunks] = sorted.sizes();
    let parts = Tensor::uninit(x.device(), &[batch * PARTS, m, c]);
    kernel("centre_sums", m, &parts)
        .input(x)
        .input(&sorted.order)
        .input(&sorted.starts)
        .output(&parts)
        .params(&[batch, n, chunks])
        .run();
    sum_rows(&parts.reshape(&[batch * PARTS, m * c])).reshape(&[m, c])
}

/// One refinement: each centre becomes the unit of the sum of its tokens; one that owns nothing
/// stays. `x` `[B, N, C]` and `centres` `[M, C]` have rows of unit length.
/// Returns the new centres `[M, C]`, the sums `[M, C]`, and the owners `[B, N]` it went by.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn refine_centres(x: &Tensor, centres: &Tensor) -> (Tensor, Tensor, Tensor<u32>) {
    let owner = nearest_centre(x, centres);
    let sorted = counting_sort(&owner, centres.rows());
    let sums = centre_sums(x, &sorted);
    let kept = Tensor::uninit(x.device(), centres.shape());
    let [m, chunks] = sorted.sizes();
    kernel("keep_empty", m, &kept)
        .input(&unit(&sums))
        .input(centres)
        .input(&sorted.starts)
        .output(&kept)
        .params(&[owner.shape()[0], owner.shape()[1], chunks])
        .run();
    (kept, sums, owner)
}

/// The initial centres: the token sequence, its end mirrored up to a multiple of M (by a full M
/// where M divides N), cut into M runs; the mean of each over the batch. `x` `[B, N, C]` → `[M, C]`.
///
/// # Panics
/// If x is not `[B, N, C]`.
#[track_caller]
pub fn pool_tokens(x: &Tensor, centres: usize) -> Tensor {
    let [batch, n, c] = tokens("pool_tokens", x);
    let pooled = Tensor::uninit(x.device(), &[centres, c]);
    kernel("pool_tokens", centres, &pooled)
        .input(x)
        .output(&pooled)
        .params(&[batch, n, 1])
        .run();
    pooled
}
