//! What several tests of files and commands need.

#![allow(dead_code)] // no test needs all of it

pub mod browser;

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
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

/// Options of `catanet train` for a validation that takes no time: of one small image. (That of the defaults
/// takes longer on two cores than these tests' steps.)
pub fn small_validation() -> [String; 6] {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("validation");
    static IMAGE: OnceLock<()> = OnceLock::new();
    IMAGE.get_or_init(|| {
        fs::create_dir_all(&folder).expect("a folder");
        let image = catanet::data::dead_leaves::scene(6, 0, 60, 60);
        image.save_png(folder.join("leaves.png")).expect("written");
    });
    let set = |key: &str, value: &str| format!("datasets.val_0.{key}={value}");
    [
        "--set".to_owned(),
        set("name", "Small"),
        "--set".to_owned(),
        set("type", "PairedImageDataset"),
        "--set".to_owned(),
        set("dataroot_gt", text(&folder)),
    ]
}

/// Writes so many generated scenes of a side's length into the folder, `0.png` and on.
pub fn write_scenes(folder: &Path, seed: u64, count: u64, side: usize) {
    fs::create_dir_all(folder).expect("made");
    for i in 0..count {
        let image = catanet::data::dead_leaves::scene(seed, i, side, side);
        let path = folder.join(format!("{i}.png"));
        image.save_png(path).expect("written");
    }
}

/// Every file under `folder` with its content, by its path from there; None for a folder.
/// What a program that still runs takes away meanwhile is not there.
pub fn contents(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    fn collect(at: &Path, folder: &Path, found: &mut BTreeMap<PathBuf, Option<Vec<u8>>>) {
        for entry in fs::read_dir(at).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(folder).expect("below it").to_owned();
            if path.is_dir() {
                collect(&path, folder, found);
                found.insert(name, None);
            } else {
                match fs::read(&path) {
                    Ok(bytes) => _ = found.insert(name, Some(bytes)),
                    Err(e) => assert_eq!(e.kind(), ErrorKind::NotFound, "{}", path.display()),
                }
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

/// The same command, started with no signal ignored. (What a shell starts in the background
/// ignores SIGINT, and all that it starts: tests, too, may be such a program.)
pub fn heeding(plain: &Command) -> Command {
    let mut command = Command::new("env");
    if cfg!(target_os = "linux") {
        command.arg("--default-signal=HUP,INT,TERM"); // GNU's
    }
    command.arg(plain.get_program()).args(plain.get_args());
    command.stdin(Stdio::null());
    command
}
