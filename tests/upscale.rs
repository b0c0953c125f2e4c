//! What a user relies on when enlarging batches: every picture comes out or is named, and nothing that
//! was there is lost.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Result;
use catanet::data::dead_leaves::scene;
use catanet_cli::upscale_cli::{Cli, run_on};
use clap::Parser;
use common::{Folder, contents, device, text};

fn picture(path: &Path) {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).expect("made");
    }
    let seed = path.to_string_lossy().len() as u64;
    scene(seed, 0, 30, 28).save_png(path).expect("written");
}

fn pictures<const N: usize>(folder: &Path, names: [&str; N]) {
    names.iter().for_each(|name| picture(&folder.join(name)));
}

/// Runs `upscale` with these arguments; names in braces stand in the folder.
fn upscale(folder: &Path, arguments: &[&str]) -> Result<()> {
    let path = |argument: &&str| match argument.strip_prefix("@") {
        Some(name) => text(&folder.join(name)).to_owned(),
        None => (*argument).to_owned(),
    };
    let line = ["upscale".to_owned()]
        .into_iter()
        .chain(arguments.iter().map(path));
    run_on(
        device(),
        &Cli::try_parse_from(line).expect("a command line"),
    )
}

/// The files under a folder, with `/` between.
fn files(folder: &Path) -> BTreeSet<String> {
    let all = contents(folder)
        .into_iter()
        .filter(|(_, bytes)| bytes.is_some());
    all.map(|(path, _)| path.to_string_lossy().replace('\\', "/"))
        .collect()
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[test]
fn pictures_that_would_take_one_name_all_come_out() {
    let root = Folder::new("same");
    pictures(&root, ["a.png", "a.jpg", "one/a.png", "two/a.png"]);
    let inputs = ["@a.png", "@a.jpg", "@one/a.png", "@two/a.png", "@a.png"];
    upscale(&root, &[&inputs[..], &["--save", "@out"]].concat()).expect("enlarged");
    let expected = ["a.jpg_x2.png", "a_x2.png", "a_x2_2.png", "a.png_x2.png"];
    assert_eq!(files(&root.join("out")), set(expected));
}

#[test]
fn one_bad_picture_does_not_stop_the_others() {
    let root = Folder::new("bad");
    pictures(&root, ["a.png", "c.png"]);
    fs::write(root.join("b.png"), "no picture").expect("written");
    let inputs = ["@a.png", "@b.png", "@gone.png", "@c.png", "--save", "@out"];
    let error = upscale(&root, &inputs)
        .expect_err("two are bad")
        .to_string();
    assert_eq!(error, "2 of 4 pictures failed");
    assert_eq!(files(&root.join("out")), set(["a_x2.png", "c_x2.png"]));
}

#[test]
fn the_same_command_line_again_enlarges_no_output_and_destroys_no_other_file() {
    let root = Folder::new("again");
    pictures(&root, ["a.png", "b.png"]);
    let line = |root: &Path| {
        let names = files(root);
        let inputs: Vec<String> = names.iter().map(|name| format!("@{name}")).collect();
        inputs
    };
    let run =
        |line: &[String]| upscale(&root, &line.iter().map(String::as_str).collect::<Vec<_>>());
    run(&line(&root)).expect("enlarged");
    let first = contents(&root);
    assert_eq!(
        files(&root),
        set(["a.png", "a_x2.png", "b.png", "b_x2.png"])
    );
    run(&line(&root)).expect("enlarged again"); // all four are named now
    assert!(contents(&root) == first);
    upscale(&root, &["@"]).expect("the folder, too");
    assert!(contents(&root) == first);

    fs::write(root.join("a_x2.png"), "my own work").expect("written");
    let error = upscale(&root, &["@a.png"])
        .expect_err("not ours")
        .to_string();
    assert!(
        error.contains("a_x2.png") && error.contains("--overwrite"),
        "{error}"
    );
    assert_eq!(
        fs::read(root.join("a_x2.png")).expect("read"),
        b"my own work"
    );
    upscale(&root, &["@a.png", "--overwrite"]).expect("it is said");
    assert!(contents(&root) == first);
}

#[test]
fn a_folder_is_searched_to_the_bottom_and_mirrored() {
    let root = Folder::new("tree");
    pictures(
        &root,
        [
            "in/a.png",
            "in/x/y/b.PNG",
            "in/x/._b.png",
            "elsewhere/c.png",
        ],
    );
    fs::write(root.join("in/Thumbs.db"), "x").expect("written");
    fs::create_dir_all(root.join("in/empty")).expect("made");
    fs::create_dir_all(root.join("in/folder.png")).expect("made");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("..", root.join("in/x/round")).expect("linked");
        std::os::unix::fs::symlink(root.join("elsewhere"), root.join("in/link")).expect("linked");
    }
    #[cfg(not(unix))]
    picture(&root.join("in/link/c.png"));
    upscale(&root, &["@in", "--save", "@in/out"]).expect("enlarged");
    let expected = set(["a_x2.png", "x/y/b_x2.png", "link/c_x2.png"]);
    assert_eq!(files(&root.join("in/out")), expected);
    upscale(&root, &["@in", "--save", "@in/out"]).expect("enlarged again");
    assert_eq!(
        files(&root.join("in/out")),
        expected,
        "outputs are no inputs"
    );
    // As the ncnn upscalers have it.
    upscale(
        &root,
        &[
            "-i", "@in", "-o", "@there", "-s", "2", "-f", "png", "-j", "1:2:2",
        ],
    )
    .expect("enlarged");
    assert_eq!(
        files(&root.join("there")),
        set(["a.png", "x/y/b.png", "link/c.png"])
    );
}

