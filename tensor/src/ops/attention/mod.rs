//! Attention between listed rows: windows, sub-groups and token centres alike.

mod sizes;

use super::gather::{RowLists, segment_sum};
use crate::tensor::Tensor;
use sizes::{Keys, Sizes, Tile};

const FORWARD: &str = concat!(
    include_str!("../../../../shaders/attention_place.wgsl"),
    include_str!("../../../../shaders/attention_walk.wgsl"),
    include_str!("../../../../shaders/attention.wgsl")
);
const DQ: &str = concat!(
    include_str!("../../../../shaders/attention_place.wgsl"),
    include_str!("../../../../shaders/attention_walk.wgsl"),
    include_str!("../../../../shaders/attention_dq.wgsl")
);
const DKV: &str = concat!(
    include_str!("../../../../shaders/attention_place.wgsl"),
    include_str!("../../../../shaders/attention_dkv.wgsl")
);

/// Who attends to whom: the queries of group j to the keys of group j.
#[derive(Clone)]
pub struct AttentionLists {
    /// The rows of q, in groups; slots may be empty.
    pub queries: RowLists,
    /// The rows of k and v, in as many groups; no slot may be empty.
    pub keys: RowLists,
}

impl AttentionLists {
    /// Every row of a group attends to all rows of its group.
    pub fn within(rows: RowLists) -> Self {
        AttentionLists {
            queries: rows.clone(),
            keys: rows,
        }
    }
}

/// Numbers in a record of attention_records.wgsl at most: one for every key row and head, and in the
/// gradient for every slot of a query and head, for heads of `dk` channels of queries and keys, `dv` of
/// values.
pub const fn attention_record(dk: usize, dv: usize) -> usize {
    (dk + dv + 2).next_multiple_of(4)
}

/// `y_i = Σ_j softmax_j(q_i·k_j / √dk)·v_j` over the keys j of i's group, head by head.
///
/// q `[B, N, H·dk]`, k `[B, M, H·dk]`, v `[B, M, H·dv]`, head h in channels `h·dk..` and `h·dv..`.
/// Returns y `[B, slots, H·dv]` in the order of the queries' slots ([`segment_sum`] by
/// `lists.queries` takes it to rows) and the scores' log-sum-exp `[B, H, slots]`, which the
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
    let sizes = Sizes::new(q, k, v, lists, heads);
    let AttentionLists { queries, keys } = lists;
    let y = Tensor::like(q, &[sizes.batch, sizes.slots, v.channels()]);
    let lse = Tensor::uninit(q.device(), &[sizes.batch, heads, sizes.slots]);
    let Keys { records, listed } = sizes.key_records(k, v, keys);
    let tile = Tile::new(q.device(), queries.per_group, 5);
    for walk in sizes.walks(&records, listed) {
        let constants = [("LISTED", listed as usize), ("UNIFORM1", walk.uniform)];
        let inputs = [
            q.buffer(),
            &walk.records,
            queries.index.buffer(),
            keys.index.buffer(),
        ];
        sizes.dispatch(
            (FORWARD, "attention", &constants),
            walk.lists.len() * sizes.tiles(queries, tile),
            walk.lists.start,
            tile,
            &inputs,
            &[y.buffer(), lse.buffer()],
        );
    }
    (y, lse)
}

/// The gradient of [`attention`] in slots: by each slot's query `[B, slots, H·dk]`, key
/// `[B, key slots, H·dk]` and value `[B, key slots, H·dv]`. Takes what `attention` took and gave,
/// and dy `[B, slots, H·dv]`; empty slots have no part in it.
///
/// # Panics
/// If shapes, lists and heads do not fit together.
#[track_caller]
pub fn attention_backward(
    [q, k, v]: [&Tensor; 3],
    (y, lse): (&Tensor, &Tensor),
    dy: &Tensor,
    lists: &AttentionLists,
    heads: usize,
) -> [Tensor; 3] {
    let sizes = Sizes::new(q, k, v, lists, heads);
    let AttentionLists { queries, keys } = lists;
    let (device, batch) = (q.device(), sizes.batch);
    assert!(
        y.shape() == [batch, sizes.slots, v.channels()]
            && dy.shape() == y.shape()
            && lse.shape() == [batch, heads, sizes.slots],
        "attention_backward: y {:?}, dy {:?}, lse {:?}",
        y.shape(),
        dy.shape(),
        lse.shape()
    );
    let query_records = sizes.query_records(q, (y, lse), dy, queries);
    let Keys {
        records: key_records,
        listed,
    } = sizes.key_records(k, v, keys);
    let lookup = keys.index.buffer();

    let dq = Tensor::uninit(device, &[batch, sizes.slots, q.channels()]);
    let dk = Tensor::uninit(device, &[batch, keys.len(), k.channels()]);
    let dv = Tensor::uninit(device, &[batch, keys.len(), v.channels()]);
    let tile = Tile::new(device, queries.per_group, 5);
    for walk in sizes.walks(&key_records, listed) {
        let constants = [("LISTED", listed as usize), ("UNIFORM1", walk.uniform)];
        let inputs = [query_records.buffer(), &walk.records, lookup];
        let count = walk.lists.len() * sizes.tiles(queries, tile);
        let kernel = (DQ, "attention_dq", &constants[..]);
        sizes.dispatch(
            kernel,
            count,
            walk.lists.start,
            tile,
            &inputs,
            &[dq.buffer()],
        );
    }
    let tile = Tile::new(device, keys.per_group, 4);
    for walk in sizes.walks(&query_records, true) {
        let constants = [("LISTED", listed as usize), ("UNIFORM0", walk.uniform)];
        let inputs = [&walk.records, key_records.buffer(), lookup];
        let count = walk.lists.len() * sizes.tiles(keys, tile);
        let kernel = (DKV, "attention_dkv", &constants[..]);
        let outputs = [dk.buffer(), dv.buffer()];
        sizes.dispatch(kernel, count, walk.lists.start, tile, &inputs, &outputs);
    }
    [dq, dk, dv]
}

/// The gradient of [`attention`] by the rows of q, k and v: [`attention_backward`], each row's
/// slots summed.
///
/// # Panics
/// If shapes, lists and heads do not fit together.
#[track_caller]
pub fn attention_grad(
    inputs: [&Tensor; 3],
    outputs: (&Tensor, &Tensor),
    dy: &Tensor,
    lists: &AttentionLists,
    heads: usize,
) -> [Tensor; 3] {
    let [dq, dk, dv] = attention_backward(inputs, outputs, dy, lists, heads);
    let AttentionLists { queries, keys } = lists;
    [
        segment_sum(&dq, queries),
        segment_sum(&dk, keys),
        segment_sum(&dv, keys),
    ]
}
