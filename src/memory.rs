//! How much memory this machine has to give.

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// Bytes that are free. A container may have less than its machine.
pub fn free() -> u64 {
    let kinds = RefreshKind::nothing().with_memory(MemoryRefreshKind::everything());
    let system = System::new_with_specifics(kinds);
    let limit = system
        .cgroup_limits()
        .map_or(u64::MAX, |limits| limits.free_memory);
    system.available_memory().min(limit)
}
