//! Attention between listed rows: windows, sub-groups and token centres alike.

use super::check;
use super::gather::segment_sum;
use crate::Tensor;
use crate::kernel::launch::Launch;
use crate::kernel::packed::{Packed, Sizes};
use crate::kernel::tiles::{self, Walk};
use crate::lists::{AttentionLists, RowLists};

/// `y_i = Σ_j softmax_j(q_i·k_j / √dk)·v_j` over the keys j of i's group, head by head.
///
/// q `[B, N, H·dk]`, k `[B, Nk, H·dk]`, v `[B, Nk, H·dv]`, head h in channels `h·dk..` and `h·dv..`.
/// Returns y `[B, S, H·dv]` in the order of the queries' slots ([`segment_sum`] by
/// `lists.queries` takes it to rows) and the scores' log-sum-exp `[B, H, S]`, which the
/// gradient needs. Empty slots give zeros. Scores are never stored.
///
/// # Panics
/// If shapes, lists and heads do not fit together.
#[track_caller]
pub fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    lists: &AttentionLists,
    heads: usize,
) -> (Tensor, Tensor) {
    let sizes = Sizes::new([q, k, v], lists, heads);
    let AttentionLists { queries, keys } = lists;
    let y = Tensor::like(q, &[sizes.batch, queries.len(), v.channels()]);
    let lse = Tensor::uninit(q.device(), &[sizes.batch, heads, queries.len()]);
    let plain = || {
        let launch = sizes.plain("plain/attention", "attention", queries.len());
        let launch = launch.input(q).input(k).input(v);
        let launch = launch.input(&queries.index).input(&keys.index);
        launch.output(&y).output(&lse)
    };
    let Some(tile) = tiles::attention(q.device().target(), queries.per_group) else {
        plain().run();
        return (y, lse);
    };
    let packed = Packed::keys(&sizes, k, v, keys);
    let run = |launch: Launch, keys_packed: &Tensor, is_uniform| {
        launch
            .input(q)
            .input_as(keys_packed, is_uniform)
            .input(&keys.index)
            .input(&queries.index)
            .output(&y)
            .output(&lse)
            .constants(&packed.constants())
            .needs(&packed.kernel)
            .or(plain())
            .run();
    };
    let counts = (queries.per_group, keys.per_group);
    if let Some(tile) = tiles::attention_scalar(q.device().target(), counts, Walk::Keys) {
        let launch = sizes.scalar("tuned/attention_scalar", "attention", tile, queries);
        run(launch, packed.all(), false);
        return (y, lse);
    }
    for piece in packed.pieces(&sizes) {
        let launch = sizes.tuned("tuned/attention", "attention", tile, &piece.lists, queries);
        run(launch, &piece.packed, piece.is_uniform);
    }
    (y, lse)
}

/// The gradient of [`attention`] by the rows of q, k and v. Takes what `attention` took and gave, and dy
/// `[B, S, H·dv]`; empty slots have no part in it.
///
/// # Panics
/// If shapes, lists and heads do not fit together.
#[track_caller]
pub fn attention_backward(
    inputs: [&Tensor; 3],
    outputs: (&Tensor, &Tensor),
    dy: &Tensor,
    lists: &AttentionLists,
    heads: usize,
) -> [Tensor; 3] {
    let [dq, dk, dv] = by_slots(inputs, outputs, dy, lists, heads);
    let AttentionLists { queries, keys } = lists;
    [
        segment_sum(&dq, queries),
        segment_sum(&dk, keys),
        segment_sum(&dv, keys),
    ]
}

