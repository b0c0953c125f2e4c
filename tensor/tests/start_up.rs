//! What is kept in the user's cache folder between two runs saves time, and can do no harm.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tensor::{Device, Tensor, ops};

/// Another process, whose cache folder is `cache`, opens a device and computes.
fn compute_in(cache: &Path) {
    let this = std::env::current_exe().expect("this binary");
    let output = Command::new(this)
        .args(["computes", "--exact", "--ignored"])
        .env("XDG_CACHE_HOME", cache)
        .output()
        .expect("started");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}"
    );
}

#[test]
#[ignore = "the other process of the tests below"]
fn computes() {
    let device = Device::open(None).expect("tests need an adapter");
    let x = Tensor::full(&device, 3.0, &[5]);
    assert_eq!(ops::mul(&x, &x).to_vec().expect("read-back"), [9.0; 5]);
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("start_up")
        .join(name);
    let _ = fs::remove_dir_all(&folder); // of an earlier run
    fs::create_dir_all(&folder).expect("made");
    folder
}

/// The one file that a run leaves, where the folder is the variable's and the adapter has use for it.
fn kept(cache: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(cache.join("catanet")).ok()?;
    let files: Vec<_> = files.map(|f| f.expect("an entry").path()).collect();
    assert!(files.len() <= 1, "{files:?}");
    files.into_iter().next()
}

#[test]
fn a_second_run_finds_what_the_first_has_kept_and_leaves_it_as_it_is() {
    let cache = folder("kept");
    compute_in(&cache);
    let Some(file) = kept(&cache) else { return };
    let before = (
        fs::read(&file).expect("read"),
        fs::metadata(&file).expect("there").modified(),
    );
    compute_in(&cache);
    let after = (
        fs::read(&file).expect("read"),
        fs::metadata(&file).expect("there").modified(),
    );
    assert!(before.0 == after.0, "content changed");
    assert_eq!(before.1.ok(), after.1.ok(), "written again");
}

#[test]
fn a_damaged_file_costs_time_only() {
    let cache = folder("damaged");
    compute_in(&cache);
    let Some(file) = kept(&cache) else { return };
    for damage in [&b""[..], b"\xff\xfe not what was written", &[0; 5000]] {
        fs::write(&file, damage).expect("written");
        compute_in(&cache);
    }
}

#[test]
fn a_cache_folder_that_cannot_be_written_is_no_error() {
    let file = folder("unwritable").join("a file, not a folder");
    fs::write(&file, "").expect("written");
    compute_in(&file);
}
