//! Token centres: which centre owns a token, tokens sorted by owner, and the centres' refinement.

use super::reduce::sum_rows;
use super::unit::unit;
use crate::pipeline::Kernel;
use crate::record::grid;
use crate::tensor::WG;
use crate::{Device, Tensor};

const NEAREST: &str = include_str!("../../../shaders/nearest_centre.wgsl");
const SORT: &str = include_str!("../../../shaders/counting_sort.wgsl");
const CENTRES: &str = include_str!("../../../shaders/centres.wgsl");
const CHUNK: usize = 256; // tokens among which a sort counts
const PARTS: usize = 16; // invocations that share the sum of one centre

/// Tokens sorted by owner, and back.
#[derive(Clone)]
pub struct SortedTokens {
    /// `[B, N]`: the token at each place.
    pub order: Tensor<u32>,
    /// `[B, N]`: the place of each token.
    pub inverse: Tensor<u32>,
    /// `[B, M, chunks]`: the first place of each owner's tokens of each chunk.
    starts: Tensor<u32>,
}

/// For every token the centre of largest inner product, the lowest on ties.
/// `x` `[B, N, C]` and `centres` `[M, C]` have rows of unit length → `[B, N]`.
#[track_caller]
pub fn nearest_centre(x: &Tensor, centres: &Tensor) -> Tensor<u32> {
    let (tokens, c) = (x.rows(), x.channels());
    assert_eq!(
        centres.channels(),
        c,
        "nearest_centre: {:?}, {:?}",
        x.shape(),
        centres.shape()
    );
    let owner = Tensor::uninit(x.device(), &x.shape()[..x.shape().len() - 1]);
    let lanes = x.device().lanes();
    let block = (1..=20).rev().find(|&b| c.is_multiple_of(b)).unwrap_or(1);
    let r = if lanes == 8 { 8 } else { 4 };
    let (r, wg, step) = match x.device().is_software() {
        true if (c / block).is_multiple_of(lanes.div_ceil(8)) => (r, 8.max(lanes), 8),
        true => (r, 8.max(lanes), 8.max(lanes)),
        false => (1, WG, 1),
    };
    let constants = [
        ("C", c),
        ("CB", block),
        ("R", r),
        ("BLOCK", step),
        ("LANES", lanes),
        ("WG", wg),
    ];
    let constants = &constants.map(|(name, value)| (name, value as u32));
    let kernel = Kernel {
        source: NEAREST,
        entry: "nearest_centre",
        constants,
    };
    let params = [tokens as u32, centres.rows() as u32];
    let inputs = [x.buffer(), centres.buffer()];
    let groups = grid(tokens.div_ceil(r * wg));
    x.device()
        .dispatch(&kernel, &inputs, &[owner.buffer()], &params, groups);
    owner
}

/// Sorts the tokens of every image by owner; the sort is stable. `owner` `[B, N]`, below `centres`.
#[track_caller]
pub fn counting_sort(owner: &Tensor<u32>, centres: usize) -> SortedTokens {
    let &[batch, tokens] = owner.shape() else {
        panic!("counting_sort: owner {:?} is not [B, N]", owner.shape())
    };
    let device = owner.device();
    let (lanes, chunks) = (device.lanes(), tokens.div_ceil(CHUNK));
    let starts = Tensor::<u32>::uninit(device, &[batch, centres, chunks]);
    let order = Tensor::uninit(device, &[batch, tokens]);
    let inverse = Tensor::uninit(device, &[batch, tokens]);
    let run = |entry, inputs: &[_], outputs: &[_], count: usize, groups| {
        let kernel = Kernel {
            source: SORT,
            entry,
            constants: &[("WG", WG), ("CHUNK", CHUNK), ("LANES", lanes)]
                .map(|(c, v)| (c, v as u32)),
        };
        let params = [tokens, centres, chunks, count].map(|v| v as u32);
        device.dispatch(&kernel, inputs, outputs, &params, groups);
    };
    let lists = batch * chunks * centres.next_multiple_of(lanes);
    let groups = grid(lists.div_ceil(WG));
    let outputs = [starts.buffer()];
    run("sort_count", &[owner.buffer()], &outputs, lists, groups);
    run("sort_scan", &[], &outputs, batch, [batch, 1, 1]);
    let places = batch * chunks * CHUNK;
    let inputs = [owner.buffer(), starts.buffer()];
    let outputs = [order.buffer(), inverse.buffer()];
    let groups = grid(places.div_ceil(WG));
    run("sort_place", &inputs, &outputs, places, groups);
    SortedTokens {
        order,
        inverse,
        starts,
    }
}

