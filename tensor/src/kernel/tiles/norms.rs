//! Layer normalisation.

use super::vectors::tuned;
use crate::kernel::target::{Class, Target};
use crate::kernel::team::WG;

/// layer_norm and its gradient: rows for each invocation, and the invocations of a workgroup.
#[derive(Clone, Copy)]
pub(crate) struct NormRows {
    pub rows: usize,
    pub wg: usize,
}

impl NormRows {
    /// Rows of which the plain gradient adds up the sums.
    pub const PLAIN: NormRows = NormRows { rows: 8, wg: WG };
}

/// Two rows share the loads of weight and bias on a software driver: as fast as four, and compiled in 1.2 s
/// instead of 4.5 (Mesa 25).
pub(crate) fn layer_norm(target: &Target) -> Option<NormRows> {
    let (rows, wg) = match tuned(target)?.class {
        Class::Software => (2, target.lanes.max(8)),
        _ => (1, WG),
    };
    Some(NormRows { rows, wg })
}

/// Rows whose sums for weight and bias an invocation adds up. Safe: 192 registers, and it spills on
/// three of nine compilers tried.
pub(crate) fn layer_norm_backward(target: &Target) -> Option<NormRows> {
    let (rows, wg) = match tuned(target)?.class {
        Class::Software => (4, target.lanes.max(8)),
        _ => (8, WG),
    };
    Some(NormRows { rows, wg })
}

/// Rows of which `tuned/layer_norm_backward_parts` adds up the sums. GPU: 24 registers and 16 waves in both
/// kernels, no spills; one row an invocation in [`layer_norm_backward`] takes 216, two 252, and both spill.
pub(crate) fn layer_norm_backward_parts(target: &Target) -> Option<usize> {
    (tuned(target)?.class == Class::Gpu).then_some(32)
}
