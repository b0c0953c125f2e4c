//! What holds for every file of this folder.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use naga::valid::{Capabilities, ValidationFlags, Validator};
use shaders::{files, resolve};

/// The kernels' constants, each with a value it may have.
const CONSTANTS: &[(&str, u32)] = &[
    ("ADD", 1),
    ("BIAS", 1),
    ("BLOCK", 8),
    ("C", 40),
    ("CB", 20),
    ("CHUNK", 32),
    ("CHUNKS", 1),
    ("CI4", 10),
    ("CO4", 10),
    ("COLS", 4),
    ("CV", 10),
    ("DK", 9),
    ("DV", 10),
    ("FOURS", 6), // of packed queries; keys have 5
    ("GELU", 1),
    ("GELU_ADD", 1),
    ("HEADS", 4),
    ("INS", 4),
    ("INS4", 10),
    ("KEEP", 1),
    ("LANES", 8),
    ("LEAKY", 1),
    ("LISTED", 1),
    ("LOSS", 2),
    ("M", 16),
    ("MIRROR", 1),
    ("OUTS", 4),
    ("OUTS4", 2),
    ("PART", 5),
    ("PARTS", 16),
    ("R", 2),
    ("RESIDUAL", 1),
    ("ROWS", 4),
    ("STEP", 2),
    ("VEC", 1),
    ("WG", 8),
];

/// Kernels that load four numbers at once, and no others.
const IN_FOURS: &[&str] = &[
    "tuned/attention",
    "tuned/attention_backward_kv",
    "tuned/attention_backward_kv_scalar",
    "tuned/attention_backward_q",
    "tuned/attention_backward_q_scalar",
    "tuned/attention_pack",
    "tuned/attention_scalar",
    "tuned/linear_scalar",
];

/// Kernels whose V may be four numbers as well as one.
const IN_VECS: &[&str] = &[
    "plain/elementwise",
    "plain/gather",
    "plain/reduce",
    "plain/rows",
    "plain/sort_tokens",
    "plain/unit",
    "tuned/conv3x3_scalar",
    "tuned/depthwise5x5",
    "tuned/depthwise5x5_backward_w",
    "tuned/layer_norm",
    "tuned/layer_norm_backward",
    "tuned/layer_norm_backward_parts",
];

/// The kernels: all files but the library's.
fn kernels() -> impl Iterator<Item = &'static str> {
    let paths = files().iter().map(|file| file.0);
    paths.filter(|path| !path.starts_with("lib/"))
}

/// The file as it is compiled, every binding storing `number`; `changes` to [`CONSTANTS`].
fn source(path: &str, number: &str, changes: &[(&str, u32)]) -> String {
    let changed = CONSTANTS.iter().map(|&(name, value)| {
        let change = changes.iter().find(|c| c.0 == name);
        change.copied().unwrap_or((name, value))
    });
    let constants: Vec<_> = changed.collect();
    let resolved = resolve(path, &constants);
    let mut source = String::new();
    if number == "f16" {
        source += "enable f16;\n";
    }
    for name in &resolved.constants {
        let constant = constants.iter().find(|c| c.0 == name);
        let (_, value) = constant.unwrap_or_else(|| panic!("{path}: no example of {name}"));
        let _ = writeln!(source, "const {name}: u32 = {value}u;");
    }
    let four = constants.contains(&("VEC", 4));
    let stored = if four {
        format!("vec4<{number}>")
    } else {
        number.to_owned()
    };
    for i in 0..10 {
        let _ = writeln!(source, "alias T{i} = {number}; alias V{i} = {stored};");
    }
    source + &resolved.source
}

/// Checks the file with naga, and that it has a kernel.
fn validate(path: &str, number: &str, changes: &[(&str, u32)]) {
    let source = source(path, number, changes);
    let module = naga::front::wgsl::parse_str(&source)
        .unwrap_or_else(|error| panic!("{path} {changes:?}: {}", error.emit_to_string(&source)));
    Validator::new(ValidationFlags::all(), Capabilities::all())
        .subgroup_stages(naga::valid::ShaderStages::COMPUTE)
        .subgroup_operations(naga::valid::SubgroupOperationSet::all())
        .validate(&module)
        .unwrap_or_else(|error| panic!("{path} {changes:?}: {}", error.emit_to_string(&source)));
    assert!(!module.entry_points.is_empty(), "{path}: no kernel");
}

#[test]
fn all_files_are_listed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut there = BTreeSet::new();
    for part in ["plain", "tuned", "lib"] {
        for entry in std::fs::read_dir(folder.join(part)).expect("the folder is there") {
            let path = entry.expect("it can be read").path();
            let name = path.file_stem().and_then(|name| name.to_str());
            there.insert(format!("{part}/{}", name.expect("a name in UTF-8")));
        }
    }
    let listed: BTreeSet<_> = files().iter().map(|file| file.0.to_owned()).collect();
    assert_eq!(listed, there);
}

