//! The program `catanet` as it is run: streams, exit statuses, terminals that go away.

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use catanet::data::dead_leaves::scene;
use common::{Folder, contents, heeding, text};

fn catanet() -> Command {
    Command::new(env!("CARGO_BIN_EXE_catanet"))
}

fn run(arguments: &[&str]) -> Output {
    catanet().args(arguments).output().expect("it runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn picture(folder: &Path, name: &str) -> String {
    let path = folder.join(name);
    scene(1, 0, 30, 28).save_png(&path).expect("written");
    text(&path).to_owned()
}

#[test]
fn alone_it_prints_its_help_and_a_wrong_line_has_a_status_of_its_own() {
    let help = run(&[]);
    assert_eq!(help.status.code(), Some(0));
    for word in [
        "upscale",
        "train",
        "eval",
        "convert",
        "adapters",
        "completions",
        "Exit status",
    ] {
        assert!(stderr(&help).contains(word), "{word}");
    }
    for wrong in [
        &["upscale"][..],
        &["nonsense"],
        &["upscale", "a.png", "--scale", "5"],
    ] {
        let output = run(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(output.stdout.is_empty());
    }
    let failed = run(&["upscale", "/no/such.png"]);
    assert_eq!(failed.status.code(), Some(1));
    assert_eq!(stderr(&failed).lines().count(), 1, "{}", stderr(&failed));
}

#[test]
fn every_shell_gets_its_completions() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(&["completions", shell]);
        let script = String::from_utf8_lossy(&script.stdout).into_owned();
        assert!(script.contains("self-ensemble"), "{shell}");
    }
}

#[test]
fn a_picture_goes_through_it_as_through_a_pipe() {
    let root = Folder::new("pipe");
    let input = picture(&root, "a.png");
    let pipe = |arguments: &[&str]| {
        let mut child = catanet()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let bytes = fs::read(&input).expect("read");
        child
            .stdin
            .take()
            .expect("piped")
            .write_all(&bytes)
            .expect("taken");
        child.wait_with_output().expect("it ends")
    };
    let output = pipe(&["upscale", "-", "-o", "-"]);
    assert!(output.status.success(), "{}", stderr(&output));
    run(&["upscale", &input]);
    let file = fs::read(root.join("a_x2.png")).expect("written");
    assert!(
        output.stdout == file,
        "stdout holds the file and nothing else"
    );
    assert!(
        stderr(&output).contains("stdin -> stdout"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn json_is_a_line_for_each_picture_and_nothing_else() {
    let root = Folder::new("json");
    let [good, bad] = [
        picture(&root, "a.png"),
        text(&root.join("b.png")).to_owned(),
    ];
    fs::write(&bad, "no picture").expect("written");
    let output = run(&["upscale", &good, &bad, "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let lines = String::from_utf8(output.stdout).expect("text");
    let mut lines: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    lines.sort_by_key(|line| line["input"].to_string());
    assert_eq!(lines.len(), 2);
    assert_eq!(
        (&lines[0]["width"], &lines[0]["height"]),
        (&60.into(), &56.into())
    );
    assert!(
        lines[1]["error"]
            .as_str()
            .is_some_and(|e| e.contains("cannot read"))
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_that_goes_away_loses_no_picture() {
    let root = Folder::new("gone");
    let input = picture(&root, "a.png");
    for line in [
        "\"$0\" upscale \"$1\" >/dev/full 2>/dev/full",
        "\"$0\" upscale \"$1\" >&- 2>&- <&-",
        "\"$0\" upscale \"$1\" | true",
    ] {
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("set -o pipefail; {line}")]);
        let status = shell
            .arg(env!("CARGO_BIN_EXE_catanet"))
            .arg(&input)
            .status();
        assert!(status.expect("it runs").success(), "{line}");
        fs::remove_file(root.join("a_x2.png")).expect("it was written");
    }
}

#[cfg(unix)]
#[test]
fn escape_codes_in_names_do_not_reach_the_terminal() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let root = Folder::new("escape");
    let bad = root.join("b\u{1b}[31m.png");
    fs::write(&bad, "no picture").expect("written");
    let good = picture(&root, "a\u{1b}[31m.png");
    let wrong = OsStr::from_bytes(b"--\x1b[31m");
    for arguments in [vec![bad.as_os_str(), OsStr::new(&good)], vec![wrong]] {
        let output = catanet()
            .arg("upscale")
            .args(arguments)
            .output()
            .expect("it runs");
        assert!(!output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b));
    }
    assert!(root.join("a\u{1b}[31m_x2.png").is_file());
}

#[cfg(unix)]
#[test]
fn a_copy_of_it_enlarges_from_any_folder_with_no_home() {
    let root = Folder::new("copy");
    let input = picture(&root, "a.png");
    let copy = root.join("catanet");
    fs::copy(env!("CARGO_BIN_EXE_catanet"), &copy).expect("copied");
    let output = Command::new(&copy)
        .args(["upscale", &input, "--scale", "3"])
        .current_dir("/")
        .env("HOME", "/nonexistent")
        .env_remove("XDG_CACHE_HOME")
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(root.join("a_x3.png").is_file());
}

#[cfg(unix)]
#[test]
fn a_batch_that_is_interrupted_leaves_whole_files_only() {
    let root = Folder::new("stop");
    let inputs: Vec<String> = (0..40)
        .map(|i| picture(&root, &format!("{i:02}.png")))
        .collect();
    let out = root.join("out");
    let mut upscale = catanet();
    upscale
        .arg("upscale")
        .args(&inputs)
        .args(["--scale", "4", "--save", text(&out)]);
    let mut child = heeding(&upscale)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    while !out.join("01_x4.png").exists() {
        assert!(
            child.try_wait().expect("known").is_none(),
            "it ended too soon"
        );
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let id = child.id().to_string();
    Command::new("kill")
        .args(["-INT", &id])
        .status()
        .expect("sent");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    let files = contents(&out);
    assert!(files.len() < inputs.len());
    for (name, bytes) in files {
        let whole = picture::read(&bytes.expect("a file"), &picture::ReadOptions::default());
        assert!(whole.is_ok(), "{}", name.display());
    }
}
