//! What the documents say of the code is there: quotes, links and paths of README.md, CONTRIBUTING.md,
//! docs/*.md and the book.
//!
//! A fenced block whose first line is `// path/of/a/file` is a quote: its lines stand in that file, one
//! after another. A line `// …` in it leaves something out. Spaces do not count.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders whose files the documents may name.
const FOLDERS: [&str; 16] = [
    "autograd",
    "benches",
    "book",
    "catanet",
    "docs",
    "examples",
    "exercises",
    "nn",
    "scripts",
    "shaders",
    "src",
    "tensor",
    "tests",
    "weights",
    "web",
    ".ci",
];
/// How the name of a file ends that must exist.
const EXTENSIONS: [&str; 7] = ["md", "py", "rs", "safetensors", "sh", "toml", "wgsl"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What the repository holds: files and folders by their paths from its root.
fn repository() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders: Vec<PathBuf> = FOLDERS.iter().map(|f| root().join(f)).collect();
    let here = |path: &Path| {
        let inside = path.strip_prefix(root()).expect("inside");
        inside.to_string_lossy().replace('\\', "/")
    };
    for entry in fs::read_dir(root()).expect("the root") {
        found.insert(here(&entry.expect("an entry").path()));
    }
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue; // such as `.ci` in a package of the sources
        };
        found.insert(here(&folder));
        for entry in entries {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else {
                found.insert(here(&path));
            }
        }
    }
    found
}

/// A fenced block.
struct Block<'a> {
    line: usize, // of its first line, from 1
    lines: Vec<&'a str>,
}

/// The fenced blocks of a document, and its text: every line without them, empty where one was.
fn split(document: &str) -> (Vec<Block<'_>>, Vec<&str>) {
    let (mut blocks, mut text): (Vec<Block>, Vec<&str>) = Default::default();
    let mut inside = false;
    for (i, line) in document.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
            if inside {
                let (line, lines) = (i + 2, Vec::new());
                blocks.push(Block { line, lines });
            }
            text.push("");
        } else if let Some(block) = blocks.last_mut().filter(|_| inside) {
            block.lines.push(line);
            text.push("");
        } else {
            text.push(line);
        }
    }
    (blocks, text)
}

/// The file that a block quotes, if it is a quote.
fn quoted<'a>(block: &Block<'a>) -> Option<&'a str> {
    let path = block.lines.first()?.trim().strip_prefix("// ")?;
    let is_path = path.contains('/') && path.contains('.') && !path.contains(' ');
    is_path.then_some(path)
}

/// A line with single spaces between its words.
fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Where a quote leaves its file: the first line that is not there, or None if all are.
fn misquote(quote: &[&str], file: &str) -> Option<String> {
    let file: Vec<String> = file.lines().map(words).collect();
    let quote: Vec<String> = quote.iter().map(|line| words(line)).collect();
    let mut from = 0;
    for piece in quote.split(|line| line == "// …") {
        let Some(start) = piece.iter().position(|line| !line.is_empty()) else {
            continue;
        };
        let end = piece.iter().rposition(|line| !line.is_empty());
        let piece = &piece[start..=end.unwrap_or(start)];
        let begins = |at: &usize| file[*at..].starts_with(piece);
        match (from..file.len()).find(begins) {
            Some(at) => from = at + piece.len(),
            None => {
                // The longest beginning that is there tells where it goes wrong.
                let same = |at: usize| {
                    let pairs = piece.iter().zip(&file[at..]);
                    pairs.take_while(|(a, b)| a == b).count()
                };
                let right = (from..file.len()).map(same).max().unwrap_or(0);
                return Some(piece[right].clone());
            }
        }
    }
    None
}

