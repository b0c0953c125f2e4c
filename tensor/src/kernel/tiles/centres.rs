//! Token centres, and the sort by them.

use super::vectors::{Constants, largest_divisor, tuned};
use crate::kernel::target::{Class, Target};
use crate::kernel::team::{Team, WG};

/// nearest_centre: R tokens in each invocation, BLOCK centres a step, channels in blocks of CB.
pub(crate) struct NearestCentre {
    pub team: Team,
    pub constants: Constants,
    rows: usize,
}

impl NearestCentre {
    /// Teams for so many tokens: those of whole workgroups.
    pub fn teams(&self, tokens: usize) -> usize {
        let Team { lanes, wg } = self.team;
        tokens.div_ceil(self.rows * wg) * (wg / lanes)
    }
}

/// Blocks of at most 20 channels keep every loop short enough to be unrolled (2.5 times as fast). 8 tokens
/// instead of 4 at eight lanes: 3.7 to 3.0 ms with Mesa 22.3, 2.1 to 1.4 with 25. One centre a step where
/// lanes do not share loads.
pub(crate) fn nearest_centre(target: &Target, channels: usize) -> Option<NearestCentre> {
    let target = tuned(target)?;
    let lanes = target.lanes;
    let channel_block = largest_divisor(channels, 20);
    let shared = (channels / channel_block).is_multiple_of(lanes.div_ceil(8));
    let rows = if lanes == 8 { 8 } else { 4 };
    let (rows, step, team) = match target.class {
        Class::Software if shared => (rows, 8, Team::vector(target)),
        Class::Software => (rows, lanes.max(8), Team::vector(target)),
        _ => (1, 1, Team::ALONE),
    };
    let constants = vec![
        ("C", channels),
        ("CB", channel_block),
        ("R", rows),
        ("BLOCK", step),
    ];
    Some(NearestCentre {
        team,
        constants,
        rows,
    })
}

/// counting_sort: tokens among which one invocation counts. Short enough for many such chunks, long enough
/// for few counts.
pub(crate) const SORT_CHUNK: usize = 256;

/// counting_sort: a lane for each owner of a chunk, and for each position in it.
pub(crate) fn counting_sort(target: &Target) -> Option<Team> {
    let lanes = tuned(target)?.lanes;
    Some(Team { lanes, wg: WG })
}
