//! The resident memory of this process, from Linux's /proc; None elsewhere.

use std::fs;

fn status(key: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: u64 = value.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// Bytes now.
pub fn resident() -> Option<u64> {
    status("VmRSS:")
}

/// The most bytes there were since [`forget_peak`].
pub fn peak() -> Option<u64> {
    status("VmHWM:")
}

/// Begins a new peak. Where that is not allowed, the old one stays: it is the higher.
pub fn forget_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}