/// What stands between two backticks in a line.
fn in_backticks(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The targets of a line's links.
fn links(line: &str) -> Vec<&str> {
    let starts = line.match_indices("](").map(|(at, _)| at + 2);
    starts
        .filter_map(|at| line[at..].split_once(')').map(|(target, _)| target))
        .collect()
}

/// Whether it reads as a file or folder of the repository.
fn looks_like_a_path(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    if !text.chars().all(plain) || text.starts_with(['.', '/', '-']) {
        return false;
    }
    let (first, rest) = text.split_once('/').unwrap_or((text, ""));
    let extension = text.rsplit_once('.').map(|(_, extension)| extension);
    let is_file = extension.is_some_and(|e| EXTENSIONS.contains(&e));
    match text.contains('/') {
        true => FOLDERS.contains(&first) && (is_file || extension.is_none() || rest.is_empty()),
        false => is_file && !text.ends_with(".safetensors"), // weights are the user's own
    }
}

/// Whether the repository has it: by its whole path, or, of a name without a folder, anywhere.
fn exists(repository: &BTreeSet<String>, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    let below = format!("/{path}");
    let anywhere = || repository.iter().any(|p| p.ends_with(&below));
    repository.contains(path) || (!path.contains('/') && anywhere())
}

/// Where a link in a document leads, from the root.
fn target(document: &str, link: &str) -> String {
    let folder = document.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|p| !p.is_empty()).collect();
    for part in link.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            other => parts.push(other),
        }
    }
    parts.join("/")
}

/// A heading as links name it: in small letters, without punctuation, `-` for a space.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars()
        .filter(kept)
        .collect::<String>()
        .replace(' ', "-")
}

/// Whether the document has a heading that `name` is the anchor of.
fn has_anchor(document: &str, name: &str) -> bool {
    let (_, text) = split(document);
    let mut headings = text.iter().filter(|line| line.starts_with('#'));
    headings.any(|heading| anchor(heading) == name)
}

/// All that is wrong with a document.
fn problems(
    name: &str,
    document: &str,
    repository: &BTreeSet<String>,
    read: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let mut problems = Vec::new();
    let (blocks, text) = split(document);
    for block in &blocks {
        let Some(path) = quoted(block) else { continue };
        let line = block.line;
        match read(path) {
            None => problems.push(format!("{name}:{line}: there is no {path}")),
            Some(file) => {
                if let Some(wrong) = misquote(&block.lines[1..], &file) {
                    problems.push(format!("{name}:{line}: {path} does not say: {wrong}"));
                }
            }
        }
    }
    for (i, line) in text.into_iter().enumerate() {
        let line_number = i + 1;
        for path in in_backticks(line).filter(|text| looks_like_a_path(text)) {
            if !exists(repository, path) {
                problems.push(format!("{name}:{line_number}: there is no {path}"));
            }
        }
        for link in links(line) {
            if link.contains("://") {
                continue;
            }
            let (file, part) = link.split_once('#').unwrap_or((link, ""));
            let path = match file {
                "" => name.to_owned(),
                _ => target(name, file),
            };
            let named = || match path == name {
                true => has_anchor(document, part),
                false => read(&path).is_some_and(|text| has_anchor(&text, part)),
            };
            if !repository.contains(&path) || !(part.is_empty() || named()) {
                problems.push(format!("{name}:{line_number}: {link} leads nowhere"));
            }
        }
    }
    problems
}

#[test]
fn the_documents_are_true() {
    let repository = repository();
    let is_document = |path: &&String| {
        let in_folder = ["docs/", "book/src/"].iter().any(|f| path.starts_with(f));
        let is_of_the_root = ["README.md", "CONTRIBUTING.md"].contains(&path.as_str());
        in_folder && path.ends_with(".md") || is_of_the_root
    };
    let documents: Vec<_> = repository.iter().filter(is_document).collect();
    assert!(documents.len() >= 6, "{documents:?}");
    let read = |path: &str| fs::read_to_string(root().join(path)).ok();
    let problems: Vec<_> = documents
        .into_iter()
        .flat_map(|name| problems(name, &read(name).expect("text"), &repository, read))
        .collect();
    assert!(problems.is_empty(), "{problems:#?}");
}

