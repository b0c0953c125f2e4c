//! Attention and its gradients.

use super::vectors::tuned;
use crate::kernel::target::{Class, Target};
use crate::kernel::team::{Team, WG};

/// attention and its gradients: R slots of a list in each invocation, BLOCK keys (or queries) a step.
#[derive(Clone, Copy)]
pub(crate) struct Attention {
    pub team: Team,
    rows: usize,
    block: usize,
}

impl Attention {
    /// Tiles of one list of so many slots.
    pub fn tiles(&self, slots: usize) -> usize {
        slots.div_ceil(self.rows * self.team.lanes)
    }

    pub fn constants(&self) -> [(&'static str, usize); 2] {
        [("R", self.rows), ("BLOCK", self.block)]
    }

    /// One invocation for each row or slot, which packs it.
    pub const PACK: Attention = Attention {
        team: Team::ALONE,
        rows: 1,
        block: 1,
    };
}

/// What a kernel of attention holds and walks over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Walk {
    /// Queries, over the keys.
    Keys,
    /// Keys, over the queries.
    Queries,
}

/// For lists of this many slots. On a software driver a step's loads, about as dear as three
/// rows of it, are shared by the rows of a tile, few of which shall be beyond the list's end. Eight rows are
/// 0.7 to 0.95 of the time of four or five there, although a step outgrows an instruction cache of 32 KiB;
/// twelve are 0.95 of that again, and take two seconds more to compile. Powers of two, since every
/// number of rows is a kernel to be compiled.
/// Safe: 108 registers, 7 waves of 16; keys are loaded by every invocation.
pub(crate) fn attention(target: &Target, slots: usize) -> Option<Attention> {
    let target = tuned(target)?;
    let lanes = target.lanes;
    let cost = |rows: &usize| slots.div_ceil(rows * lanes) * (rows + 3);
    let (rows, team) = match target.class {
        Class::Software => {
            let rows = [8, 4, 2, 1].into_iter().min_by_key(cost);
            (rows.unwrap_or(1), Team::vector(target))
        }
        _ => (1, Team::ALONE),
    };
    let block = (lanes / 2).max(4);
    Some(Attention { team, rows, block })
}

/// attention and its gradients where keys (or queries) are scalars, `tuned/attention_scalar` and its
/// siblings: R slots of a list in each invocation, BLOCK keys a step of the forward pass.
#[derive(Clone, Copy)]
pub(crate) struct AttentionScalar {
    rows: usize,
    block: usize,
}

impl AttentionScalar {
    /// Workgroups for one list of so many slots.
    pub fn groups(&self, slots: usize) -> usize {
        slots.div_ceil(self.rows * WG)
    }

    pub fn constants(&self) -> [(&'static str, usize); 2] {
        [("R", self.rows), ("BLOCK", self.block)]
    }
}

/// For lists of `held` slots that meet lists of `walked`, which a block divides.
/// GPU, held queries: 60 registers and 12 waves forward, where 76 of 148 instructions of the loop are
/// multiply-adds, and 32 are run only where a score is far above the reference (safe: 108, 7 waves, 77 of
/// 193); 72, 10 waves, 56 of 84 in the gradient (safe: 120, 6, 112 of 213). Four keys a step would be 57 %
/// forward, but take 128 registers on NVIDIA's Ampere, where keys are no scalars.
/// Held keys: 48 registers, 16 waves, 38 of 59 (safe: 132, 5, 152 of 233). Two rows would be 73 %, but 104
/// registers on Ampere, a third of its warps.
pub(crate) fn attention_scalar(
    target: &Target,
    (held, walked): (usize, usize),
    walk: Walk,
) -> Option<AttentionScalar> {
    if tuned(target)?.class != Class::Gpu {
        return None;
    }
    let most = match walk {
        Walk::Keys => 2,
        Walk::Queries => 1,
    };
    // Rows share a step's loads, about four tenths of a row of it, by count; few shall be beyond the list's end.
    let cost = |rows: &usize| held.div_ceil(rows * WG) * (10 * rows + 4);
    let rows = (1..=most).rev().min_by_key(cost).unwrap_or(1);
    Some(AttentionScalar {
        rows,
        block: if walked.is_multiple_of(2) { 2 } else { 1 },
    })
}
