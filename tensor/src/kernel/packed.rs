//! What the tuned attention kernels are told: sizes, and the packed keys or queries they walk over.

use std::ops::Range;
use std::sync::Arc;

use crate::gpu::pipeline::Pipeline;
use crate::kernel::launch::Launch;
use crate::kernel::team::WG;
use crate::kernel::tiles::{Attention, AttentionScalar};
use crate::kernel::uniform::{fits_uniform, is_wanted_for, uniform_pieces};
use crate::lists::{AttentionLists, RowLists};
use crate::tensor::Tensor;

/// Numbers that attention packs of a row and head at most: of a key, k and v; in the gradient of a slot of
/// a query, q, dy and two more. For heads of `dk` channels of queries and keys, `dv` of values.
pub const fn attention_packed(dk: usize, dv: usize) -> usize {
    (dk + dv + 2).next_multiple_of(4)
}

/// The sizes of one attention, checked.
pub(crate) struct Sizes {
    pub batch: usize,
    heads: usize,
    dk: usize,          // channels per head, of queries and keys
    dv: usize,          // … of values
    lists: usize,       // of each group and head
    params: [usize; 5], // groups, queries, keys, rows, key rows
}

impl Sizes {
    #[track_caller]
    pub fn new([q, k, v]: [&Tensor; 3], lists: &AttentionLists, heads: usize) -> Sizes {
        let &[batch, rows, channels] = q.shape() else {
            panic!("attention: q {:?} is not [B, N, C]", q.shape())
        };
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
        let (groups, key_rows) = (queries.groups, keys.source_rows);
        Sizes {
            batch,
            heads,
            dk: channels / heads,
            dv: value_channels / heads,
            lists: batch * groups * heads,
            params: [groups, queries.per_group, keys.per_group, rows, key_rows],
        }
    }

    fn heads(&self, launch: Launch) -> Launch {
        launch.constants(&[("HEADS", self.heads), ("DK", self.dk), ("DV", self.dv)])
    }

    /// A plain kernel, of one invocation for each of so many slots and each head.
    pub fn plain(&self, file: &'static str, entry: &'static str, slots: usize) -> Launch {
        let count = self.batch * slots * self.heads;
        let launch = self.heads(Launch::new(file, entry)).param(count);
        let launch = launch.params(&self.params).each(count);
        launch.param(1.0 / (self.dk as f32).sqrt())
    }

    /// A tuned kernel over these lists, which holds the slots of `held`.
    pub fn tuned(
        &self,
        file: &'static str,
        entry: &'static str,
        tile: Attention,
        lists: &Range<usize>,
        held: &RowLists,
    ) -> Launch {
        let count = lists.len() * tile.tiles(held.per_group);
        self.tiled(file, entry, tile, count, lists.start)
    }

    /// A tuned kernel over all lists whose keys or queries are scalars, and which holds the slots of `held`.
    pub fn scalar(
        &self,
        file: &'static str,
        entry: &'static str,
        tile: AttentionScalar,
        held: &RowLists,
    ) -> Launch {
        let count = self.lists * tile.groups(held.per_group);
        let launch = self.scaled(file, entry, count, 0);
        launch.constants(&tile.constants()).each(count * WG)
    }

    fn tiled(
        &self,
        file: &'static str,
        entry: &'static str,
        tile: Attention,
        count: usize,
        first: usize,
    ) -> Launch {
        let launch = self.scaled(file, entry, count, first);
        let launch = launch.constants(&tile.constants());
        launch.teams(count, tile.team)
    }

    fn scaled(
        &self,
        file: &'static str,
        entry: &'static str,
        count: usize,
        first: usize,
    ) -> Launch {
        // Scores as exponents of 2.
        let scale = std::f32::consts::LOG2_E / (self.dk as f32).sqrt();
        let launch = self.heads(Launch::new(file, entry)).constant("VEC", 4);
        let launch = launch.params(&[count, first]).params(&self.params);
        launch.param(scale)
    }
}

/// Keys or queries side by side, as the tuned kernels load them: of one list after another if `listed`,
/// else of every row.
pub(crate) struct Packed {
    values: Tensor,
    listed: bool,
    fours: usize, // of each key or query
    pub kernel: Option<Arc<Pipeline>>,
}

