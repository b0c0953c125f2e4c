//! Attention between listed rows: windows, sub-groups and token centres alike.

use std::ops::Range;

use super::gather::{RowLists, segment_sum, tokens};
use super::parts::{fits_window, windows};
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

/// Numbers in a record of attention_records.wgsl at most: one for every key row and head, and in the
/// gradient for every slot of a query and head, for heads of `dk` channels of queries and keys, `dv` of
/// values.
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
    lists: usize,      // of each group and head
    fours: [usize; 2], // of the records of keys and of queries
    params: [u32; 6],  // groups, queries, keys, rows, key rows, scale
}

/// The records that a kernel walks over, of all lists or of some.
struct Walk {
    lists: Range<usize>,
    records: Buffer,
    uniform: usize, // the records' fours where they are bound as a uniform, else 0
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
        let share = q.device().lanes().div_ceil(BLOCK);
        let fours = [
            channels / heads + value_channels / heads,
            channels / heads + value_channels / heads + 2,
        ]
        .map(|numbers: usize| numbers.div_ceil(4).next_multiple_of(share));
        let scale = std::f32::consts::LOG2_E / (dk as f32).sqrt(); // scores as exponents of 2
        Sizes {
            batch,
            heads,
            dk,
            dv: value_channels / heads,
            slots: queries.len(),
            lists: batch * queries.groups * heads,
            fours,
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

    /// Keys and values, packed for the kernels: see attention_records.wgsl. By lists where those can be
    /// taken as uniforms, else by rows.
    fn key_records(&self, k: &Tensor, v: &Tensor, keys: &RowLists) -> Keys {
        let (device, numbers) = (k.device(), 4 * self.fours[0]);
        let record = 4 * numbers as u64; // bytes
        let fits = |most: Option<u64>, records: usize| {
            most.is_some_and(|most| records as u64 * record <= most)
        };
        let listed = !k.is_half()
            && !fits(device.window(), k.rows() * self.heads)
            && fits(device.window(), keys.per_group)
            && fits(Some(device.max_tensor_bytes()), self.lists * keys.per_group);
        let shape = match listed {
            true => [self.lists, 1, keys.per_group, numbers],
            false => [self.batch, k.shape()[1], self.heads, numbers],
        };
        let records = Tensor::like(k, &shape);
        let inputs = [k.buffer(), v.buffer(), keys.index.buffer()];
        let kernel = (
            RECORDS,
            "attention_keys",
            &[("LISTED", listed as usize)][..],
        );
        self.dispatch(
            kernel,
            records.rows(),
            0,
            EACH,
            &inputs,
            &[records.buffer()],
        );
        Keys { records, listed }
    }

    /// What the gradient needs of every query, by list.
    fn query_records(
        &self,
        q: &Tensor,
        (y, lse): (&Tensor, &Tensor),
        dy: &Tensor,
        queries: &RowLists,
    ) -> Tensor {
        let records = Tensor::uninit(
            q.device(),
            &[self.lists, queries.per_group, 4 * self.fours[1]],
        );
        let inputs = [q, y, dy, lse].map(Tensor::buffer);
        let inputs = [&inputs[..], &[queries.index.buffer()]].concat();
        let kernel = (RECORDS, "attention_queries", &[("LISTED", 0)][..]);
        self.dispatch(
            kernel,
            records.rows(),
            0,
            EACH,
            &inputs,
            &[records.buffer()],
        );
        records
    }

    /// How a kernel walks over records, which are those of one list after another if `listed`: window
    /// by window, if so, where a device asks for that.
    fn walks(&self, records: &Tensor, listed: bool) -> Vec<Walk> {
        let (device, all) = (records.device(), records.buffer());
        let list = all.bytes as usize / self.lists;
        let cut = (listed && !fits_window(records) && !records.is_half())
            .then(|| windows(device, self.lists, list));
        match cut.flatten() {
            Some(windows) => windows
                .map(|lists| Walk {
                    records: all.part((lists.start * list) as u64, (lists.len() * list) as u64),
                    uniform: lists.len() * list / 16,
                    lists,
                })
                .collect(),
            None => vec![Walk {
                lists: 0..self.lists,
                records: all.clone(),
                uniform: if fits_window(records) {
                    records.len() / 4
                } else {
                    0
                },
            }],
        }
    }

    /// How many tiles of one list's slots there are.
    fn tiles(&self, tiled: &RowLists, tile: Tile) -> usize {
        tiled.per_group.div_ceil(tile.rows * tile.lanes)
    }

    /// Dispatches a kernel, with constants of its own, of so many tiles, from list `first` on.
    fn dispatch(
        &self,
        (source, entry, constants): (&'static str, &'static str, &[(&'static str, usize)]),
        count: usize,
        first: usize,
        tile: Tile,
        inputs: &[&Buffer],
        outputs: &[&Buffer],
    ) {
        let common = [
            ("WG", tile.workgroup),
            ("LANES", tile.lanes),
            ("R", tile.rows),
            ("BLOCK", tile.block),
            ("H", self.heads),
            ("DK", self.dk),
            ("DV", self.dv),
            ("KEY_FOURS", self.fours[0]),
            ("QUERY_FOURS", self.fours[1]),
            ("VEC", 4),
        ];
        let constants = [&common, constants].concat();
        let constants: Vec<_> = constants
            .iter()
            .map(|&(name, v)| (name, v as u32))
            .collect();
        let kernel = Kernel {
            source,
            entry,
            constants: &constants,
        };
        let [groups, queries, keys, rows, key_rows, scale] = self.params;
        let [count32, first] = [count, first].map(|n| n as u32);
        let params = [count32, first, groups, queries, keys, rows, key_rows, scale];
        let workgroups = grid((count * tile.lanes).div_ceil(tile.workgroup));
        outputs[0]
            .device()
            .dispatch(&kernel, inputs, outputs, &params, workgroups);
    }
}

/// Keys and values as the kernels take them.
struct Keys {
    records: Tensor,
    listed: bool, // by lists, else by rows
}

/// How the kernels cut their work: see attention.wgsl.
#[derive(Clone, Copy)]
struct Tile {
    workgroup: usize,
    lanes: usize,
    rows: usize,  // held by an invocation
    block: usize, // of the other side, taken in one step
}

/// The keys, or queries, of a step on a software driver: their code fits an instruction cache.
const BLOCK: usize = 8;

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
            block: BLOCK,
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