#[test]
fn all_kernels_are_valid() {
    for path in kernels() {
        let fours = u32::from(IN_FOURS.contains(&path)) * 3 + 1;
        for number in ["f32", "f16"] {
            validate(path, number, &[("VEC", fours)]);
            if IN_VECS.contains(&path) {
                validate(path, number, &[("VEC", 4)]);
            }
        }
    }
}

#[test]
fn all_numbers_of_lanes_are_valid() {
    for path in kernels().filter(|path| path.starts_with("tuned/")) {
        let fours = u32::from(IN_FOURS.contains(&path)) * 3 + 1;
        for lanes in [1, 4, 8, 16] {
            validate(path, "f32", &[("VEC", fours), ("LANES", lanes), ("WG", 16)]);
        }
    }
}

/// The words of a file's code that are no fields; those of its import lines.
fn words(text: &str) -> [BTreeSet<&str>; 2] {
    let mut words = [BTreeSet::new(), BTreeSet::new()];
    for line in text
        .lines()
        .map(|line| line.split("//").next().unwrap_or(line))
    {
        let imports = usize::from(line.starts_with("import "));
        let listed = line
            .rsplit("::")
            .next()
            .filter(|_| imports == 1)
            .unwrap_or(line);
        let parts = listed.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.');
        let names = parts.map(|part| part.split('.').next().unwrap_or(part));
        words[imports].extend(names.filter(|name| !name.is_empty()));
    }
    words
}

/// What a file declares for those that import it.
fn declared(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let (kind, rest) = line.split_once(' ')?;
        let name = rest
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()?;
        ["fn", "const", "struct", "alias"]
            .contains(&kind)
            .then_some(name)
    })
}

#[test]
fn what_is_imported_is_used_and_what_is_used_is_imported() {
    let library = files().iter().filter(|file| file.0.starts_with("lib/"));
    let constants = CONSTANTS.iter().map(|constant| constant.0);
    let all: BTreeSet<_> = library
        .flat_map(|file| declared(file.1))
        .chain(constants)
        .collect();
    for (path, text) in files() {
        let [code, imported] = words(text);
        for name in &imported {
            assert!(
                code.contains(name),
                "{path}: {name} is imported and not used"
            );
        }
        let own: BTreeSet<_> = declared(text).collect();
        for name in code.intersection(&all) {
            let there = imported.contains(name) || own.contains(name);
            assert!(there, "{path}: {name} is used and not imported");
        }
    }
}

/// The declarations of variables without a value within loops.
fn without_value_in_loops(text: &str) -> Vec<String> {
    let code = |line: &str| line.split("//").next().unwrap_or(line).to_owned();
    let code = text.lines().map(code).collect::<Vec<_>>().join(" ");
    let (mut found, mut loops) = (Vec::new(), Vec::new());
    let (mut parentheses, mut from) = (0, 0);
    for (at, c) in code.char_indices() {
        match c {
            '(' => parentheses += 1,
            ')' => parentheses -= 1,
            '{' | '}' | ';' if parentheses == 0 => {
                let statement = code[from..at].trim();
                from = at + 1;
                let begins = |word: &str| statement.split([' ', '(']).next() == Some(word);
                match c {
                    '{' => loops.push(["for", "while", "loop"].into_iter().any(begins)),
                    '}' => drop(loops.pop()),
                    _ if begins("var") && !statement.contains('=') && loops.contains(&true) => {
                        found.push(statement.to_owned());
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    found
}

/// In Chromium, a variable that is declared in a loop without a value keeps what it had in the round before.
#[test]
fn variables_in_loops_are_given_a_value() {
    for (path, text) in files() {
        assert_eq!(without_value_in_loops(text), [""; 0], "{path}");
    }
    let kernel = "fn f() {\n    var a: u32;\n    for (var i = 0u; i < 2u; i++) { g(); }\n    var b: u32;\n\
                  loop {\n    if c { // a comment; {\n    var d: vec4<f32>; }\n    var e = 0u;\n    }\n    var f: u32; }\n\
                  for (var j = 0u; j < 2u; j++) { for (;;) { var h: u32; } var k: u32; }";
    let found = ["var d: vec4<f32>", "var h: u32", "var k: u32"];
    assert_eq!(without_value_in_loops(kernel), found);
}

#[test]
fn files_and_plain_kernels_are_short() {
    for (path, text) in files() {
        let lines: Vec<_> = text.lines().collect();
        assert!(lines.len() <= 150, "{path}: {} lines", lines.len());
        let start = |line: &&str| line.starts_with("@compute");
        for begin in (0..lines.len()).filter(|&i| start(&lines[i])) {
            let length = lines[begin..].iter().position(|line| *line == "}");
            let length = length.expect("a kernel ends") + 1;
            assert!(
                length <= 45 || !path.starts_with("plain/"),
                "{path}: {length} lines from {} on",
                lines[begin + 1]
            );
        }
    }
}
