//! A run's folder: its files, its lock, and which of its states can be trusted.
//!
//! ```text
//! experiments/NAME/
//!   .lock                                    held by the process that trains there
//!   models/net_g_5000.safetensors            weights, every so many steps
//!   models/net_g_latest.safetensors          the newest weights
//!   models/net_g_best.safetensors            the best by validation
//!   training_states/5000.state               all that training goes on from; the last two are kept
//!   options.yml, report.html, train_….log, tb_logger/     what it was begun with and what it shows
//!   archived_1/                              the run that was there before this one
//! ```
//!
//! The names are BasicSR's. A `.state` is a safetensors file, too.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What a run's folder holds of it.
const PARTS: [&str; 2] = ["models", "training_states"];
/// What else is moved with a run that makes room: what it showed.
const SHOWN: [&str; 5] = [
    "tb_logger",
    "visualization",
    "options.yml",
    "report.html",
    "report.json",
];
/// The newest state of a run from before states were numbered.
const UNNUMBERED: &str = "latest.safetensors";
/// States that are kept: should the newest be damaged later, the one before is there.
const STATES: usize = 2;

/// The file in a run's folder that holds its newest weights.
pub fn weights_file(out: &Path) -> PathBuf {
    weights_named(out, "latest")
}

/// The file in a run's folder that holds the weights that did best in validation.
pub fn best_file(out: &Path) -> PathBuf {
    weights_named(out, "best")
}

/// The file of weights called `net_g_NAME`.
pub(super) fn weights_named(out: &Path, name: &str) -> PathBuf {
    out.join(PARTS[0]).join(format!("net_g_{name}.safetensors"))
}

/// The file of the state after so many steps.
pub(super) fn state_at(out: &Path, iteration: u64) -> PathBuf {
    out.join(PARTS[1]).join(format!("{iteration}.state"))
}

/// The states in a run's folder, the newest first.
pub fn states(out: &Path) -> Vec<PathBuf> {
    let mut found = numbered(&out.join(PARTS[1]), "", ".state");
    found.sort_by_key(|(iteration, _)| std::cmp::Reverse(*iteration));
    let mut paths: Vec<_> = found.into_iter().map(|(_, path)| path).collect();
    let unnumbered = out.join(PARTS[1]).join(UNNUMBERED);
    paths.extend(unnumbered.is_file().then_some(unnumbered));
    paths
}

/// The files in `folder` called `BEFORE` number `BEHIND`.
fn numbered(folder: &Path, before: &str, behind: &str) -> Vec<(u64, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let number = |path: PathBuf| {
        let name = path.file_name()?.to_str()?;
        let digits = name.strip_prefix(before)?.strip_suffix(behind)?;
        Some((digits.parse().ok()?, path))
    };
    entries
        .map(|entry| entry.path())
        .filter_map(number)
        .collect()
}

/// Where the run that is in the folder `out` is moved to when another is begun there; None if
/// there is no run.
pub fn archive(out: &Path) -> Option<PathBuf> {
    // Inside: that is the same disk, and works for `.` too.
    let mut free = (1..).map(|i| out.join(format!("archived_{i}")));
    // Other programs have folders of such names, too.
    let weights = numbered(&out.join(PARTS[0]), "net_g_", ".safetensors");
    let is_run = !weights.is_empty() || weights_file(out).exists() || !states(out).is_empty();
    match is_run {
        true => free.find(|path| !path.exists()),
        false => None,
    }
}

/// A run's folder that no other process trains in.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    lock: Option<File>, // None as long as the folder is not there
    written: bool,
}

impl RunFolder {
    /// The folder at `path`, locked if it is there. Nothing in it is changed, and it is not made.
    ///
    /// The lock is the operating system's: it goes with the process, however that ends.
    ///
    /// # Errors
    /// Another process trains there, or the folder cannot be used.
    pub fn open(path: &Path) -> Result<RunFolder> {
        let lock = match path.is_dir() {
            true => Some(lock(path)?),
            false => None,
        };
        // Rather told now than at the first save.
        if let Some(above) = path.ancestors().find(|path| path.exists()) {
            fs::read_dir(above).map_err(|source| Error::UnreadableFolder {
                path: above.to_path_buf(),
                source,
            })?;
        }
        Ok(RunFolder {
            path: path.to_owned(),
            lock,
            written: true,
        })
    }

    /// The folder at `path`, in which another process of the same run writes.
    pub fn of_another(path: &Path) -> RunFolder {
        RunFolder {
            path: path.to_owned(),
            lock: None,
            written: false,
        }
    }

