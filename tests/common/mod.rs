//! What several tests of files and commands need.

#![allow(dead_code)] // no test needs all of it

use std::collections::BTreeMap;
use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use parking_lot::{Mutex, MutexGuard};
use tempfile::TempDir;
use tensor::Device;

/// The one device of a test's file.
pub fn device() -> &'static Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(|| Device::open(None).expect("tests need an adapter"))
}

/// The device for one test at a time, which counts what the device does, say.
pub fn device_alone() -> (MutexGuard<'static, ()>, &'static Device) {
    static ALONE: Mutex<()> = Mutex::new(());
    (ALONE.lock(), device())
}

/// An empty folder of a test's own, gone with all in it after the test.
pub struct Folder(TempDir);

impl Folder {
    pub fn new(name: &str) -> Folder {
        let mut builder = tempfile::Builder::new();
        let folder = builder.prefix(name).tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        Folder(folder.expect("a folder"))
    }
}

impl Deref for Folder {
    type Target = Path;
    fn deref(&self) -> &Path {
        self.0.path()
    }
}

/// Every file under `folder` with its content, by its path from there; None for a folder.
pub fn contents(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    fn collect(at: &Path, folder: &Path, found: &mut BTreeMap<PathBuf, Option<Vec<u8>>>) {
        for entry in fs::read_dir(at).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(folder).expect("below it").to_owned();
            if path.is_dir() {
                collect(&path, folder, found);
                found.insert(name, None);
            } else {
                found.insert(name, Some(fs::read(&path).expect("readable")));
            }
        }
    }
    let mut found = BTreeMap::new();
    collect(folder, folder, &mut found);
    found
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("an UTF-8 path")
}
