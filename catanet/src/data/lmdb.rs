//! Images in a database: BasicSR's layout of LMDB.
//!
//! A folder `NAME.lmdb` holds `data.mdb` and `lock.mdb`, LMDB's own, and `meta_info.txt` with a line for each
//! image, `0001_s001.png (480,480,3) 1`: its name, height, width and channels, and PNG's level of compression.
//! A record's key is the name without `.png`, its value the bytes of the PNG.

use std::fs;
use std::path::{Path, PathBuf};

use heed::types::{Bytes, Str};
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, WithoutTls};
use parking_lot::Mutex;

use super::stem::stem;
use crate::error::{Error, Result, Unreadable};

/// The list of images in a store's folder.
pub(super) const LIST: &str = "meta_info.txt";

type Images = Database<'static, Str, Bytes>;

/// An opened database. It stays open until the program ends: there are few of them, and a file of LMDB must
/// not be opened twice by one process.
pub struct Store {
    path: PathBuf,
    opened: PathBuf, // the same in full
    env: Env<WithoutTls>,
    images: Images,
}

static OPEN: Mutex<Vec<&Store>> = Mutex::new(Vec::new());

impl Store {
    /// The database in the folder `path`.
    ///
    /// # Errors
    /// [`Error::UnreadableStore`].
    pub(super) fn open(path: &Path) -> Result<&'static Store> {
        let failed = |what: String| Error::UnreadableStore {
            path: path.to_owned(),
            what,
        };
        let full = fs::canonicalize(path.join("data.mdb")).map_err(|e| failed(e.to_string()))?;
        let mut open = OPEN.lock();
        if let Some(store) = open.iter().find(|store| store.opened == full) {
            return Ok(store);
        }
        let (env, images) = opened(path).map_err(|e| failed(e.to_string()))?;
        // What lies behind the file's end must not be touched: it is mapped into memory.
        let pages = env.info().last_page_number as u64 + 1;
        let wanted = pages * u64::from(env.unnamed_database_stat().page_size);
        let there = fs::metadata(&full).map_err(|e| failed(e.to_string()))?;
        if there.len() < wanted {
            return Err(failed(format!(
                "data.mdb is cut off: it has {} bytes, not {wanted}",
                there.len()
            )));
        }
        let store = Box::leak(Box::new(Store {
            path: path.to_owned(),
            opened: full,
            env,
            images,
        }));
        open.push(store);
        Ok(store)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The keys, in the order of the list.
    ///
    /// # Errors
    /// A list that is missing or empty.
    pub(super) fn keys(&self) -> Result<Vec<String>> {
        let path = self.path.join(LIST);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) => return Err(Error::UnreadableList { path, source }),
        };
        let keys: Vec<_> = text.lines().filter_map(key_of_line).collect();
        match keys.is_empty() {
            true => Err(Error::EmptyList { path }),
            false => Ok(keys),
        }
    }

    /// What `use_bytes` makes of a record's bytes.
    ///
    /// # Errors
    /// No such record, or a database that cannot be read.
    pub(super) fn with<T>(
        &self,
        key: &str,
        use_bytes: impl FnOnce(&[u8]) -> std::result::Result<T, Unreadable>,
    ) -> std::result::Result<T, Unreadable> {
        let failed = |error: heed::Error| Unreadable::Store(error.to_string());
        let transaction = self.env.read_txn().map_err(failed)?;
        match self.images.get(&transaction, key).map_err(failed)? {
            Some(bytes) => use_bytes(bytes),
            None => Err(Unreadable::Store("there is no such record".to_owned())),
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.path.display())
    }
}

impl PartialEq for Store {
    fn eq(&self, other: &Self) -> bool {
        self.opened == other.opened
    }
}

impl Eq for Store {}

/// Read only, without a lock file (as BasicSR does: a data set may lie where nothing can be written) and without
/// reading ahead, for records come in random order.
fn opened(path: &Path) -> heed::Result<(Env<WithoutTls>, Images)> {
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    // SAFETY: nobody writes to a data set that is read from; `prepare` renames a finished one into place.
    let env = unsafe {
        let flags = EnvFlags::READ_ONLY | EnvFlags::NO_LOCK | EnvFlags::NO_READ_AHEAD;
        options.flags(flags).open(path)?
    };
    let transaction = env.read_txn()?;
    let images = env.open_databases_and_commit(transaction, |opener, transaction| {
        let images = opener.open_database::<Str, Bytes>(transaction, None)?;
        Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(images))
    })?;
    let images = images.commit().flatten();
    let images = images.ok_or_else(|| std::io::Error::other("it holds no records"))?;
    Ok((env, images))
}

/// `0001_s001` of `0001_s001.png (480,480,3) 1`; names may hold blanks and dots.
fn key_of_line(line: &str) -> Option<String> {
    let name = line.rsplit_once(" (").map_or(line, |(name, _)| name).trim();
    let key = name.rsplit_once('.').map_or(name, |(key, _)| key);
    (!key.is_empty()).then(|| key.to_owned())
}

