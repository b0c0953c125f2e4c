//! Tokens sorted by the centre that owns them, and moved into that order and back.

use super::check::{self, tokens};
use super::gather::row_kernel;
use crate::Tensor;
use crate::kernel::launch::Launch;
use crate::kernel::tiles;

/// Tokens sorted by owner, and back.
#[derive(Clone)]
pub struct SortedTokens {
    /// `[B, N]`: the token at each position.
    pub order: Tensor<u32>,
    /// `[B, N]`: the position of each token.
    pub inverse: Tensor<u32>,
    /// `[B, M, chunks]`: the first position of each owner's tokens of each chunk of tokens.
    pub(super) starts: Tensor<u32>,
}

impl SortedTokens {
    /// Centres and chunks.
    pub(super) fn sizes(&self) -> [usize; 2] {
        [self.starts.shape()[1], self.starts.shape()[2]]
    }
}

/// Sorts the tokens of every image by owner; the sort is stable. `owner` `[B, N]`, below `centres`.
///
/// # Panics
/// If owner is not `[B, N]`.
#[track_caller]
pub fn counting_sort(owner: &Tensor<u32>, centres: usize) -> SortedTokens {
    let &[batch, n] = owner.shape() else {
        panic!("counting_sort: owner {:?} is not [B, N]", owner.shape())
    };
    let device = owner.device();
    let team = tiles::counting_sort(device.target());
    let chunk = team.map_or(n, |_| tiles::SORT_CHUNK);
    let chunks = n.div_ceil(chunk);
    let sorted = SortedTokens {
        order: Tensor::uninit(device, &[batch, n]),
        inverse: Tensor::uninit(device, &[batch, n]),
        starts: Tensor::uninit(device, &[batch, centres, chunks]),
    };
    let SortedTokens {
        order,
        inverse,
        starts,
    } = &sorted;
    let plain = Launch::new("plain/counting_sort", "counting_sort")
        .input(owner)
        .output(starts)
        .output(order)
        .output(inverse)
        .params(&[batch * centres, n, centres, chunks])
        .each(batch * centres);
    let Some(team) = team else {
        plain.run();
        return sorted;
    };
    let kernel = |entry, count| {
        Launch::new("tuned/counting_sort", entry)
            .constant("CHUNK", chunk)
            .params(&[n, centres, chunks, count])
    };
    let lists = batch * chunks * team.whole(centres);
    let counted = kernel("sort_count", lists).input(owner).output(starts);
    let counted = counted.invocations_of(team, lists).feeds().run();
    let scan = kernel("sort_scan", batch).output(starts).needs(&counted);
    let scanned = scan
        .invocations_of(team, 0)
        .groups([batch, 1, 1])
        .feeds()
        .run();
    let count = batch * chunks * chunk;
    kernel("sort_place", count)
        .input(owner)
        .input(starts)
        .output(order)
        .output(inverse)
        .invocations_of(team, count)
        .needs(&counted)
        .needs(&scanned)
        .or(plain)
        .run();
    sorted
}

/// Tokens in the order of their owners: `y[b, i] = x[b, order[b, i]]`, `[B, N, C]`.
/// [`unsort_tokens`] is its derivative.
///
/// # Panics
/// If other tokens were sorted.
#[track_caller]
pub fn sort_tokens(x: &Tensor, sorted: &SortedTokens) -> Tensor {
    permuted("sort_tokens", x, &sorted.order)
}

/// Sorted tokens back in their own order, `[B, N, C]`. [`sort_tokens`] is its derivative.
///
/// # Panics
/// If other tokens were sorted.
#[track_caller]
pub fn unsort_tokens(x: &Tensor, sorted: &SortedTokens) -> Tensor {
    permuted("unsort_tokens", x, &sorted.inverse)
}

#[track_caller]
fn permuted(op: &str, x: &Tensor, order: &Tensor<u32>) -> Tensor {
    let [batch, n, _] = tokens(op, x);
    check::shape(op, "order", order, &[batch, n]);
    let y = Tensor::like(x, x.shape());
    let (launch, count) = row_kernel("plain/sort_tokens", "sort_tokens", &y, batch * n);
    let launch = launch.input(x).input(order).output(&y);
    launch.params(&[count, n]).each(count).run();
    y
}