    /// Whether this process writes into it.
    pub fn is_written(&self) -> bool {
        self.written
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes room for a run whose first files take so many bytes: the folder is made, what a run that was
    /// killed left half-written goes, a run that is not to go on moves to [`archive`], and the
    /// bytes are written once to see that they can be.
    ///
    /// # Errors
    /// It cannot be made or written to, or the bytes do not fit.
    pub(super) fn prepare(&mut self, goes_on: bool, bytes: u64) -> Result<()> {
        if !self.written {
            return Ok(());
        }
        create_folder(&self.path)?;
        if self.lock.is_none() {
            self.lock = Some(lock(&self.path)?);
        }
        sweep(&self.path);
        for folder in PARTS.map(|part| self.path.join(part)) {
            sweep(&folder);
        }
        try_out(&self.path, bytes)?;
        if !goes_on {
            self.set_aside()?;
        }
        PARTS
            .iter()
            .try_for_each(|part| create_folder(&self.path.join(part)))
    }

    fn set_aside(&self) -> Result<()> {
        let Some(kept) = archive(&self.path) else {
            return Ok(());
        };
        create_folder(&kept)?;
        let logs = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let logs = logs.map(|entry| entry.file_name());
        let logs = logs.filter(|name| {
            let name = name.to_string_lossy();
            name.starts_with("train_") && name.ends_with(".log")
        });
        let parts = PARTS.iter().chain(&SHOWN).map(Into::into);
        for part in parts.chain(logs).collect::<Vec<OsString>>() {
            let part = &part;
            match fs::rename(self.path.join(part), kept.join(part)) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    let _ = fs::remove_dir(&kept); // stays where one part is in it already
                    return Err(Error::NotSetAside {
                        from: self.path.join(part),
                        to: kept.join(part),
                        source,
                    });
                }
                _ => {} // a run may lack one of them
            }
        }
        Ok(())
    }

    /// Deletes all states but the newest ones; `newest` was just written. Numbers above it go if the run
    /// `went_back`; else they are damaged or another's, were told, and stay.
    pub(super) fn thin_states(&self, newest: u64, went_back: bool) {
        let mut found = numbered(&self.path.join(PARTS[1]), "", ".state");
        found.sort_by_key(|(iteration, _)| std::cmp::Reverse(*iteration));
        let (later, mut kept): (Vec<_>, Vec<_>) = found.into_iter().partition(|(i, _)| *i > newest);
        let old = kept.split_off(STATES.min(kept.len()));
        let later = later.into_iter().filter(|_| went_back);
        for (_, path) in later.chain(old) {
            let _ = fs::remove_file(path); // it takes room and does no harm
        }
        let _ = fs::remove_file(self.path.join(PARTS[1]).join(UNNUMBERED));
    }

    /// Makes room on a full disk: deletes all states but the newest, and that of a run's start, from which no
    /// step is lost. Whether one went.
    pub(super) fn drop_older_states(&self) -> bool {
        let mut found = states(&self.path);
        let start = state_at(&self.path, 0);
        let newest = found.iter().position(|path| *path != start);
        newest.map(|i| found.remove(i));
        let removed = found.iter().filter(|path| fs::remove_file(path).is_ok());
        removed.count() > 0
    }

    /// Deletes numbered weights but the last `keep` ones.
    pub(super) fn thin_weights(&self, keep: usize) {
        let mut found = numbered(&self.path.join(PARTS[0]), "net_g_", ".safetensors");
        found.sort_by_key(|(iteration, _)| std::cmp::Reverse(*iteration));
        for (_, path) in found.into_iter().skip(keep) {
            let _ = fs::remove_file(path.with_extension("pth"));
            let _ = fs::remove_file(path);
        }
    }
}

/// Locks a folder for this process.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(".lock");
    let unwritable = |source| Error::UnwritableFile {
        path: path.clone(),
        source,
    };
    let mut options = OpenOptions::new();
    let options = options.create(true).read(true).write(true).truncate(false);
    let mut file = options.open(&path).map_err(unwritable)?;
    match file.try_lock() {
        Ok(()) => {
            let _ = file.set_len(0);
            let _ = write!(file, "{}", std::process::id());
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file
                .rewind()
                .and_then(|()| file.read_to_string(&mut holder));
            Err(Error::LockedFolder {
                path: folder.to_owned(),
                process: holder.trim().parse().ok(),
            })
        }
        // Some network file systems have no locks: that is no reason to refuse.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(source)) => Err(unwritable(source)),
    }
}

/// Removes temporary files that a killed process left.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(".tmp") {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Writes so many bytes into `folder`, and takes them back.
fn try_out(folder: &Path, bytes: u64) -> Result<()> {
    let path = folder.join(".space.tmp");
    let write = || {
        let mut file = File::create(&path)?;
        io::copy(&mut io::repeat(1).take(bytes), &mut file)?;
        file.sync_all()
    };
    let written = write();
    let _ = fs::remove_file(&path);
    written.map_err(|source| Error::UnwritableFolder {
        path: folder.to_owned(),
        bytes,
        source,
    })
}

fn create_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|source| Error::UnwritableFile {
        path: path.to_path_buf(),
        source,
    })
}
