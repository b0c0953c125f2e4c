//! Files that appear whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// As many links as Linux follows.
const MAX_LINKS: usize = 40;

/// Writes `bytes` to `path` such that a reader, or a machine that loses power, sees the old content
/// or the new, never a part: a temporary file in the same folder is filled, flushed to the disk and
/// renamed.
///
/// A link stays a link: what it leads to is written. A file that is replaced keeps its permissions.
/// A pipe or a device is opened and written to.
///
/// # Errors
/// Whatever the system reports; the temporary file is gone then, and what stood at `path` is
/// untouched.
pub fn write_atomically(path: impl AsRef<Path>, bytes: &[u8]) -> io::Result<()> {
    match target(path.as_ref())? {
        Target::Stream(path) => {
            let mut stream = OpenOptions::new().write(true).open(path)?;
            stream.write_all(bytes)?;
            stream.flush()
        }
        Target::File(path) => {
            let mut file = beside(&path)?;
            file.write_all(bytes)?;
            if let Ok(replaced) = fs::metadata(&path) {
                file.as_file().set_permissions(replaced.permissions())?;
            }
            file.as_file().sync_all()?;
            file.persist(&path)?;
            sync_folder(&path);
            Ok(())
        }
    }
}

/// A new name outlives a loss of power only when its folder is on the disk, too. Where a system cannot do that,
/// nothing is lost but that.
fn sync_folder(path: &Path) {
    #[cfg(unix)]
    if let Some(folder) = path.parent().and_then(|folder| fs::File::open(folder).ok()) {
        let _ = folder.sync_all();
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// Whether [`write_atomically`] can be expected to succeed, tried out in the folder of `path`: to
/// know before hours of work. Nothing is left there.
///
/// # Errors
/// It cannot, since the folder does not exist or may not be written to, say; or `path` is a folder.
pub fn check_writable(path: impl AsRef<Path>) -> io::Result<()> {
    match target(path.as_ref())? {
        Target::Stream(_) => Ok(()), // opening a pipe would wait for its reader
        Target::File(path) => beside(&path)?.close(),
    }
}

/// What the bytes go to.
enum Target {
    /// A file, there or not.
    File(PathBuf),
    /// A pipe or a device.
    Stream(PathBuf),
}

/// Follows links, also one that leads to no file yet.
fn target(path: &Path) -> io::Result<Target> {
    let mut path = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        // `file_name` would take `folder/` for a file.
        let ends_as_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/");
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(found) if !found.is_file() => return Ok(Target::Stream(path)),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ if path.file_name().is_none() || ends_as_folder => {
                let what = "the path names no file";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
            }
            _ => {}
        }
        match fs::read_link(&path) {
            Ok(next) => path = folder(&path).join(next),
            Err(_) => return Ok(Target::File(path)),
        }
    }
    Err(io::Error::other("too many links lead on from it"))
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// An empty file in the folder of `path` that goes when dropped. Its name is short: one made from
/// that of `path` could be longer than a name may be.
fn beside(path: &Path) -> io::Result<NamedTempFile<File>> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".tmp");
    // Readable by whom the umask lets read, as any new file: a temporary one would be its owner's.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder(path))
}
