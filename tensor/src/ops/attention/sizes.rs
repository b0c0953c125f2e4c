//! What the attention kernels are told: sizes, tiles, the records they walk over, and in which windows.

use std::ops::Range;

use super::AttentionLists;
use crate::device::{Buffer, Device};
use crate::ops::gather::{RowLists, tokens};
use crate::ops::parts::{fits_window, windows};
use crate::pipeline::Kernel;
use crate::record::grid;
use crate::tensor::{Tensor, WG};

const RECORDS: &str = concat!(
    include_str!("../../../../shaders/attention_place.wgsl"),
    include_str!("../../../../shaders/attention_records.wgsl")
);

/// The sizes of one attention, checked.
pub(super) struct Sizes {
    pub batch: usize,
    heads: usize,
    dk: usize, // channels per head, of queries and keys
    dv: usize, // … of values
    pub slots: usize,
    lists: usize,      // of each group and head
    fours: [usize; 2], // of the records of keys and of queries
    params: [u32; 6],  // groups, queries, keys, rows, key rows, scale
}

/// The records that a kernel walks over, of all lists or of some.
pub(super) struct Walk {
    pub lists: Range<usize>,
    pub records: Buffer,
    pub uniform: usize, // the records' fours where they are bound as a uniform, else 0
}

impl Sizes {
    #[track_caller]
    pub fn new(q: &Tensor, k: &Tensor, v: &Tensor, lists: &AttentionLists, heads: usize) -> Sizes {
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
        let fours = [
            channels / heads + value_channels / heads,
            channels / heads + value_channels / heads + 2,
        ]
        .map(|numbers: usize| numbers.div_ceil(4));
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
    pub fn key_records(&self, k: &Tensor, v: &Tensor, keys: &RowLists) -> Keys {
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
        self.pack("attention_keys", listed, &inputs, &records);
        Keys { records, listed }
    }

    /// What the gradient needs of every query, by list.
    pub fn query_records(
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
        self.pack("attention_queries", true, &inputs, &records);
        records
    }

    /// Dispatches a kernel of attention_records.wgsl, which fills `records`: of lists, or of rows.
    fn pack(&self, entry: &'static str, listed: bool, inputs: &[&Buffer], records: &Tensor) {
        let kernel = (RECORDS, entry, &[("LISTED", listed as usize)][..]);
        let outputs = [records.buffer()];
        self.dispatch(kernel, records.rows(), 0, EACH, inputs, &outputs);
    }

    /// How a kernel walks over records, which are those of one list after another if `listed`: window
    /// by window, if so, where a device asks for that.
    pub fn walks(&self, records: &Tensor, listed: bool) -> Vec<Walk> {
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
    pub fn tiles(&self, tiled: &RowLists, tile: Tile) -> usize {
        tiled.per_group.div_ceil(tile.rows * tile.lanes)
    }

    /// Dispatches a kernel, with constants of its own, of so many tiles, from list `first` on.
    pub fn dispatch(
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
pub(super) struct Keys {
    pub records: Tensor,
    pub listed: bool, // by lists, else by rows
}

/// How the kernels cut their work: see attention.wgsl.
#[derive(Clone, Copy)]
pub(super) struct Tile {
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
    /// rows of it, are shared by the rows of a tile, few of which shall be beyond the group's end. All loops
    /// unrolled, a step shall fit an instruction cache of 32 KiB: at most eight rows, or `fit` with
    /// twice as many keys. A GPU wants many invocations.
    pub fn new(device: &Device, slots: usize, fit: usize) -> Tile {
        let lanes = device.lanes();
        // A block's scores and a row's sums are in registers: sixteen with eight lanes, 32 with sixteen.
        let block = (lanes / 2).max(4);
        let most = if block > 4 { fit } else { 8 };
        let cost = |rows: &usize| slots.div_ceil(rows * lanes) * (rows + 3);
        let (workgroup, rows) = match device.is_software() {
            true => (8.max(lanes), (1..=most).rev().min_by_key(cost).unwrap_or(1)),
            false => (64, 1),
        };
        Tile {
            workgroup,
            lanes,
            rows,
            block,
        }
    }
}