/// Runs a kernel of centres.wgsl: one invocation per element of `out`.
fn run(
    entry: &'static str,
    inputs: &[&crate::device::Buffer],
    out: &Tensor,
    sizes: [usize; 4], // batch, tokens, centres, chunks
) {
    let [batch, tokens, centres, chunks] = sizes;
    let params = [out.len(), batch, tokens, chunks].map(|v| v as u32);
    let constants = &[
        ("WG", WG as u32),
        ("C", out.channels() as u32),
        ("M", centres as u32),
        ("PARTS", PARTS as u32),
    ];
    let kernel = Kernel {
        source: CENTRES,
        entry,
        constants,
    };
    let device: &Device = out.device();
    device.dispatch(
        &kernel,
        inputs,
        &[out.buffer()],
        &params,
        grid(out.len().div_ceil(WG)),
    );
}

/// The sums of each centre's tokens over the whole batch: `x` `[B, N, C]` → `[M, C]`.
#[track_caller]
pub fn centre_sums(x: &Tensor, sorted: &SortedTokens) -> Tensor {
    let (batch, tokens) = (sorted.order.shape()[0], sorted.order.shape()[1]);
    assert_eq!(x.rows(), batch * tokens, "centre_sums: x {:?}", x.shape());
    let (centres, chunks) = (sorted.starts.shape()[1], sorted.starts.shape()[2]);
    let c = x.channels();
    let partial = Tensor::uninit(x.device(), &[batch * PARTS, centres, c]);
    let inputs = [x.buffer(), sorted.order.buffer(), sorted.starts.buffer()];
    run(
        "segment_partial",
        &inputs,
        &partial,
        [batch, tokens, centres, chunks],
    );
    sum_rows(&partial.reshape(&[batch * PARTS, centres * c])).reshape(&[centres, c])
}

/// One refinement: each centre becomes the unit of the sum of its tokens; one that owns nothing
/// stays. `x` `[B, N, C]` and `centres` `[M, C]` have rows of unit length.
/// Returns the new centres `[M, C]`, the sums `[M, C]`, and the owners `[B, N]` it went by.
#[track_caller]
pub fn refine_centres(x: &Tensor, centres: &Tensor) -> (Tensor, Tensor, Tensor<u32>) {
    let owner = nearest_centre(x, centres);
    let sorted = counting_sort(&owner, centres.rows());
    let sums = centre_sums(x, &sorted);
    let fresh = unit(&sums);
    let kept = Tensor::uninit(x.device(), centres.shape());
    let (batch, tokens) = (owner.shape()[0], owner.shape()[1]);
    let sizes = [batch, tokens, centres.rows(), sorted.starts.shape()[2]];
    let inputs = [fresh.buffer(), centres.buffer(), sorted.starts.buffer()];
    run("keep_empty", &inputs, &kept, sizes);
    (kept, sums, owner)
}

/// The initial centres: the token sequence, its end mirrored up to a multiple of M (by a full M
/// where M divides N), cut into M runs; the mean of each over the batch. `x` `[B, N, C]` → `[M, C]`.
#[track_caller]
pub fn pool_tokens(x: &Tensor, centres: usize) -> Tensor {
    let &[batch, tokens, c] = x.shape() else {
        panic!("pool_tokens: x {:?}", x.shape())
    };
    let pooled = Tensor::uninit(x.device(), &[centres, c]);
    run(
        "pool_tokens",
        &[x.buffer()],
        &pooled,
        [batch, tokens, centres, 1],
    );
    pooled
}
