//! What an output is called. Names are bytes: what is no UTF-8 stays as it is.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The longest name of a file, in bytes, on all common file systems.
const LONGEST: usize = 255;

/// How outputs are named.
#[derive(Clone, Copy, Debug)]
pub enum Naming {
    /// `NAME_x2.png`.
    WithScale(usize),
    /// `NAME.png`, for a folder of their own.
    Plain,
}

/// The names given so far.
pub struct Names {
    naming: Naming,
    taken: HashSet<PathBuf>,
}

impl Names {
    pub fn new(naming: Naming) -> Names {
        Names {
            naming,
            taken: HashSet::new(),
        }
    }

    /// The output in `folder` for an input of this name. Two inputs that would take one name get two:
    /// the second keeps its extension (`a.jpg_x2.png`), or is numbered (`a_x2_2.png`).
    ///
    /// # Errors
    /// The name is too long for a file, as a clause.
    pub fn give(
        &mut self,
        folder: &Path,
        input: &OsStr,
        extension: &str,
    ) -> Result<PathBuf, String> {
        let input = Path::new(input);
        let stem = input.file_stem().unwrap_or(input.as_os_str());
        let whole = input.as_os_str();
        let numbered = (2..).map(|n| self.name(stem, &format!("_{n}"), extension));
        let names = [
            self.name(stem, "", extension),
            self.name(whole, "", extension),
        ];
        // The third and later of one name: there is always a free number.
        let free = names.into_iter().chain(numbered).find(|name| {
            let path = folder.join(name);
            !self.taken.contains(&key(&path))
        });
        let name = free.unwrap_or_default();
        if name.len() > LONGEST {
            return Err(format!(
                "its output's name would have {} bytes, and {LONGEST} are a file's limit; name it with --output",
                name.len()
            ));
        }
        let path = folder.join(name);
        self.taken.insert(key(&path));
        Ok(path)
    }

    fn name(&self, stem: &OsStr, number: &str, extension: &str) -> OsString {
        let scale = match self.naming {
            Naming::WithScale(scale) => format!("_x{scale}"),
            Naming::Plain => String::new(),
        };
        let mut name = stem.to_owned();
        name.push(format!("{scale}{number}.{extension}"));
        name
    }
}

/// What two paths of one file have in common: on some systems `A.png` is `a.png`.
fn key(path: &Path) -> PathBuf {
    match cfg!(any(windows, target_os = "macos")) {
        true => PathBuf::from(path.to_string_lossy().to_lowercase()),
        false => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn give(names: &mut Names, input: &str) -> String {
        let path = names.give(Path::new("out"), OsStr::new(input), "png");
        path.expect("a name").to_string_lossy().into_owned()
    }

    #[test]
    fn inputs_of_one_name_get_outputs_of_several() {
        let mut names = Names::new(Naming::WithScale(2));
        let inputs = ["a.png", "a.jpg", "a.jpg", "a", "b.tar.png"];
        let outputs = inputs.map(|input| give(&mut names, input));
        let expected = [
            "out/a_x2.png",
            "out/a.jpg_x2.png",
            "out/a_x2_2.png",
            "out/a_x2_3.png",
            "out/b.tar_x2.png",
        ];
        assert_eq!(outputs, expected);
        assert_eq!(give(&mut Names::new(Naming::Plain), "a.webp"), "out/a.png");
    }

    #[test]
    fn a_name_that_no_file_can_have_is_told_before_any_work() {
        let mut names = Names::new(Naming::WithScale(2));
        let fits = "n".repeat(255 - "_x2.png".len()) + ".png";
        give(&mut names, &fits);
        let long = "n".repeat(249) + ".png";
        let refused = names.give(Path::new(""), OsStr::new(&long), "png");
        assert!(refused.expect_err("too long").contains("256 bytes"));
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_no_text_stays_byte_for_byte() {
        use std::os::unix::ffi::OsStrExt;
        let mut names = Names::new(Naming::WithScale(4));
        let name = OsStr::from_bytes(b"caf\xe9.png");
        let output = names.give(Path::new("d"), name, "png").expect("a name");
        assert_eq!(output.as_os_str().as_bytes(), b"d/caf\xe9_x4.png");
    }
}
