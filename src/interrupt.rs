//! Requests to stop: work ends at the next place where nothing is lost.
//!
//! Ctrl-C (SIGINT), a request to terminate (SIGTERM: `kill`, job schedulers) and a terminal that goes away
//! (SIGHUP) are only noted. A second Ctrl-C ends the program at once; the others are often sent twice.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// What a shell adds to a signal's number to make an exit status of it.
const SHELLS: i32 = 128;

/// The signal that came; 0 for none.
static SIGNAL: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// From here on signals are only noted.
pub fn watch() {
    #[cfg(unix)]
    let signals = [SIGINT, SIGTERM, signal_hook::consts::SIGHUP];
    #[cfg(not(unix))]
    let signals = [SIGINT, SIGTERM];
    let second = Arc::new(AtomicBool::new(false));
    // In this order: the first Ctrl-C finds `second` not yet set. A system that refuses a handler keeps its own
    // way, which ends the program.
    if !is_ignored(SIGINT) {
        let _ = flag::register_conditional_shutdown(SIGINT, SHELLS + SIGINT, second.clone());
        let _ = flag::register(SIGINT, second);
    }
    for signal in signals.into_iter().filter(|signal| !is_ignored(*signal)) {
        let _ = flag::register_usize(signal, SIGNAL.clone(), signal as usize);
    }
}

/// Whether whoever started the program wants it to ignore a signal: `nohup` and shells that put it into the
/// background do so. Only Linux tells.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// Whether the work is to end.
pub fn asked() -> bool {
    SIGNAL.load(Ordering::Relaxed) != 0
}

/// The exit status of a program that was stopped by the signal that came, as shells have it: 130 for Ctrl-C,
/// 143 for a request to terminate, 129 for a terminal that went away.
pub fn status() -> u8 {
    let signal = SIGNAL.load(Ordering::Relaxed) as i32;
    u8::try_from(SHELLS + signal).unwrap_or(u8::MAX)
}