/// The gradient by each slot's query `[B, S, H·dk]`, key `[B, key slots, H·dk]` and value
/// `[B, key slots, H·dv]`.
#[track_caller]
fn by_slots(
    [q, k, v]: [&Tensor; 3],
    (y, lse): (&Tensor, &Tensor),
    dy: &Tensor,
    lists: &AttentionLists,
    heads: usize,
) -> [Tensor; 3] {
    let op = "attention_backward";
    let sizes = Sizes::new([q, k, v], lists, heads);
    let AttentionLists { queries, keys } = lists;
    let (device, batch) = (q.device(), sizes.batch);
    check::shape(op, "y", y, &[batch, queries.len(), v.channels()]);
    check::shape(op, "dy", dy, y.shape());
    check::shape(op, "lse", lse, &[batch, heads, queries.len()]);
    let dq = Tensor::uninit(device, &[batch, queries.len(), q.channels()]);
    let dk = Tensor::uninit(device, &[batch, keys.len(), k.channels()]);
    let dv = Tensor::uninit(device, &[batch, keys.len(), v.channels()]);
    let plain = |entry, slots| {
        let launch = sizes.plain("plain/attention_backward", entry, slots);
        let launch = launch.input(q).input(k).input(v);
        let launch = launch.input(&queries.index).input(&keys.index);
        launch.input(y).input(lse).input(dy)
    };
    let plain_q = || plain("attention_backward_q", queries.len()).output(&dq);
    let plain_kv = || {
        let launch = plain("attention_backward_kv", keys.len());
        launch.output(&dk).output(&dv)
    };
    let tile = |slots| tiles::attention(device.target(), slots);
    let (Some(tile_q), Some(tile_kv)) = (tile(queries.per_group), tile(keys.per_group)) else {
        plain_q().run();
        plain_kv().run();
        return [dq, dk, dv];
    };
    let packed_q = Packed::queries(&sizes, q, (y, lse), dy, queries);
    let packed_k = Packed::keys(&sizes, k, v, keys);
    let run_q = |launch: Launch, packed: &Tensor, is_uniform| {
        launch
            .input(packed_q.all())
            .input_as(packed, is_uniform)
            .input(&keys.index)
            .output(&dq)
            .constants(&packed_k.constants())
            .needs(&packed_q.kernel)
            .needs(&packed_k.kernel)
            .or(plain_q())
            .run();
    };
    let run_kv = |launch: Launch, packed: &Tensor, is_uniform| {
        launch
            .input_as(packed, is_uniform)
            .input(packed_k.all())
            .input(&keys.index)
            .output(&dk)
            .output(&dv)
            .constants(&packed_q.constants_with(&packed_k))
            .needs(&packed_q.kernel)
            .needs(&packed_k.kernel)
            .or(plain_kv())
            .run();
    };
    let [name_q, name_kv] = ["attention_backward_q", "attention_backward_kv"];
    let scalar = |held: &RowLists, walked: &RowLists, walk| {
        tiles::attention_scalar(device.target(), (held.per_group, walked.per_group), walk)
    };
    if let (Some(tile_q), Some(tile_kv)) = (
        scalar(queries, keys, Walk::Keys),
        scalar(keys, queries, Walk::Queries),
    ) {
        let file = "tuned/attention_backward_q_scalar";
        let launch = sizes.scalar(file, name_q, tile_q, queries);
        run_q(launch, packed_k.all(), false);
        let file = "tuned/attention_backward_kv_scalar";
        let launch = sizes.scalar(file, name_kv, tile_kv, keys);
        run_kv(launch, packed_q.all(), false);
        return [dq, dk, dv];
    }
    for piece in packed_k.pieces(&sizes) {
        let file = "tuned/attention_backward_q";
        let launch = sizes.tuned(file, name_q, tile_q, &piece.lists, queries);
        run_q(launch, &piece.packed, piece.is_uniform);
    }
    for piece in packed_q.pieces(&sizes) {
        let file = "tuned/attention_backward_kv";
        let launch = sizes.tuned(file, name_kv, tile_kv, &piece.lists, keys);
        run_kv(launch, &piece.packed, piece.is_uniform);
    }
    [dq, dk, dv]
}
