//! The text of every kernel.
//!
//! - `plain/`: every op, forward and backward. The formula is the code, and any size will do.
//! - `tuned/`: the fast forms of some of them. Each begins with what it is the fast form of.
//! - `lib/`: what both import.
//!
//! Files import by name, in the syntax of [WESL](https://wesl-lang.dev), so that editors understand them:
//!
//! ```wgsl
//! import package::lib::index::{Grid, index};
//! import constants::{WG, BIAS};
//! ```
//!
//! [`resolve`] puts the imported files before the text. The constants, as well as the types `T0`, `V0`,
//! `T1`, … by which binding 0, 1, … stores its numbers (f32 or f16; one or, where VEC is 4, four), are
//! put in by who launches the kernel.
//!
//! What stands above a kernel is its contract: bindings (the inputs in their order, then the outputs),
//! constants, parameters, and the grid, which is folded into two dimensions (`lib/index.wgsl`). The
//! kernels of one file have the same constants and the same `Params`; what one does not use is 0.
//! Letters for sizes: B batch, H height, W width, N rows or tokens, C channels, Ci and Co in and out,
//! M centres, S slots, G groups, Q and K queries and keys of a group, r and s factors of enlargement.
//!
//! The `wesl` crate resolves the same imports, but it parses every file and prints it anew, under changed
//! names, so that neither the compiler's messages nor the passes that `tensor` makes over the text would
//! meet what stands in the file. It also brings some forty crates along, in place of the sixty lines here.

mod files;

use files::FILES;

/// A file with all that it imports.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The imported files, each once and before what imports it, then the file; without import lines.
    pub source: String,
    /// The constants that any of them asks for, each once.
    pub constants: Vec<String>,
}

/// All files by path, such as `plain/linear`, with their text.
pub fn files() -> &'static [(&'static str, &'static str)] {
    FILES
}

/// The file `path` with all that it imports. `constants` choose between the forms of a library file;
/// those that nothing asks for are ignored.
///
/// # Panics
/// If an import names a file, a declaration or a form that is not there: a bug of this project.
pub fn resolve(path: &str, constants: &[(&str, u32)]) -> Resolved {
    resolve_among(FILES, path, constants)
}

type Files<'a> = &'a [(&'a str, &'a str)];

fn resolve_among(files: Files, path: &str, constants: &[(&str, u32)]) -> Resolved {
    let mut resolved = Resolved::default();
    add(files, path, constants, &mut Vec::new(), &mut resolved);
    resolved
}

/// Adds what the file imports, then the file, unless it is among those `seen`.
fn add(
    files: Files,
    path: &str,
    constants: &[(&str, u32)],
    seen: &mut Vec<String>,
    resolved: &mut Resolved,
) {
    if seen.iter().any(|s| s == path) {
        return;
    }
    seen.push(path.to_owned());
    let mut own = String::new();
    for line in text(files, path).lines() {
        let Some(import) = line.strip_prefix("import ") else {
            own += line;
            own.push('\n');
            continue;
        };
        let (module, names) = parse(import).unwrap_or_else(|| panic!("{path}: {line}"));
        if module == "constants" {
            names.iter().for_each(|name| ask_for(name, resolved));
            continue;
        }
        let module = module.strip_prefix("package::");
        let module = module.unwrap_or_else(|| panic!("{path}: {line}"));
        let library = form(&module.replace("::", "/"), constants, resolved);
        for name in names {
            let there = declares(text(files, &library), name);
            assert!(there, "{path}: {library} has no {name}");
        }
        add(files, &library, constants, seen, resolved);
    }
    resolved.source += &own;
}

fn text<'a>(files: Files<'a>, path: &str) -> &'a str {
    let file = files.iter().find(|file| file.0 == path);
    file.unwrap_or_else(|| panic!("no shader {path}")).1
}

