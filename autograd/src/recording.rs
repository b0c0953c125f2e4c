//! Whether ops are noted.

use std::cell::Cell;

thread_local! {
    static RECORDING: Cell<bool> = const { Cell::new(true) };
}

/// Whether ops of this thread note how they were made; not inside [`no_grad`].
pub fn is_recording() -> bool {
    RECORDING.get()
}

/// Runs `f` without noting anything, so that every intermediate result is freed on its last use.
pub fn no_grad<T>(f: impl FnOnce() -> T) -> T {
    with_recording(false, f)
}

pub(crate) fn with_recording<T>(recording: bool, f: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            RECORDING.set(self.0); // also when `f` panics
        }
    }
    let _restore = Restore(RECORDING.replace(recording));
    f()
}
