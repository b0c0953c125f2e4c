//! Products of matrices.

use super::vectors::{Constants, largest_divisor, tuned};
use crate::kernel::target::{Class, Target};
use crate::kernel::team::Team;

/// linear: R rows × OUTS columns, INS4 fours of Ci at a time in each of CHUNKS chunks.
pub(crate) struct Linear {
    /// Whether the weights are scalars: it is `tuned/linear_scalar` then.
    pub scalar: bool,
    pub team: Team,
    pub constants: Constants,
    rows: usize,
    columns: usize,
}

impl Linear {
    /// Tiles along the rows, and columns of tiles.
    pub fn tiles(&self, rows: usize, outputs: usize) -> [usize; 2] {
        let per_team = self.rows * self.team.lanes;
        [rows.div_ceil(per_team), outputs / self.columns]
    }
}

/// On a software driver loads and stores are what costs: whole rows of up to 96 columns load the inputs once
/// (0.75 of the time of 48), and four rows share the weights' loads. A sum stays in a register for 48 of Ci; what
/// is more comes in chunks, whose sums go to memory between.
/// GPU, 40 to 40 channels: 60 registers and 12 waves, 320 of 427 instructions of the loop are multiply-adds
/// (safe: 96, 8, 256 of 448). Sums of more than 24 columns cost waves: 32 are no longer unrolled.
pub(crate) fn linear(target: &Target, outputs: usize, inputs: usize) -> Option<Linear> {
    let target = tuned(target)?;
    if !(outputs.is_multiple_of(4) && inputs.is_multiple_of(4)) {
        return None;
    }
    let (rows, most_columns, most_fours, team) = match target.class {
        Class::Software => (4, 96, 12, Team::vector(target)),
        Class::Gpu => (2, 24, 4, Team::ALONE),
        Class::Unknown => (4, 8, 2, Team::ALONE),
    };
    let scalar = target.class == Class::Gpu;
    let columns = 4 * largest_divisor(outputs / 4, most_columns / 4);
    let fours = inputs / 4;
    let chunks = match scalar {
        true => fours / largest_divisor(fours, most_fours),
        false => fours.div_ceil(most_fours),
    };
    let constants = vec![
        ("CI4", fours),
        ("INS4", fours.div_ceil(chunks)),
        ("CHUNKS", chunks),
        ("CO4", outputs / 4),
        ("R", rows),
        ("OUTS", columns),
    ];
    Some(Linear {
        scalar,
        team,
        constants,
        rows,
        columns,
    })
}

/// linear_backward_w: OUTS columns of dy × INS4 fours of x, which divide Ci.
pub(crate) struct LinearBackwardW {
    pub team: Team,
    pub constants: Constants,
    pub column_tiles: usize,
    /// Tiles of one chunk.
    pub tiles: usize,
}

/// A software driver's caches hold the sums of a tile of 48 times 48 and the loop that adds to them,
/// unrolled. Safe: 8×8.
pub(crate) fn linear_backward_w(
    target: &Target,
    outputs: usize,
    inputs: usize,
) -> Option<LinearBackwardW> {
    let target = tuned(target)?;
    if !(outputs.is_multiple_of(4) && inputs.is_multiple_of(4)) {
        return None;
    }
    let (columns, most_fours, team) = match target.class {
        Class::Software => ((48 / target.lanes).min(32), 12, Team::vector(target)),
        _ => (8, 2, Team::ALONE),
    };
    let column_tiles = outputs.div_ceil(columns * team.lanes);
    let fours = largest_divisor(inputs / 4, most_fours);
    let columns = outputs.div_ceil(column_tiles * team.lanes);
    Some(LinearBackwardW {
        team,
        constants: vec![("OUTS", columns), ("INS4", fours)],
        column_tiles,
        tiles: column_tiles * (inputs / 4 / fours),
    })
}

/// linear_backward_w by fours of both, `tuned/linear_backward_w_fours`: OUTS4 × INS4 of them, in so many tiles
/// of one chunk.
pub(crate) struct LinearBackwardWFours {
    pub constants: Constants,
    pub tiles: usize,
}

/// GPU, 40 channels in: 60 registers, 12 waves, 32 of 55 instructions of the loop are multiply-adds (safe: 108,
/// 7 waves, 64 of 126). 1 × 3 fours: 67 %, but 120 registers on Ampere; 2 × 2: 5 waves on RDNA 2.
pub(crate) fn linear_backward_w_fours(
    target: &Target,
    outputs: usize,
    inputs: usize,
) -> Option<LinearBackwardWFours> {
    let by_fours = inputs.is_multiple_of(4) && outputs.is_multiple_of(4);
    if tuned(target)?.class != Class::Gpu || !by_fours {
        return None;
    }
    let fours = largest_divisor(inputs / 4, 2);
    Some(LinearBackwardWFours {
        constants: vec![("OUTS4", 1), ("INS4", fours)],
        tiles: (inputs / 4 / fours) * (outputs / 4),
    })
}
