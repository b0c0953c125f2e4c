//! What one invocation of a kernel bound by memory takes at once, and what all rows of the table use.

use crate::Kernels;
use crate::kernel::target::{Class, Target};

pub(super) type Constants = Vec<(&'static str, usize)>;

/// Whether tuned kernels run at all.
pub(super) fn tuned(target: &Target) -> Option<&Target> {
    (target.kernels == Kernels::Tuned).then_some(target)
}

/// Numbers that an invocation of a kernel bound by memory loads at once, for rows of so many channels.
/// Four cost little more than one.
pub(crate) fn vec_width(target: &Target, channels: usize) -> usize {
    match tuned(target) {
        Some(_) if channels.is_multiple_of(4) => 4,
        _ => 1,
    }
}

/// Numbers that an invocation takes of a row of `vecs` vectors that it gathers. A software driver loads
/// lane by lane anyway: there it takes whole rows, in parts of few enough to be registers, and reads
/// the index once. On a GPU neighbours write neighbours.
pub(crate) fn gather_part(target: &Target, vecs: usize) -> usize {
    match (target.kernels, target.class) {
        (Kernels::Tuned, Class::Software) => largest_divisor(vecs, 12),
        _ => 1,
    }
}

pub(super) fn largest_divisor(n: usize, most: usize) -> usize {
    (1..=most).rev().find(|&d| n.is_multiple_of(d)).unwrap_or(1)
}
