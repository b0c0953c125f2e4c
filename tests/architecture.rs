//! The house keeps its shape: who imports whom, how long a file is, where a driver is named.
//!
//! The picture is made from the code: every path `crate::…`, `super::…` or `other_crate::…` outside of
//! comments and tests is an arrow to the file that defines the last name in it. `docs/architecture.md`
//! tells what each room is for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The crates, each knowing only those before it.
const CRATES: [&str; 6] = ["picture", "shaders", "tensor", "autograd", "nn", "catanet"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `folder` that end so, with their text.
fn files(folder: &str, extension: &str) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                let text = fs::read_to_string(&path).expect("text");
                found.insert(path, text);
            }
        }
    }
    found
}

/// The code of a Rust file: without comments and the tests at its end.
fn code(text: &str) -> String {
    let text = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let without_comment = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
    let lines: Vec<_> = text.lines().map(without_comment).collect();
    lines.join("\n")
}

/// A crate's modules: from `a::b` to its file's code.
fn modules(name: &str) -> BTreeMap<String, String> {
    let source = root().join(name).join("src");
    let module = |path: &Path| {
        let inside = path.strip_prefix(&source).expect("a file of the crate");
        let parts = inside.with_extension("");
        let parts: Vec<_> = parts.iter().map(|p| p.to_string_lossy()).collect();
        let parts: Vec<_> = parts
            .iter()
            .filter(|p| *p != "mod" && *p != "lib")
            .collect();
        parts
            .iter()
            .map(|p| p.as_ref())
            .collect::<Vec<_>>()
            .join("::")
    };
    let all = files(&format!("{name}/src"), "rs");
    let all = all.iter().filter(|(path, _)| !path.ends_with("tests.rs"));
    let all = all.filter(|(path, _)| !path.components().any(|c| c.as_os_str() == "tests"));
    all.map(|(path, text)| (module(path), code(text))).collect()
}

/// The paths that begin with `start` in code, groups in braces written out: `a::{b, c::d}` is two.
fn paths(code: &str, start: &str) -> Vec<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let begins = |at: usize| !code[..at].ends_with(|c: char| is_part(c) || c == ':');
    let starts = code.match_indices(start).map(|(at, _)| at);
    let mut found = Vec::new();
    for at in starts.filter(|&at| begins(at)) {
        expand(&code[at..], "", &mut found);
    }
    found
}

/// Reads one path, or what stands in braces, and returns how much of the text that was.
fn expand(text: &str, before: &str, found: &mut Vec<String>) -> usize {
    let mut path = before.to_owned();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        if let Some(inner) = rest.strip_prefix('{') {
            at += 1;
            let mut inner = inner;
            loop {
                let trimmed = inner.trim_start_matches([',', ' ', '\n']);
                at += inner.len() - trimmed.len();
                if let Some(stripped) = trimmed.strip_prefix('}') {
                    let _ = stripped;
                    return at + 1;
                }
                let read = expand(trimmed, &path, found).max(1);
                at += read;
                inner = &trimmed[read.min(trimmed.len())..];
                if inner.is_empty() {
                    return at;
                }
            }
        }
        let name: String = rest
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '*')
            .collect();
        path += &name;
        at += name.len();
        match text[at..].strip_prefix("::") {
            Some(next) if next.starts_with(|c: char| c.is_alphabetic() || "_{*".contains(c)) => {
                path += "::";
                at += 2;
            }
            _ => {
                found.push(path);
                return at;
            }
        }
    }
}

/// Whether a module's code defines the name.
fn defines(code: &str, name: &str) -> bool {
    let kinds = [
        "fn", "struct", "enum", "trait", "type", "const", "static", "const fn",
    ];
    kinds.iter().any(|kind| {
        let head = format!("{kind} {name}");
        code.match_indices(&head).any(|(at, _)| {
            let after = &code[at + head.len()..];
            !after.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        })
    })
}

/// The module that defines what `path` (from the crate's root) names, through `pub use`.
fn resolve(modules: &BTreeMap<String, String>, path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split("::").filter(|p| !p.is_empty()).collect();
    let of = |n: usize| parts[..n].join("::");
    let depth = (0..=parts.len())
        .rev()
        .find(|&n| modules.contains_key(&of(n)))?;
    let module = of(depth);
    let Some(name) = parts.get(depth) else {
        return Some(module);
    };
    if defines(&modules[&module], name) || *name == "*" {
        return Some(module);
    }
    // Handed on from a module below.
    let below = modules.keys().filter(|m| {
        let inside = m
            .strip_prefix(module.as_str())
            .map(|m| m.trim_start_matches("::"));
        inside.is_some_and(|m| !m.is_empty())
    });
    let mut owners = below.filter(|m| defines(&modules[*m], name));
    owners.next().cloned().or(Some(module))
}

