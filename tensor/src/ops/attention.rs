//! Attention between listed rows: windows, sub-groups and token centres alike.

use super::gather::{RowLists, segment_sum, tokens};
use crate::device::{Buffer, Device};
use crate::pipeline::Kernel;
use crate::record::grid;
use crate::tensor::{Tensor, WG};

const FORWARD: &str = concat!(
    include_str!("../../../shaders/attention_place.wgsl"),
    include_str!("../../../shaders/attention.wgsl")
);
const RECORDS: &str = concat!(
    include_str!("../../../shaders/attention_place.wgsl"),
    include_str!("../../../shaders/attention_records.wgsl")
);
const DQ: &str = concat!(
    include_str!("../../../shaders/attention_place.wgsl"),
    include_str!("../../../shaders/attention_dq.wgsl")
);
const DKV: &str = concat!(
    include_str!("../../../shaders/attention_place.wgsl"),
    include_str!("../../../shaders/attention_dkv.wgsl")
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

/// Numbers in a record of attention_records.wgsl: one for every key row and head, and in the gradient
/// for every slot of a query and head, for heads of `dk` channels of queries and keys, `dv` of values.
pub const fn attention_record(dk: usize, dv: usize) -> usize {
    (dk + dv + 2).next_multiple_of(8)
}

/// The sizes of one attention, checked.
struct Sizes {
    batch: usize,
    heads: usize,
    dk: usize, // channels per head, of queries and keys
    dv: usize, // … of values
    slots: usize,
    params: [u32; 6], // groups, queries, keys, rows, key rows, scale
}

impl Sizes {
    #[track_caller]
    fn new(q: &Tensor, k: &Tensor, v: &Tensor, lists: &AttentionLists, heads: usize) -> Sizes {
        let [batch, rows, channels] = tokens("attention", q);
        let AttentionLists { queries, keys } = lists;
        let value_channels = v.channels();
        assert!(
            k.shape() == [batch, keys.source_rows, channels]
                && v.shape() == [batch, keys.source_rows, value_channels]
                && rows == queries.source_rows
                && queries.groups == keys.groups
                && channels.is_multiple_of(heads)
                && value_channels.is_multiple_of(heads),
            "attention: q {:?}, k {:?}, v {:?} in {heads} heads, lists of {} groups for {} rows \
             and {} for {}",
            q.shape(),
            k.shape(),
            v.shape(),
            queries.groups,
            queries.source_rows,
            keys.groups,
            keys.source_rows,
        );
        let dk = channels / heads;
        let [groups, per_group, key_rows] = [queries.groups, queries.per_group, keys.source_rows];
        let [groups, queries_each, keys_each, rows, key_rows] =
            [groups, per_group, keys.per_group, rows, key_rows].map(|n| n as u32);
        let scale = std::f32::consts::LOG2_E / (dk as f32).sqrt(); // scores as exponents of 2
        Sizes {
            batch,
            heads,
            dk,
            dv: value_channels / heads,
            slots: queries.len(),
            params: [
                groups,
                queries_each,
                keys_each,
                rows,
                key_rows,
                scale.to_bits(),
            ],
        }
    }

    fn record(&self) -> usize {
        attention_record(self.dk, self.dv)
    }

    /// Keys and values, packed by row and head for the kernels: see attention_records.wgsl.
    fn key_records(&self, k: &Tensor, v: &Tensor) -> Tensor {
        let records = Tensor::like(k, &[self.batch, k.shape()[1], self.heads, self.record()]);
        let count = k.rows() * self.heads;
        let (inputs, outputs) = ([k.buffer(), v.buffer()], [records.buffer()]);
        self.dispatch((RECORDS, "attention_keys"), count, EACH, &inputs, &outputs);
        records
    }

    /// What the gradient needs of every query, by slot and head.
    fn query_records(
        &self,
        q: &Tensor,
        (y, lse): (&Tensor, &Tensor),
        dy: &Tensor,
        queries: &RowLists,
    ) -> Tensor {
        let shape = [self.batch, self.heads, self.slots, self.record()];
        let records = Tensor::uninit(q.device(), &shape);
        let inputs = [q, y, dy, lse].map(Tensor::buffer);
        let inputs = [&inputs[..], &[queries.index.buffer()]].concat();
        let count = self.batch * self.heads * self.slots;
        let kernel = (RECORDS, "attention_queries");
        self.dispatch(kernel, count, EACH, &inputs, &[records.buffer()]);
        records
    }

    /// How many tiles of one group's slots for one head there are.
    fn tiles(&self, tiled: &RowLists, tile: Tile) -> usize {
        let tiles = tiled.per_group.div_ceil(tile.rows * tile.lanes);
        self.batch * tiled.groups * self.heads * tiles
    }

    /// Dispatches a kernel of so many tiles.
    fn dispatch(
        &self,
        (source, entry): (&'static str, &'static str),
        count: usize,
        tile: Tile,
        inputs: &[&Buffer],
        outputs: &[&Buffer],
    ) {
        let constants = [
            ("WG", tile.workgroup),
            ("LANES", tile.lanes),
            ("R", tile.rows),
            ("BLOCK", tile.block),
            ("H", self.heads),
            ("DK", self.dk),
            ("DV", self.dv),
            ("VEC", 4),
        ]
        .map(|(name, value)| (name, value as u32));
        let kernel = Kernel {
            source,
            entry,
            constants: &constants,
        };
        let [groups, queries, keys, rows, key_rows, scale] = self.params;
        let params = [count as u32, groups, queries, keys, rows, key_rows, scale];
        let workgroups = grid((count * tile.lanes).div_ceil(tile.workgroup));
        outputs[0]
            .device()
            .dispatch(&kernel, inputs, outputs, &params, workgroups);
    }
}

/// How the kernels cut their work: see attention.wgsl.
#[derive(Clone, Copy)]
struct Tile {
    workgroup: usize,
    lanes: usize,
    rows: usize,  // held by an invocation
    block: usize, // of the other side, taken in one step
}

/// One invocation for each record.
const EACH: Tile = Tile {
    workgroup: WG,
    lanes: 1,
    rows: 1,
    block: 1,
};

impl Tile {
    /// For groups of this many slots. On a software driver a step's loads, about as dear as three
    /// rows of it, are shared by the rows of a tile: at most as many as `fit` an instruction cache of
    /// 32 KiB, all loops unrolled, and few of them beyond the group's end. A GPU wants many invocations.
    fn new(device: &Device, slots: usize, fit: usize) -> Tile {
        let lanes = device.lanes();
        if !device.is_software() {
            let (workgroup, rows, block) = (64, 1, 4);
            return Tile {
                workgroup,
                lanes,
                rows,
                block,
            };
        }
        let cost = |rows: &usize| slots.div_ceil(rows * lanes) * (rows + 3);
        let rows = (1..=fit).rev().min_by_key(cost).unwrap_or(1);
        Tile {
            workgroup: 8.max(lanes),
            lanes,
            rows,
            block: 8,
        }
    }
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
    let records = sizes.key_records(k, v);
    let inputs = [q.buffer(), records.buffer()];
    let inputs = [&inputs[..], &[queries.index.buffer(), keys.index.buffer()]].concat();
    let tile = Tile::new(q.device(), queries.per_group, 5);
    sizes.dispatch(
        (FORWARD, "attention"),
        sizes.tiles(queries, tile),
        tile,
        &inputs,
        &[y.buffer(), lse.buffer()],
    );
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
    let key_records = sizes.key_records(k, v);
    let inputs = [
        query_records.buffer(),
        key_records.buffer(),
        keys.index.buffer(),
    ];

    let dq = Tensor::uninit(device, &[batch, sizes.slots, q.channels()]);
    let dk = Tensor::uninit(device, &[batch, keys.len(), k.channels()]);
    let dv = Tensor::uninit(device, &[batch, keys.len(), v.channels()]);
    let tile = Tile::new(device, queries.per_group, 5);
    let count = sizes.tiles(queries, tile);
    sizes.dispatch((DQ, "attention_dq"), count, tile, &inputs, &[dq.buffer()]);
    let tile = Tile::new(device, keys.per_group, 4);
    let count = sizes.tiles(keys, tile);
    let outputs = [dk.buffer(), dv.buffer()];
    sizes.dispatch((DKV, "attention_dkv"), count, tile, &inputs, &outputs);
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
