//! From a file of `shaders/` to the source that is compiled: a list of passes over the text.
//!
//! `shaders` itself puts what a file imports before it. What is added here depends on the launch and
//! on the device: values of constants, how each binding stores its numbers, which inputs are
//! uniforms, where the parameters are, and a spare round in loops.

use std::fmt::Write;

use crate::gpu::pipeline::{Bindings, PARAMS_BINDING};
use crate::kernel::spare_rounds::with_spare_rounds;

/// A kernel to make: an entry point of a file, specialised by constants.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Kernel {
    pub file: &'static str,
    pub entry: &'static str,
    pub constants: Vec<(&'static str, u32)>,
    pub halves: Vec<bool>, // which bindings store f16
}

impl Kernel {
    /// The entry point, the constants it is compiled for and the inputs that are uniforms, with their
    /// lengths in fours: as a profile shows it.
    pub fn name(&self, bindings: &Bindings) -> String {
        let mut name = self.entry.to_owned();
        if self.halves.contains(&true) {
            name += " f16";
        }
        for (constant, value) in &self.constants {
            let _ = write!(name, " {constant}={value}"); // writing to a string does not fail
        }
        for (input, fours) in &bindings.uniforms {
            let _ = write!(name, " UNIFORM{input}={fours}");
        }
        name
    }

    fn constant(&self, name: &str) -> Option<u32> {
        let mut all = self.constants.iter();
        all.find_map(|&(n, value)| (n == name).then_some(value))
    }

    /// The source to compile.
    ///
    /// # Panics
    /// If the file is not there, or cannot be bound so: bugs of this crate.
    pub fn source(&self, bindings: &Bindings, spare_rounds: bool) -> String {
        let resolved = shaders::resolve(self.file, &self.constants);
        let mut source = stored(
            self.entry,
            resolved.source,
            &self.halves,
            self.constant("VEC"),
        );
        source = with_constants(source, &resolved.constants, &self.constants);
        source = with_uniforms(source, &bindings.uniforms);
        if bindings.params {
            source = with_params_at(source, PARAMS_BINDING);
        }
        if spare_rounds {
            source = with_spare_rounds(&source);
        }
        source
    }
}

/// The text of an entry point of a file of `shaders/`, for whoever compiles and runs it without this crate:
/// all bindings are f32, and the parameters are a uniform at binding 12.
///
/// # Panics
/// If the file is not there.
pub fn kernel_source(
    file: &'static str,
    entry: &'static str,
    constants: &[(&'static str, u32)],
) -> String {
    let kernel = Kernel {
        file,
        entry,
        constants: constants.to_vec(),
        halves: Vec::new(),
    };
    let bindings = Bindings {
        inputs: 0,
        outputs: 0,
        uniforms: Vec::new(),
        params: true,
    };
    kernel.source(&bindings, false)
}

/// `const NAME: u32 = value;` for every constant that the file asks for: 0 where none was given, as of
/// options that only other entry points of the file have.
fn with_constants(source: String, wanted: &[String], given: &[(&str, u32)]) -> String {
    let lines = wanted.iter().map(|name| {
        let value = given.iter().find(|(n, _)| n == name).map_or(0, |g| g.1);
        format!("const {name}: u32 = {value}u;\n")
    });
    // A directive comes before all else.
    match source.strip_prefix(ENABLE_F16) {
        Some(rest) => ENABLE_F16.to_owned() + &lines.collect::<String>() + rest,
        None => lines.collect::<String>() + &source,
    }
}

const ENABLE_F16: &str = "enable f16;\n";

/// How binding i stores its numbers, whatever a kernel computes in (always f32): `Ti` is f32 or f16,
/// `Vi` is `V` of such. A kernel loads `f32(x[..])` or `V(x[..])` and stores `Ti(..)` or `Vi(..)`,
/// which are nothing where `Ti` is f32. A binding without either is f32.
///
/// # Panics
/// If a binding is f16 that has neither.
fn stored(entry: &str, source: String, halves: &[bool], vec: Option<u32>) -> String {
    let mut head = String::new();
    for i in 0..MOST_BINDINGS {
        let half = halves.get(i).is_some_and(|&half| half);
        let number = if half { "f16" } else { "f32" };
        let value = match vec {
            Some(4) => format!("vec4<{number}>"),
            _ => number.to_owned(),
        };
        let mut named = false;
        for (alias, of) in [(format!("T{i}"), number), (format!("V{i}"), &value)] {
            if has_word(&source, &alias) {
                let _ = writeln!(head, "alias {alias} = {of};");
                named = true;
            }
        }
        let has_form = named && !takes_f32(&source, entry, i);
        assert!(
            has_form || !half,
            "{entry}: binding {i} has no form for f16"
        );
    }
    let enable = if halves.contains(&true) {
        ENABLE_F16
    } else {
        ""
    };
    format!("{enable}{head}{source}")
}

/// Whether the entry point itself names a declaration of this binding that is f32 whatever is bound:
/// other kernels of the file may declare it as `Ti`.
fn takes_f32(source: &str, entry: &str, binding: usize) -> bool {
    let start = source.find(&format!("fn {entry}("));
    let body = start.map_or("", |start| &source[start..]);
    let body = &body[..body.find("\n}").unwrap_or(body.len())];
    let declared = source.lines().filter_map(|line| {
        let at = format!("@binding({binding}) var<");
        let (name, of) = line
            .split_once(&at)?
            .1
            .split_once("> ")?
            .1
            .split_once(": ")?;
        Some((name, of))
    });
    let of_another = [format!("T{binding}"), format!("V{binding}")];
    let mut fixed = declared.filter(|(_, of)| !of_another.iter().any(|alias| has_word(of, alias)));
    fixed.any(|(name, _)| has_word(body, name))
}

/// More than any kernel binds: a file's other kernels may have more bindings than this one.
const MOST_BINDINGS: usize = PARAMS_BINDING;

/// Whether `word` stands in the text as a word of its own.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
    })
}