/// A chapter of the book is listed, shows something, runs something, and gives something to do.
#[test]
fn every_chapter_is_whole() {
    let repository = repository();
    let chapters = repository.iter().filter_map(|path| {
        let name = path.strip_prefix("book/src/")?;
        let is_chapter = name.starts_with(|c: char| c.is_ascii_digit());
        is_chapter.then_some(name)
    });
    let chapters: Vec<&str> = chapters.collect();
    assert!(!chapters.is_empty());
    let read = |name: &str| fs::read_to_string(root().join("book/src").join(name)).expect("text");
    let summary = read("SUMMARY.md");
    let mut listed: Vec<&str> = summary.lines().flat_map(links).collect();
    assert_eq!(listed.pop(), Some("answers.md"));
    assert_eq!(listed[0], "README.md");
    assert_eq!(
        listed[1..],
        chapters,
        "SUMMARY.md lists them in their order"
    );
    for name in chapters {
        let chapter = read(name);
        let (blocks, text) = split(&chapter);
        let has = |what: &str| text.iter().any(|line| line.starts_with(what));
        assert!(has("# "), "{name}: a title");
        assert!(
            has("![") && chapter.contains("](images/"),
            "{name}: a figure"
        );
        assert!(blocks.iter().any(|b| quoted(b).is_some()), "{name}: code");
        assert!(has("## What to change"), "{name}: what to change");
        assert!(has("## Exercises"), "{name}: exercises");
    }
}

const FILE: &str = "fn a() {\n    one();\n    two();\n}\n\nfn b() {}\n";

#[test]
fn a_quote_is_lines_that_follow_each_other() {
    assert_eq!(misquote(&["fn a() {", "one();", "  two();"], FILE), None);
    assert_eq!(
        misquote(&["fn a() {", "// …", "}", "", "fn b() {}"], FILE),
        None
    );
    assert_eq!(misquote(&["// …", "two();", "// …"], FILE), None);
    let wrong = |quote: &[&str]| misquote(quote, FILE).expect("a wrong quote");
    assert_eq!(wrong(&["fn a() {", "  one(1);"]), "one(1);");
    assert_eq!(wrong(&["fn a() {", "two();"]), "two();"); // one() is missing
    assert_eq!(wrong(&["fn b() {}", "// …", "fn a() {"]), "fn a() {"); // another order
    assert_eq!(wrong(&["fn c() {}"]), "fn c() {}");
}

#[test]
fn wrong_quotes_links_and_paths_are_found() {
    let repository: BTreeSet<String> = ["docs", "docs/x.md", "src", "src/a.rs", "README.md"]
        .map(str::to_owned)
        .into();
    let read = |path: &str| (path == "src/a.rs").then(|| FILE.to_owned());
    let found = |document: &str| problems("docs/x.md", document, &repository, read);
    for right in [
        "# A: part, `x`\n[a](../src/a.rs), [x](#a-part-x), [web](https://e.org/x#y) and `src/a.rs`",
        "`a.rs`, `src/`, `tensor::ops`, `--half`, `p.x`, `datasets/Set5`, `N/2`, `W/r/c.rs`",
        "```rust\n// src/a.rs\none();\n```",
        "```rust\n// one() is `src/none.rs`\nelse();\n```",
    ] {
        assert_eq!(found(right), Vec::<String>::new());
    }
    for (wrong, told) in [
        ("see `src/b.rs`", "docs/x.md:1: there is no src/b.rs"),
        ("\n`b.rs`", "docs/x.md:2: there is no b.rs"),
        ("`src/none/`", "docs/x.md:1: there is no src/none/"),
        ("[a](src/a.rs)", "docs/x.md:1: src/a.rs leads nowhere"),
        ("# B\n[a](#a)", "docs/x.md:2: #a leads nowhere"),
        (
            "```rust\n// src/a.rs\nthree();\n```",
            "docs/x.md:2: src/a.rs does not say: three();",
        ),
        (
            "```rust\n// src/b.rs\none();\n```",
            "docs/x.md:2: there is no src/b.rs",
        ),
    ] {
        assert_eq!(found(wrong), [told]);
    }
}
