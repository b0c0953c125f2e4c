//! Invocations that work together.

use crate::kernel::target::Target;

/// Invocations per workgroup of the kernels that give one element to each.
pub(crate) const WG: usize = 64;

/// Invocations that work on one tile together, as the lanes of a vector, and those of a workgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Team {
    pub lanes: usize,
    pub wg: usize,
}

impl Team {
    /// Teams of all lanes that share loads, one in a workgroup, or eight where a team is one lane.
    pub fn vector(target: &Target) -> Team {
        Team {
            lanes: target.lanes,
            wg: target.lanes.max(8),
        }
    }

    /// So many invocations, rounded up to whole teams.
    pub fn whole(&self, count: usize) -> usize {
        count.next_multiple_of(self.lanes)
    }

    /// Each invocation for itself.
    pub const ALONE: Team = Team { lanes: 1, wg: WG };
}