#[test]
fn a_folder_of_outputs_can_be_enlarged_again_where_that_is_meant() {
    let root = Folder::new("chain");
    pictures(&root, ["in/a.png"]);
    upscale(&root, &["@in", "--save", "@twice", "-f", "webp"]).expect("enlarged");
    upscale(&root, &["@twice", "--save", "@four"]).expect("enlarged");
    assert_eq!(files(&root.join("four")), set(["a_x2_x2.png"]));
}

#[test]
fn a_report_and_results_replace_no_picture_and_no_weights() {
    let root = Folder::new("report");
    pictures(&root, ["a.png"]);
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/catanet_x2.safetensors");
    fs::copy(shipped, root.join("w.html")).expect("copied");
    let before = contents(&root);
    for page in ["@a.png", "@w.html"] {
        upscale(&root, &["@a.png", "--report", page]).expect_err("kept");
        assert!(contents(&root) == before, "{page}");
    }
    upscale(&root, &["@a.png", "--report", "@a_x2.png"]).expect_err("one name for two");
    for _ in 0..2 {
        upscale(&root, &["@a.png", "--report", "@page.html"]).expect("written");
    }
    assert!(root.join("page.html").is_file());
}

#[test]
fn shards_share_a_batch_without_gaps_or_repeats() {
    let root = Folder::new("shards");
    pictures(
        &root,
        ["in/a.png", "in/a.jpg", "in/b.png", "in/c.png", "in/d.png"],
    );
    let mut all = BTreeSet::new();
    for k in ["1/3", "2/3", "3/3"] {
        let folder = format!("@{}", k.replace('/', "of"));
        upscale(&root, &["@in", "--save", &folder, "--shard", k]).expect("enlarged");
        for name in files(&root.join(&folder[1..])) {
            assert!(all.insert(name), "twice");
        }
    }
    upscale(&root, &["@in", "--save", "@whole"]).expect("enlarged");
    assert_eq!(all, files(&root.join("whole")));
}