fn ask_for(constant: &str, resolved: &mut Resolved) {
    if !resolved.constants.iter().any(|c| c == constant) {
        resolved.constants.push(constant.to_owned());
    }
}

/// The path `a::b` and the names of `a::b::{c, d};` or `a::b::c;`.
fn parse(import: &str) -> Option<(&str, Vec<&str>)> {
    let (module, names) = import.trim_end().strip_suffix(';')?.rsplit_once("::")?;
    let listed = names.strip_prefix('{').and_then(|n| n.strip_suffix('}'));
    Some((
        module,
        listed.unwrap_or(names).split(',').map(str::trim).collect(),
    ))
}

/// The file that `library` is with these constants: some exist once for each value of one.
fn form(library: &str, constants: &[(&str, u32)], resolved: &mut Resolved) -> String {
    let chosen_by = match library {
        "lib/vec" => "VEC",
        "lib/spread" => "LANES",
        _ => return library.to_owned(),
    };
    ask_for(chosen_by, resolved);
    let value = constants.iter().find(|c| c.0 == chosen_by);
    let (_, value) = value.unwrap_or_else(|| panic!("{library}: no value for {chosen_by}"));
    format!("{library}{value}")
}

/// Whether a line of the text begins to declare `name`.
fn declares(text: &str, name: &str) -> bool {
    let kinds = ["fn ", "const ", "struct ", "alias ", "var<immediate> "];
    text.lines().any(|line| {
        let declared = kinds.iter().find_map(|kind| line.strip_prefix(kind));
        let rest = declared.and_then(|d| d.strip_prefix(name));
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    })
}

#[cfg(test)]
mod tests {
    use super::{Files, resolve_among};

    const FILES: Files = &[
        ("lib/index", "import constants::WG;\nfn index() {}\n"),
        ("lib/vec1", "alias V = f32;\n"),
        ("lib/vec4", "alias V = vec4f;\n"),
        (
            "lib/erf",
            "// erf\nimport package::lib::vec::V;\nfn erf() {}\n",
        ),
        (
            "plain/a",
            "// a\n\nimport package::lib::erf::erf;\nimport package::lib::vec::V;\n\
             import package::lib::index::{ index };\nimport constants::{R, WG};\n\nfn a() {}\n",
        ),
        ("plain/b", "import package::lib::erf::gelu;\n"),
        ("plain/c", "import package::lib::none::f;\n"),
        ("plain/d", "import package::lib::index::{index}\n"),
    ];

    #[test]
    fn imports_come_first_and_once_and_in_the_form_that_a_constant_chooses() {
        let resolved = resolve_among(FILES, "plain/a", &[("VEC", 4), ("UNUSED", 1)]);
        assert_eq!(
            resolved.source,
            "alias V = vec4f;\n// erf\nfn erf() {}\nfn index() {}\n// a\n\n\nfn a() {}\n"
        );
        assert_eq!(resolved.constants, ["VEC", "WG", "R"]);
    }

    #[test]
    #[should_panic(expected = "plain/b: lib/erf has no gelu")]
    fn an_unknown_name_is_told() {
        resolve_among(FILES, "plain/b", &[("VEC", 1)]);
    }

    #[test]
    #[should_panic(expected = "no shader lib/none")]
    fn an_unknown_file_is_told() {
        resolve_among(FILES, "plain/c", &[]);
    }

    #[test]
    #[should_panic(expected = "no shader lib/vec2")]
    fn an_unknown_form_is_told() {
        resolve_among(FILES, "plain/a", &[("VEC", 2)]);
    }

    #[test]
    #[should_panic(expected = "lib/vec: no value for VEC")]
    fn a_form_without_its_constant_is_told() {
        resolve_among(FILES, "plain/a", &[]);
    }

    #[test]
    #[should_panic(expected = "plain/d: import package::lib::index::{index}")]
    fn a_line_that_cannot_be_read_is_told() {
        resolve_among(FILES, "plain/d", &[]);
    }
}