/// The keys of the database in the folder `path`, in the order of its list.
///
/// # Errors
/// [`Error::UnreadableStore`]; a list that is missing or empty.
pub fn lmdb_keys(path: &Path) -> Result<Vec<String>> {
    Store::open(path)?.keys()
}

/// An image that goes into a database.
#[derive(Clone, Debug)]
pub struct LmdbRecord {
    /// Its name without extension, at most 511 bytes of it.
    pub key: String,
    /// A PNG file.
    pub file: PathBuf,
}

impl From<&PathBuf> for LmdbRecord {
    /// The file under its own name.
    fn from(file: &PathBuf) -> Self {
        LmdbRecord {
            key: stem(file),
            file: file.clone(),
        }
    }
}

/// Writes a database of these images into the folder `path`, which must not exist; `done` is told of each, and
/// says whether to go on. It is whole or not there.
///
/// Returns whether it was written: not, where it was stopped.
///
/// # Errors
/// [`Error::UnwritableFile`]; an image that cannot be read; two of one key.
pub fn write_lmdb(
    path: &Path,
    records: &[LmdbRecord],
    mut done: impl FnMut(usize) -> bool,
) -> Result<bool> {
    let unwritable = |source| Error::UnwritableFile {
        path: path.to_owned(),
        source,
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.partial"));
    let remove = || match fs::remove_dir_all(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(unwritable(error)),
        _ => Ok(()), // what an earlier one that was stopped has left
    };
    remove()?;
    fs::create_dir_all(&beside).map_err(unwritable)?;
    let written = fill(&beside, records, &mut done);
    match written {
        Ok(true) => fs::rename(&beside, path).map_err(unwritable).map(|()| true),
        Ok(false) => remove().map(|()| false),
        Err(error) => {
            let _ = remove(); // the first fault is the one to tell
            Err(error)
        }
    }
}

/// Bytes between two commits.
const COMMIT_BYTES: u64 = 256 << 20;

fn fill(
    folder: &Path,
    records: &[LmdbRecord],
    done: &mut dyn FnMut(usize) -> bool,
) -> Result<bool> {
    let unwritable = |source| Error::UnwritableFile {
        path: folder.to_owned(),
        source,
    };
    let failed = |error: heed::Error| unwritable(std::io::Error::other(error.to_string()));
    let env = created(folder, records).map_err(failed)?;
    let transaction = env.write_txn().map_err(failed)?;
    let images = env
        .create_databases_and_commit(transaction, |opener, transaction| {
            let images = opener.create_database::<Str, Bytes>(transaction, None)?;
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(images))
        })
        .map_err(failed)?
        .commit();
    let images = images.ok_or_else(|| unwritable(std::io::Error::other("no database came")))?;
    let mut list = String::new();
    let mut transaction = env.write_txn().map_err(failed)?;
    let mut waiting = 0;
    for (i, record) in records.iter().enumerate() {
        let unreadable = |source| Error::UnreadableImage {
            path: record.file.clone(),
            source,
        };
        let bytes = fs::read(&record.file).map_err(|e| unreadable(e.into()))?;
        let look = picture::dimensions(&bytes).map_err(|e| unreadable(e.into()));
        let (width, height) = look?;
        let key = record.key.as_str();
        let put =
            images.put_with_flags(&mut transaction, heed::PutFlags::NO_OVERWRITE, key, &bytes);
        put.map_err(failed)?;
        list += &format!("{key}.png ({height},{width},{}) 3\n", channels(&bytes));
        waiting += bytes.len() as u64;
        if waiting > COMMIT_BYTES {
            transaction.commit().map_err(failed)?;
            transaction = env.write_txn().map_err(failed)?;
            waiting = 0;
        }
        if !done(i + 1) {
            return Ok(false);
        }
    }
    transaction.commit().map_err(failed)?;
    nn::checkpoint::write_atomically(folder.join(LIST), list.as_bytes()).map_err(unwritable)?;
    Ok(true)
}

/// The largest page that systems use.
const PAGE: u64 = 16384;

/// A new database with room for the records.
fn created(folder: &Path, records: &[LmdbRecord]) -> heed::Result<Env<heed::WithTls>> {
    let size = |record: &LmdbRecord| {
        let bytes = fs::metadata(&record.file).map_or(0, |there| there.len());
        bytes.next_multiple_of(PAGE) + PAGE // a page of its own for what is said of it
    };
    let bytes: u64 = records.iter().map(size).sum();
    // LMDB keeps pages of a transaction until the next: room for them, too.
    let room = (bytes + bytes / 4 + (64 << 20)).next_multiple_of(1 << 20);
    let mut options = EnvOpenOptions::new();
    options.map_size(usize::try_from(room).unwrap_or(usize::MAX & !0xfffff));
    // SAFETY: the folder was made a moment ago, and nobody else knows it.
    unsafe { options.open(folder) }
}

/// A PNG's channels as OpenCV counts them, from its header: 1 for gray, 4 with alpha.
fn channels(png: &[u8]) -> usize {
    match png.get(25) {
        Some(0) => 1,
        Some(4 | 6) => 4,
        _ => 3,
    }
}

#[cfg(test)]
mod tests;