#[test]
fn a_batch_that_was_cut_off_goes_on() {
    let root = Folder::new("cut");
    pictures(&root, ["in/a.png", "in/b.png"]);
    fs::create_dir_all(root.join("out")).expect("made");
    fs::write(root.join("out/a_x2.png"), "done").expect("written");
    upscale(&root, &["@in", "--save", "@out", "--skip-existing"]).expect("enlarged");
    assert_eq!(fs::read(root.join("out/a_x2.png")).expect("read"), b"done");
    assert_eq!(files(&root.join("out")), set(["a_x2.png", "b_x2.png"]));
}

#[test]
fn the_weights_and_inputs_behind_links_are_not_written_over() {
    let root = Folder::new("kept");
    pictures(&root, ["a.png"]);
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/catanet_x2.safetensors");
    fs::copy(shipped, root.join("w.png")).expect("copied");
    #[cfg(unix)]
    std::os::unix::fs::symlink("a.png", root.join("link.png")).expect("linked");
    fs::hard_link(root.join("a.png"), root.join("hard.png")).expect("linked");
    let before = contents(&root);
    let mut outputs = vec!["@w.png", "@hard.png", "@./a.png"];
    if cfg!(unix) {
        outputs.push("@link.png");
    }
    for output in outputs {
        let error = upscale(&root, &["@a.png", "--weights", "@w.png", "-o", output]);
        let error = error.expect_err("kept").to_string();
        assert!(error.contains("would be written over"), "{output}: {error}");
        assert!(contents(&root) == before, "{output}");
    }
}

#[test]
fn the_name_or_the_flag_decides_the_format() {
    let root = Folder::new("format");
    pictures(&root, ["a.png"]);
    let outputs = [
        ("o.png", &b"\x89PNG"[..]),
        ("o.jpg", b"\xff\xd8\xff"),
        ("o.JPEG", b"\xff\xd8\xff"),
        ("o.webp", b"RIFF"),
        ("o.tif", b"II*\0"),
        ("o.bmp", b"BM"),
        ("o.qoi", b"qoif"),
        ("o.ppm", b"P6"),
        ("bare", b"\x89PNG"),
    ];
    for (name, magic) in outputs {
        upscale(&root, &["@a.png", "-o", &format!("@{name}")]).expect("enlarged");
        let bytes = fs::read(root.join(name)).expect("there");
        assert!(bytes.starts_with(magic), "{name}: {:?}", &bytes[..4]);
    }
    upscale(&root, &["@a.png", "-f", "jpg"]).expect("enlarged");
    assert!(root.join("a_x2.jpg").is_file());
    for line in [
        ["-o", "@o.gif", "--quality", "95"],
        ["-o", "@n.png", "-f", "jpg"],
    ] {
        let before = files(&root);
        upscale(&root, &[&["@a.png"], &line[..]].concat()).expect_err("refused");
        assert_eq!(files(&root), before);
    }
}

#[cfg(unix)]
#[test]
fn names_are_bytes() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let root = Folder::new("bytes");
    fs::create_dir_all(root.join("in")).expect("made");
    picture(
        &root
            .join("in")
            .join(OsStr::from_bytes(b"caf\xe9\x1b[31m.png")),
    );
    upscale(&root, &["@in", "--save", "@out"]).expect("enlarged");
    let expected = root
        .join("out")
        .join(OsStr::from_bytes(b"caf\xe9\x1b[31m_x2.png"));
    assert!(expected.is_file());
}

#[test]
fn an_unwritable_place_is_told_before_any_work() {
    let root = Folder::new("unwritable");
    pictures(&root, ["a.png", "b.png"]);
    let error = upscale(&root, &["@a.png", "-o", "@no/such/o.png"]).expect_err("no folder");
    assert!(format!("{error:#}").contains("o.png"), "{error:#}");
    upscale(&root, &["@a.png", "@b.png", "--save", "@a.png"]).expect_err("a file");
    assert_eq!(files(&root), set(["a.png", "b.png"]));
}