/// Who imports whom among a crate's files; its root file and those that only list others stay out.
fn imports(name: &str) -> BTreeMap<String, BTreeSet<String>> {
    let modules = modules(name);
    let mut arrows = BTreeMap::new();
    for (module, code) in modules.iter().filter(|(module, _)| !module.is_empty()) {
        let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
        let from_root = paths(code, "crate::")
            .into_iter()
            .filter_map(|p| p.strip_prefix("crate::").map(str::to_owned));
        let from_parent = paths(code, "super::").into_iter().filter_map(|p| {
            let inside = p.strip_prefix("super::")?.to_owned();
            Some(format!("{parent}::{inside}"))
        });
        let to: BTreeSet<_> = from_root
            .chain(from_parent)
            .filter_map(|path| resolve(&modules, &path))
            .filter(|to| to != module && !to.is_empty())
            .collect();
        arrows.insert(module.clone(), to);
    }
    arrows
}

/// A way from `from` back to itself.
fn circle(arrows: &BTreeMap<String, BTreeSet<String>>, from: &str) -> Option<Vec<String>> {
    let mut ways = vec![vec![from.to_owned()]];
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop() {
        for next in arrows.get(way.last()?).into_iter().flatten() {
            if next == from {
                return Some(way);
            }
            if seen.insert(next.clone()) {
                ways.push([&way[..], std::slice::from_ref(next)].concat());
            }
        }
    }
    None
}

#[test]
fn the_reader_of_paths_reads_them() {
    let found = paths(
        "use crate::a::{b, c::{d, e}};\nlet x = crate::f::g();",
        "crate::",
    );
    assert_eq!(
        found,
        [
            "crate::a::b",
            "crate::a::c::d",
            "crate::a::c::e",
            "crate::f::g"
        ]
    );
    assert!(paths("other_crate::x", "crate::").is_empty());
    let arrows: BTreeMap<_, _> = [("a", "b"), ("b", "c"), ("c", "b")]
        .map(|(from, to)| (from.to_owned(), BTreeSet::from([to.to_owned()])))
        .into();
    assert_eq!(circle(&arrows, "a"), None);
    assert_eq!(
        circle(&arrows, "b"),
        Some(vec!["b".to_owned(), "c".to_owned()])
    );
}

#[test]
fn the_files_of_a_crate_import_each_other_in_no_circle() {
    for name in CRATES {
        let arrows = imports(name);
        let circles: Vec<_> = arrows.keys().filter_map(|m| circle(&arrows, m)).collect();
        assert!(circles.is_empty(), "{name}: {circles:#?}");
    }
    // The picture is not empty.
    let tensor = imports("tensor");
    assert!(
        tensor["ops::linear"].contains("kernel::launch"),
        "{tensor:#?}"
    );
    assert!(tensor["device"].contains("gpu::recorder"), "{tensor:#?}");
}

#[test]
fn a_crate_knows_only_those_before_it() {
    for (i, name) in CRATES.into_iter().enumerate() {
        for (module, code) in modules(name) {
            for later in &CRATES[i + 1..] {
                let upwards = paths(&code, &format!("{later}::"));
                assert!(upwards.is_empty(), "{name}/{module}: {upwards:?}");
            }
        }
    }
}

#[test]
fn drivers_are_named_in_their_room_only() {
    let drivers = ["mesa", "llvmpipe", "lavapipe", "nvidia", "radeon", "amd "];
    for (path, text) in files("tensor/src", "rs") {
        let name = path.strip_prefix(root()).expect("inside").to_string_lossy();
        let text = text.to_lowercase();
        let named = drivers.iter().filter(|d| text.contains(*d));
        let allowed =
            name == "tensor/src/kernel/target.rs" || name.starts_with("tensor/src/kernel/tiles/");
        let told = ["tensor/src/error.rs"]; // an error that says what to install
        if !allowed && !told.contains(&name.as_ref()) {
            assert_eq!(named.count(), 0, "{name} names a driver");
        }
        if name.starts_with("tensor/src/ops/") {
            for word in ["lanes", "is_software", "driver"] {
                assert!(!text.contains(word), "{name} speaks of {word}");
            }
        }
    }
}

#[test]
fn a_file_is_read_in_one_go() {
    for name in CRATES {
        for (path, text) in files(&format!("{name}/src"), "rs") {
            let lines = text.lines().count();
            assert!(lines <= 400, "{}: {lines} lines", path.display());
        }
    }
    for (path, text) in files("web/src", "rs")
        .into_iter()
        .chain(files("web/page", "js"))
    {
        let lines = text.lines().count();
        assert!(lines <= 400, "{}: {lines} lines", path.display());
    }
    for (path, text) in files("shaders", "wgsl") {
        let lines = text.lines().count();
        assert!(lines <= 150, "{}: {lines} lines", path.display());
    }
}
