//! How files are replaced, and which are read at all.

use super::*;

#[test]
fn writing_replaces_the_old_file_and_leaves_no_other() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a.bin");
    write_atomically(&path, b"old").unwrap();
    write_atomically(&path, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    // Whoever may read what the process makes may read this.
    let plain = folder.path().join("plain");
    fs::write(&plain, b"").unwrap();
    let permissions = |path| fs::metadata(path).unwrap().permissions();
    assert_eq!(permissions(&path), permissions(&plain));
    fs::remove_file(plain).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_failed_write_leaves_no_temporary_file() {
    let folder = tempdir().unwrap();
    let taken = folder.path().join("taken");
    fs::create_dir(&taken).unwrap();
    let error = save_pth(&taken, &sample()).unwrap_err().to_string();
    assert!(
        error.contains("taken") && error.contains("cannot be written"),
        "{error}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(save_pth(folder.path().join("no/such/folder.pth"), &sample()).is_err());
}

/// Names in a folder, sorted.
fn listing(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_name_as_long_as_names_may_be_is_written() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("n".repeat(255));
    check_writable(&path).unwrap();
    write_atomically(&path, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(listing(folder.path()).len(), 1);
}

#[test]
fn whether_a_file_can_be_written_is_told_before_and_leaves_nothing() {
    let folder = tempdir().unwrap();
    let kind = |path: &Path| check_writable(path).map_err(|error| error.kind());
    assert_eq!(kind(&folder.path().join("a.pth")), Ok(()));
    assert_eq!(kind(folder.path()), Err(io::ErrorKind::IsADirectory));
    let gone = folder.path().join("gone/a.pth");
    assert_eq!(kind(&gone), Err(io::ErrorKind::NotFound));
    assert!(check_writable(folder.path().join("slash/")).is_err());
    assert!(check_writable("").is_err());
    assert_eq!(listing(folder.path()), [""; 0]);
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::io::Read;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
    use std::process::Command;

    use super::*;

    #[test]
    fn a_link_stays_a_link_and_what_it_leads_to_is_replaced() {
        let folder = tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("far")).unwrap();
        fs::write(at("far/real"), b"old").unwrap();
        symlink("far/real", at("first")).unwrap();
        symlink(at("first"), at("second")).unwrap();
        symlink("far/not yet", at("dangling")).unwrap();
        symlink("loop", at("loop")).unwrap();
        write_atomically(at("second"), b"new").unwrap();
        write_atomically(at("dangling"), b"made").unwrap();
        assert!(write_atomically(at("loop"), b"never").is_err());
        assert_eq!(fs::read(at("far/real")).unwrap(), b"new");
        assert_eq!(fs::read(at("far/not yet")).unwrap(), b"made");
        for link in ["first", "second", "dangling", "loop"] {
            assert!(at(link).is_symlink(), "{link}");
        }
        assert_eq!(listing(&at("far")), ["not yet", "real"]);
        assert_eq!(listing(folder.path()).len(), 5);
    }

    #[test]
    fn a_replaced_file_keeps_its_permissions() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("private");
        fs::write(&path, b"old").unwrap();
        for mode in [0o600, 0o640, 0o755] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            write_atomically(&path, b"new").unwrap();
            let found = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(found & 0o777, mode);
        }
    }

    #[test]
    fn a_name_that_is_no_text_is_written() {
        let folder = tempdir().unwrap();
        let path = folder.path().join(OsStr::from_bytes(b"\xff\xfe.pth"));
        write_atomically(&path, b"new").unwrap();
        assert_eq!(fs::read(path).unwrap(), b"new");
    }

    #[test]
    fn a_pipe_or_a_device_is_written_to_and_stays_what_it_is() {
        let folder = tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(
            Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        check_writable(&pipe).unwrap();
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || {
                let mut bytes = Vec::new();
                fs::File::open(pipe)
                    .unwrap()
                    .read_to_end(&mut bytes)
                    .unwrap();
                bytes
            }
        });
        write_atomically(&pipe, &[7; 1 << 20]).unwrap();
        assert_eq!(reader.join().unwrap(), [7; 1 << 20]);
        assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
        write_atomically("/dev/null", b"lost").unwrap();
        check_writable("/dev/null").unwrap();
    }

    #[test]
    fn an_endless_or_enormous_file_of_another_kind_is_not_read() {
        let folder = tempdir().unwrap();
        for path in ["/dev/zero".as_ref(), folder.path()] {
            let error = load(path).unwrap_err().to_string();
            assert!(error.contains("not a file"), "{error}");
        }
        let sparse = folder.path().join("sparse.pth");
        let file = fs::File::create(&sparse).unwrap();
        file.set_len(30 << 30).unwrap();
        let error = load(&sparse).unwrap_err().to_string();
        assert!(error.contains("neither"), "{error}");
        fs::write(&sparse, b"PK\x03\x04").unwrap();
        let file = fs::File::options().write(true).open(&sparse).unwrap();
        file.set_len(30 << 30).unwrap();
        let error = load(&sparse).unwrap_err().to_string();
        assert!(error.contains("its end is missing"), "{error}");
    }
}
