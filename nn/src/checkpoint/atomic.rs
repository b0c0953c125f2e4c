//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes `bytes` to `path` such that a reader, or a machine that loses power, sees the old content
/// or the new, never a part: a temporary file in the same folder is filled, flushed to the disk and
/// renamed.
///
/// # Errors
/// Whatever the system reports; the temporary file is gone then, and what stood at `path` is
/// untouched.
pub fn write_atomically(path: impl AsRef<Path>, bytes: &[u8]) -> io::Result<()> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let path = path.as_ref();
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    // Process and counter keep two writers of the same file out of each other's way.
    let temp = path.with_file_name(format!(
        ".{}.{}.{}.tmp",
        name.to_string_lossy(),
        process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    ));
    let written = fill(&temp, bytes).and_then(|()| fs::rename(&temp, path));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&temp);
    }
    written
}

fn fill(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
