//! What no output may replace: inputs, the weights, other programs' files.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use super::mark::is_marked;
use super::plan::is_stream;
use crate::terminal::shown;

/// Whether an output may be written there, or why not, as a clause.
pub fn may_write(
    output: &Path,
    overwrite: bool,
    inputs: &HashSet<Identity>,
    kept: &HashSet<Identity>,
) -> std::result::Result<(), String> {
    if overwrite || is_stream(output) {
        return Ok(());
    }
    let Some(id) = identity(output).filter(|_| output.is_file()) else {
        return Ok(());
    };
    let otherwise = "choose another place with --save or --output, or say --overwrite";
    let name = shown(output);
    if inputs.contains(&id) {
        return Err(format!(
            "{name} would be written over an input; {otherwise}"
        ));
    }
    if kept.contains(&id) {
        return Err(format!(
            "{name} would be written over the weights; {otherwise}"
        ));
    }
    if has_content(output) && !is_marked(output) {
        return Err(format!(
            "{name} is there and bears no mark of this program; {otherwise} (--skip-existing passes over it)"
        ));
    }
    Ok(())
}

/// Whether a file is there and is not empty.
pub fn has_content(path: &Path) -> bool {
    path.metadata().is_ok_and(|m| m.is_file() && m.len() > 0)
}

/// What a file is, by whatever name or link.
#[cfg(unix)]
pub type Identity = (u64, u64);
/// As above, by its path.
#[cfg(not(unix))]
pub type Identity = std::path::PathBuf;

/// What stands at a path, links followed; None for nothing.
#[cfg(unix)]
pub fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    let here = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    let data = fs::metadata(here).ok()?;
    Some((data.dev(), data.ino()))
}

/// As above.
#[cfg(not(unix))]
pub fn identity(path: &Path) -> Option<Identity> {
    let here = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    fs::canonicalize(here).ok()
}
