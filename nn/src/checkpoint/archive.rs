//! The uncompressed zip that PyTorch puts its files into.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use zip::{CompressionMethod, ZipArchive};

use super::Problem;

type Zip<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// The zip, and the folder in it, with its slash, that torch puts everything in.
#[derive(Clone)]
pub(super) struct Archive<'a> {
    bytes: &'a [u8],
    zip: Zip<'a>,
    root: String,
}

impl<'a> Archive<'a> {
    /// The zip in `bytes`.
    pub fn open(bytes: &'a [u8]) -> Result<Self, Problem> {
        let zip = open(bytes)?;
        let root = root(&zip)?;
        Ok(Archive { bytes, zip, root })
    }

    /// The bytes of the storage `key`.
    pub fn storage(&mut self, key: &str) -> Result<&'a [u8], Problem> {
        self.required(&format!("data/{key}"))
    }

    /// The content of an entry that has to be there.
    pub fn required(&mut self, name: &str) -> Result<&'a [u8], Problem> {
        let content = self.entry(name)?;
        content.ok_or_else(|| Problem::damaged(format!("its zip lacks `{}{name}`", self.root)))
    }

    /// The content of an entry, its checksum verified; `None` when there is no such entry.
    pub fn entry(&mut self, name: &str) -> Result<Option<&'a [u8]>, Problem> {
        let name = format!("{}{name}", self.root);
        let zip = &mut self.zip;
        let damaged = |what: &dyn std::fmt::Display| {
            Problem::damaged(format!("`{name}` in its zip cannot be read ({what})"))
        };
        let Some(index) = zip.index_for_name_raw(name.as_bytes()) else {
            return Ok(None);
        };
        let info = zip.by_index_raw(index).map_err(|e| damaged(&e))?;
        if info.compression() != CompressionMethod::Stored || info.encrypted() {
            return Err(Problem::unsupported(
                "its zip is compressed or encrypted; save it anew with torch.save, which does neither",
            ));
        }
        let (size, stored, start) = (info.size(), info.compressed_size(), info.data_start());
        if size != stored {
            return Err(damaged(&format!(
                "{size} bytes are claimed, {stored} stored"
            )));
        }
        drop(info);
        // Reading to the end checks the sum.
        let mut content = zip.by_index(index).map_err(|e| damaged(&e))?;
        io::copy(&mut content, &mut io::sink()).map_err(|e| damaged(&e))?;
        drop(content);
        // Stored as it is, so it can be used where it lies.
        let range = start.and_then(|start| {
            let start = usize::try_from(start).ok()?;
            Some(start..start.checked_add(usize::try_from(size).ok()?)?)
        });
        let content = range.and_then(|range| self.bytes.get(range));
        content
            .map(Some)
            .ok_or_else(|| damaged(&"it reaches outside"))
    }
}

/// Refuses a file of `length` bytes that does not end as a zip, before it is read whole.
pub(super) fn check_end(file: &mut (impl Read + Seek), length: u64) -> Result<(), Problem> {
    const MARK: &[u8] = b"PK\x05\x06";
    const LONGEST: u64 = 22 + u16::MAX as u64; // with a comment
    let mut end = Vec::new();
    file.seek(SeekFrom::Start(length.saturating_sub(LONGEST)))
        .and_then(|_| file.take(LONGEST).read_to_end(&mut end))
        .map_err(Problem::Unreadable)?;
    match end.windows(MARK.len()).any(|bytes| bytes == MARK) {
        true => Ok(()),
        false => Err(Problem::damaged("its zip is not whole, its end is missing")),
    }
}

fn open(bytes: &[u8]) -> Result<Zip<'_>, Problem> {
    let damaged = |error| Problem::damaged(format!("its zip is not whole ({error})"));
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    if zip.has_duplicate_names() || zip.has_overlapping_entries().map_err(damaged)? {
        return Err(Problem::damaged(
            "its zip holds two entries in one place or of one name",
        ));
    }
    Ok(zip)
}

/// The folder, with its slash, in which torch puts everything.
fn root(zip: &Zip) -> Result<String, Problem> {
    let mut roots = zip
        .file_names()
        .filter_map(|name| Some(name.ok()?.strip_suffix("data.pkl")?.to_owned()))
        .filter(|root| root.is_empty() || root.ends_with('/'));
    match (roots.next(), roots.next()) {
        (Some(root), None) => Ok(root),
        _ => Err(Problem::unsupported(
            "it is a zip, but not one of torch.save, which holds one data.pkl; name a .pth file",
        )),
    }
}