/// What one launch walks over: the packed keys or queries of some lists.
pub(crate) struct Piece {
    pub lists: Range<usize>,
    pub packed: Tensor,
    pub is_uniform: bool,
}

impl Packed {
    /// Keys and values, k and v side by side. By lists where those can be taken as uniforms, else by rows.
    pub fn keys(sizes: &Sizes, k: &Tensor, v: &Tensor, keys: &RowLists) -> Packed {
        let (device, fours) = (k.device(), (sizes.dk + sizes.dv).div_ceil(4));
        let bytes = |packed: usize| (packed * fours * 16) as u64;
        let listed = !k.is_half()
            && !is_wanted_for(device, bytes(k.rows() * sizes.heads))
            && is_wanted_for(device, bytes(keys.per_group))
            && bytes(sizes.lists * keys.per_group) <= device.max_tensor_bytes();
        let shape = match listed {
            true => [sizes.lists, 1, keys.per_group, 4 * fours],
            false => [sizes.batch, k.shape()[1], sizes.heads, 4 * fours],
        };
        let values = Tensor::like(k, &shape);
        let kernel = pack(sizes, "attention_pack_keys", &values)
            .input(k)
            .input(v)
            .input(&keys.index)
            .output(&values)
            .constants(&[("LISTED", usize::from(listed)), ("FOURS", fours)])
            .run();
        Packed {
            values,
            listed,
            fours,
            kernel,
        }
    }

    /// What the gradient needs of every query, by lists.
    pub fn queries(
        sizes: &Sizes,
        q: &Tensor,
        (y, lse): (&Tensor, &Tensor),
        dy: &Tensor,
        queries: &RowLists,
    ) -> Packed {
        let fours = (sizes.dk + sizes.dv + 2).div_ceil(4);
        let shape = [sizes.lists, queries.per_group, 4 * fours];
        let values = Tensor::uninit(q.device(), &shape);
        let kernel = pack(sizes, "attention_pack_queries", &values)
            .input(q)
            .input(y)
            .input(dy)
            .input(lse)
            .input(&queries.index)
            .output(&values)
            .constants(&[("LISTED", 1), ("FOURS", fours)])
            .run();
        Packed {
            values,
            listed: true,
            fours,
            kernel,
        }
    }

    /// All of them.
    pub fn all(&self) -> &Tensor {
        &self.values
    }

    /// What a kernel that walks over these keys is told of them.
    pub fn constants(&self) -> [(&'static str, usize); 2] {
        [("FOURS", self.fours), ("LISTED", usize::from(self.listed))]
    }

    /// What a kernel that walks over these queries, and holds those keys, is told of both.
    pub fn constants_with(&self, keys: &Packed) -> [(&'static str, usize); 2] {
        [("FOURS", self.fours), ("LISTED", usize::from(keys.listed))]
    }

    /// All of them at once, or piece by piece where the device wants uniforms and they are by lists.
    pub fn pieces(&self, sizes: &Sizes) -> Vec<Piece> {
        let (values, count) = (&self.values, sizes.lists);
        let whole = || {
            vec![Piece {
                lists: 0..count,
                packed: values.clone(),
                is_uniform: fits_uniform(values),
            }]
        };
        if !self.listed || fits_uniform(values) || values.is_half() {
            return whole();
        }
        let per_list = 4 * values.len() / count; // bytes
        let Some(pieces) = uniform_pieces(values.device(), count, per_list) else {
            return whole();
        };
        let piece = |lists: Range<usize>| Piece {
            packed: values.view(lists.clone()),
            is_uniform: true,
            lists,
        };
        pieces.map(piece).collect()
    }
}

/// A kernel of attention_pack.wgsl, of one invocation for each key or query that is packed.
fn pack(sizes: &Sizes, entry: &'static str, values: &Tensor) -> Launch {
    let file = "tuned/attention_pack";
    let tile = Attention::PACK;
    sizes.tiled(file, entry, tile, values.rows(), 0).feeds()
}