/// `var<uniform> x: array<T, length>` for `var<storage, read> x: array<T>`, for the inputs that are
/// taken as uniforms. T is of 16 bytes.
///
/// # Panics
/// If the file has no such binding, or several.
fn with_uniforms(source: String, uniforms: &[(usize, u32)]) -> String {
    let mut source = source;
    for (binding, fours) in uniforms {
        let storage = format!("@binding({binding}) var<storage, read> ");
        assert_eq!(source.matches(&storage).count(), 1, "uniform {binding}");
        let (before, rest) = source
            .split_once(&storage)
            .expect("the kernel has this binding");
        let (declared, after) = rest.split_once(">;").expect("it is an array of something");
        source = format!("{before}@binding({binding}) var<uniform> {declared}, {fours}>;{after}");
    }
    source
}

/// Parameters as a uniform, for a device without immediates.
fn with_params_at(source: String, binding: usize) -> String {
    let uniform = format!("@group(0) @binding({binding}) var<uniform>");
    source.replace("var<immediate>", &uniform)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_that_are_asked_for_come_first() {
        let asked = ["WG", "BIAS"].map(str::to_owned);
        let given = [("WG", 64), ("R", 2)];
        let constants = "const WG: u32 = 64u;\nconst BIAS: u32 = 0u;\n";
        assert_eq!(
            with_constants("fn f() {}\n".to_owned(), &asked, &given),
            format!("{constants}fn f() {{}}\n")
        );
        assert_eq!(
            with_constants("enable f16;\nfn f() {}\n".to_owned(), &asked, &given),
            format!("enable f16;\n{constants}fn f() {{}}\n")
        );
    }

    #[test]
    fn a_binding_is_stored_as_its_tensor_is() {
        let kernel = "var<storage> x: array<V0>; var<storage> y: array<T1>;\n".to_owned();
        assert_eq!(
            stored("f", kernel.clone(), &[false, false], Some(4)),
            format!("alias V0 = vec4<f32>;\nalias T1 = f32;\n{kernel}")
        );
        assert_eq!(
            stored("f", kernel.clone(), &[true, false], Some(1)),
            format!("enable f16;\nalias V0 = f16;\nalias T1 = f32;\n{kernel}")
        );
    }

    #[test]
    #[should_panic(expected = "no form for f16")]
    fn a_binding_without_a_form_for_f16_is_told() {
        stored("f", "var<storage> x: array<f32>;".to_owned(), &[true], None);
    }

    #[test]
    #[should_panic(expected = "g: binding 0 has no form for f16")]
    fn a_form_for_f16_that_another_kernel_of_the_file_has_does_not_count() {
        let source = "\
@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(0) var<storage, read> dy: array<f32>;
fn f() {
    y = f32(x[0]);
}
fn g() {
    y = dy[0];
}
";
        stored("f", source.to_owned(), &[true], None);
        stored("g", source.to_owned(), &[true], None);
    }

    #[test]
    fn an_input_can_be_a_uniform() {
        let source = "@group(0) @binding(1) var<storage, read> w: array<vec4f>;\n".to_owned();
        assert_eq!(
            with_uniforms(source, &[(1, 40)]),
            "@group(0) @binding(1) var<uniform> w: array<vec4f, 40>;\n"
        );
    }

    #[test]
    fn parameters_can_be_a_uniform() {
        assert_eq!(
            with_params_at("var<immediate> p: Params;".to_owned(), 3),
            "@group(0) @binding(3) var<uniform> p: Params;"
        );
    }
}
