//! `catanet prepare` as it is run: what it writes, what it keeps, what it refuses.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use catanet::data::dead_leaves::scene;
use catanet::data::{Backend, LoaderOptions, Paired, Source};
use catanet::image::Image;
use catanet::imresize::downscale;
use common::{Folder, contents, text};

fn prepare(folder: &Path, more: &[&str]) -> Output {
    command(folder, more).output().expect("it runs")
}

fn command(folder: &Path, more: &[&str]) -> Command {
    let (hr, lr, out) = (folder.join("hr"), folder.join("lr"), folder.join("out"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_catanet"));
    command.args([
        "prepare",
        "--hr",
        text(&hr),
        "--lr",
        text(&lr),
        "--out",
        text(&out),
    ]);
    command.args(["--scale", "2"]).args(more);
    command
}

/// Three images of 41 to 43 × 36, and what bicubic makes of them, called in this way.
fn images(name: &str, called: &str) -> Folder {
    let folder = Folder::new(name);
    for side in ["hr", "lr"] {
        fs::create_dir(folder.join(side)).expect("made");
    }
    for i in 0..3 {
        let image = scene(1, i, 41 + i as usize, 36);
        let lr = called.replace("{}", &i.to_string());
        image
            .save_png(folder.join(format!("hr/{i}.png")))
            .expect("written");
        let small = downscale(&image.modcrop(2), 2);
        small
            .save_png(folder.join(format!("lr/{lr}.png")))
            .expect("written");
    }
    folder
}

const SMALL: [&str; 4] = ["--crop-size", "20", "--step", "10"];

#[test]
fn sub_images_and_databases_are_written_read_and_kept() {
    for called in ["{}x2", "{}", "{}_LRBI_x2"] {
        let folder = images("prepare-whole", called);
        let more = [&SMALL[..], &["--lmdb"]].concat();
        let first = prepare(&folder, &more);
        let said = String::from_utf8_lossy(&first.stdout).into_owned();
        assert!(first.status.success(), "{first:?}");
        assert!(said.contains("33 sub-images of 20×20 and 33 low"), "{said}");
        let out = folder.join("out");
        let written = contents(&out);
        // 33 of each side, folders HR, LR_bicubic and X2, two databases of three files, the note, and the lock.
        assert_eq!(written.len(), 66 + 3 + 2 * 4 + 2, "{:?}", written.keys());
        let again = prepare(&folder, &more);
        let said = String::from_utf8_lossy(&again.stdout).into_owned();
        assert!(said.contains("66 files were there already"), "{said}");
        assert_eq!(
            said.matches("was there already and is kept").count(),
            2,
            "{said}"
        );
        assert!(contents(&out) == written);
        // The folder is one to train on, and the databases hold the same.
        let (source, notes) = Source::open_with_notes(&out, 2).expect("opened");
        assert!(notes.is_empty(), "{notes:?}");
        let paired = Paired {
            gt: out.join("HR.lmdb"),
            lq: Some(out.join("LR_bicubic_X2.lmdb")),
            template: "{}".to_owned(),
            meta_info: None,
            backend: Backend::Lmdb,
        };
        let (stored, notes) = Source::paired(&paired, 2).expect("opened");
        assert!(notes.is_empty(), "{notes:?}");
        let options = LoaderOptions {
            patch: 10,
            ..LoaderOptions::default()
        };
        stored.check(&options).expect("sound");
        let (Source::Photos(files), Source::Photos(records)) = (source, stored) else {
            panic!("no photographs");
        };
        assert_eq!((files.len(), records.len()), (33, 33));
        for (file, record) in files.iter().zip(&records) {
            assert_eq!(file.0.name(), record.0.name());
            let both = |place: &catanet::data::Place| place.load().expect("read");
            assert_eq!(both(&file.0), both(&record.0));
            assert_eq!(file.1.as_ref().map(both), record.1.as_ref().map(both));
        }
        let image = Image::load(out.join("HR/1_s002.png")).expect("read");
        assert_eq!(image, scene(1, 1, 42, 36).crop(10, 0, 20, 20));
    }
}

#[test]
fn what_cannot_be_prepared_is_refused_before_anything_is_written() {
    let folder = images("prepare-refused", "{}x2");
    let says = |more: &[&str]| {
        let output = prepare(&folder, more);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let text = says(&["--crop-size", "40", "--step", "20"]);
    assert!(
        text.contains("3 faults in 3 images") && text.contains("0.png"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(says(&["--crop-size", "21", "--step", "10"]).contains("choose 22"));
    assert!(!folder.join("out").exists());
    assert!(prepare(&folder, &SMALL).status.success());
    let text = says(&["--crop-size", "20", "--step", "8"]);
    assert!(text.contains("other options"), "{text}");
}

#[test]
fn a_database_that_basicsrs_library_wrote_is_read() {
    // Written by Python's lmdb: v = (i + 3)·n mod 256 at place n of image i.
    let gt = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/basicsr.lmdb");
    let paired = Paired {
        gt,
        lq: None,
        template: "{}".to_owned(),
        meta_info: None,
        backend: Backend::Lmdb,
    };
    let (source, _) = Source::paired(&paired, 2).expect("opened");
    let Source::Photos(pairs) = source else {
        panic!("no photographs");
    };
    assert_eq!(pairs.len(), 2);
    for (i, (place, _)) in pairs.iter().enumerate() {
        assert_eq!(place.name(), format!("0001_s00{}", i + 1));
        let image = place.load().expect("read");
        let expected = (0..360).map(|n| (n * (i + 3) % 256) as u8).collect();
        assert_eq!(image, Image::new(12, 10, expected));
    }
}

#[cfg(unix)]
#[test]
fn one_that_is_stopped_leaves_whole_files_and_goes_on() {
    use std::process::Stdio;
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    let more = ["--crop-size", "20", "--step", "2"];
    let folder = images("prepare-stopped", "{}x2");
    let mut command = common::heeding(&command(&folder, &more));
    let mut child = command.stderr(Stdio::piped()).spawn().expect("it runs");
    let begun = Instant::now();
    let first = folder.join("out/HR/0_s001.png");
    while !first.exists() && begun.elapsed() < Duration::from_secs(20) {
        sleep(Duration::from_millis(1));
    }
    let mut kill = Command::new("kill");
    kill.args(["-INT", &child.id().to_string()]);
    assert!(kill.status().expect("there is a kill").success());
    let status = child.wait().expect("it ends");
    // It may have been done before the signal came.
    assert!([Some(130), Some(0)].contains(&status.code()), "{status}");
    for side in ["HR", "LR_bicubic/X2"] {
        for file in fs::read_dir(folder.join("out").join(side)).expect("a folder") {
            Image::load(file.expect("an entry").path()).expect("whole");
        }
    }
    assert!(prepare(&folder, &more).status.success());
    let undisturbed = images("prepare-undisturbed", "{}x2");
    assert!(prepare(&undisturbed, &more).status.success());
    let files = |folder: &Folder| {
        let mut files = contents(&folder.join("out"));
        files.remove(Path::new("prepare.json")); // names the folder
        files
    };
    assert!(files(&folder) == files(&undisturbed));
}

#[test]
fn a_folder_in_use_and_the_images_own_folder_are_refused() {
    let folder = images("prepare-apart", "{}x2");
    let out = folder.join("out");
    fs::create_dir(&out).expect("made");
    let lock = fs::File::create(out.join(".lock")).expect("made");
    lock.lock().expect("locked");
    let output = prepare(&folder, &SMALL);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("is in use"), "{said}");
    assert!(!out.join("prepare.json").exists());
    drop(lock);
    assert!(prepare(&folder, &SMALL).status.success());

    let own = folder.join("own");
    fs::create_dir(&own).expect("made");
    fs::rename(folder.join("hr"), own.join("HR")).expect("renamed");
    let before = contents(&own);
    let mut command = Command::new(env!("CARGO_BIN_EXE_catanet"));
    command.args([
        "prepare",
        "--hr",
        text(&own.join("HR")),
        "--out",
        text(&own),
    ]);
    let output = command.args(SMALL).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("among the images"), "{said}");
    assert!(contents(&own) == before);
}
