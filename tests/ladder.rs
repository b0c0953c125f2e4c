//! The ladder of examples and the figures of the book run, and show what the book says they show.
//!
//! The programs are those that `cargo test` has built; for this test alone, build them first:
//! `cargo build --examples && cargo test --test ladder`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

/// Every rung, and what it prints: regular expressions that match one after another.
const LADDER: &[(&str, &[&str])] = &[
    (
        "00_scalar_tape",
        &[
            r"= 6: dy/da = 8, dy/db = -12",
            r"step 2000: loss 0\.[0-4]",
            r"\*{5}",
        ],
    ),
    (
        "01_tensor",
        &[
            r"recorded 2 kernels, then 1 submission",
            r"same bits: true",
            r"to_vec says: ",
        ],
    ),
    ("02_kernel", &[r"y, as on the host", r"@@@@@@ {3}", r"\.:-"]),
    (
        "03_autograd",
        &[
            r"by the tape  y = 6, dy/da = 8, dy/db = -12",
            r"by central differences",
            r"step 100: loss 0\.0000\d\d, 1\.0\d\d -\d\.\d\d\dx \+[23]\.\d\d\dx²",
        ],
    ),
    (
        "04_layers",
        &[
            r"fc1\.weight +\[64, ",
            r"step 300: loss 0\.0[0-4]",
            r"the network's",
        ],
    ),
    (
        "05_training",
        &[
            r"(?m)^ +0 .* 1\.0",
            r"(?m)^ 600  0\.00010  0\.\d+    0\.[01]",
            r"#{6}",
        ],
    ),
    (
        "06_super_resolution",
        &[
            r"bicubic \d\d\.\d\d dB",
            r"step 400: .*, \+[0-9.]+ over bicubic",
        ],
    ),
    (
        "07_attention",
        &[r"by hand ", r"by kernel", r"token \* reaches alike tokens"],
    ),
    (
        "08_online_softmax",
        &[
            r"online, plain: largest difference \de-[789]",
            r"d[qkv]: largest difference \de-",
            r"kept beside q, k, v and y: 96 numbers, not 9216",
        ],
    ),
    (
        "09_clustering",
        &[
            r"after 0 refinements 0\.[0-8]",
            r"after 8 refinements 0\.9",
            r"norms of the stored centres",
            r"groups\.png",
        ],
    ),
    (
        "10_token_aggregation",
        &[
            r"centres +\[16, 40\]",
            r"attention within sub-groups +\[1, 2560, 40\]",
            r"\* is of centre \d+, and attends to o:",
            r"o[o.]*\*",
        ],
    ),
    (
        "11_block",
        &[
            r"block 0 \(0 to 7, or all\)",
            r"TAB: attention in groups",
            r"blocks\.0\.0\.iasa_attn\.to_q\.weight +\[36, 40\]",
            r"14440 weights; without it \d+\.\d\d dB",
            r"attention +\d+\.\d %",
        ],
    ),
    (
        "12_catanet",
        &[
            r"477435 weights",
            r"bicubic \d\d\.\d\d dB",
            r"CATANet \d\d\.\d\d dB",
            r"step 10: loss 0\.",
        ],
    ),
];

/// The program of an example, which lies beside the folder of this test's program.
fn program(name: &str) -> PathBuf {
    let this = std::env::current_exe().expect("this test is a program");
    let built = this.parent().and_then(Path::parent).expect("target/debug");
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let program = built.join("examples").join(name);
    assert!(
        program.exists(),
        "no {}: run `cargo build --examples`",
        program.display()
    );
    program
}

fn printed(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

/// The first of these patterns that is not found after those before it.
fn missing<'a>(text: &str, patterns: &[&'a str]) -> Option<&'a str> {
    let mut at = 0;
    for pattern in patterns {
        match Regex::new(pattern).expect("a pattern").find_at(text, at) {
            Some(found) => at = found.end(),
            None => return Some(pattern),
        }
    }
    None
}

#[test]
fn what_is_missing_is_found() {
    assert_eq!(missing("a 1\nb 2\n", &[r"a \d", r"(?m)^b"]), None);
    assert_eq!(missing("a 1\nb 2\n", &[r"b", r"a"]), Some("a"));
}

#[test]
fn every_rung_shows_what_it_is_for() {
    for (name, patterns) in LADDER {
        let text = printed(&mut Command::new(program(name)));
        if let Some(pattern) = missing(&text, patterns) {
            panic!("{name} does not print {pattern}, but\n{text}");
        }
    }
}

/// The example of chapter 14 is no rung: it fails by itself where its map does not add up.
#[test]
fn attribution_prints_its_map() {
    let text = printed(&mut Command::new(program("attribution")));
    let patterns = [r"rise by \d+\.", r"diffusion index: \d\.\d", r"[#%@]{2}"];
    assert_eq!(missing(&text, &patterns), None, "{text}");
}

/// Every example with a number is a rung, and is short.
#[test]
fn the_ladder_is_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut rungs: Vec<String> = fs::read_dir(&folder)
        .expect("the examples")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(|c: char| c.is_ascii_digit()))
        .filter_map(|name| Some(name.strip_suffix(".rs")?.to_owned()))
        .collect();
    rungs.sort();
    let tested: Vec<&str> = LADDER.iter().map(|(name, _)| *name).collect();
    assert_eq!(rungs, tested);
    for name in rungs {
        let text = fs::read_to_string(folder.join(format!("{name}.rs"))).expect("text");
        assert!(text.lines().count() <= 100, "{name} is longer than a page");
    }
}

#[test]
fn the_figures_are_what_the_program_makes() {
    let made = tempfile::tempdir().expect("a folder");
    printed(Command::new(program("figures")).arg(made.path()));
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("book/src/images");
    let names = |folder: &Path| {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<_> = entries.map(|e| e.expect("a file").file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(made.path()), names(&committed));
    for name in names(made.path()) {
        let [made, committed] =
            [made.path(), &committed].map(|f| fs::read(f.join(&name)).expect("a figure"));
        assert!(
            made == committed,
            "{name:?} is old: cargo run --example figures"
        );
    }
}
