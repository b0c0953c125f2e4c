//! Lines for people. A terminal that goes away, or a full disk behind it, ends no work: what cannot be
//! told is not told. File names may hold escape codes, so control characters are shown, not sent.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Results and errors.
    Quiet,
    /// What is done, too.
    Normal,
    /// How it is done, too.
    Verbose,
}

static LEVEL: AtomicU8 = AtomicU8::new(Level::Normal as u8);
static STDOUT_IS_DATA: AtomicBool = AtomicBool::new(false);

/// From here on so much is told.
pub fn set_level(level: Level) {
    LEVEL.store(level as u8, Ordering::Relaxed);
}

/// From here on stdout carries a file or lines for a program: what is said goes to stderr.
pub fn keep_stdout_clean() {
    STDOUT_IS_DATA.store(true, Ordering::Relaxed);
}

/// A result: a line on stdout, always.
pub fn out(line: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{}", escaped(&line.to_string()));
}

/// A fault or a warning: a line on stderr, always.
pub fn err(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{}", escaped(&line.to_string()));
}

/// What is being done: a line unless all is to be quiet.
pub fn say(line: impl Display) {
    tell(Level::Normal, line);
}

/// How it is done: a line where much is to be told.
pub fn detail(line: impl Display) {
    tell(Level::Verbose, line);
}

fn tell(level: Level, line: impl Display) {
    if LEVEL.load(Ordering::Relaxed) < level as u8 {
        return;
    }
    match STDOUT_IS_DATA.load(Ordering::Relaxed) {
        true => err(line),
        false => out(line),
    }
}

/// A path as it can be shown.
pub fn shown(path: &Path) -> String {
    escaped(&path.to_string_lossy())
}

/// Text whose control characters, and those that turn the direction of writing, are written out.
/// Line ends stay.
pub fn escaped(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push(c),
            c if c.is_control() || turns(c) => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_escape_code_of_a_name_reaches_the_terminal() {
        assert_eq!(
            escaped("a\u{1b}[31m\u{9b}b\r\u{202e}\nü"),
            "a\\u{1b}[31m\\u{9b}b\\r\\u{202e}\nü"
        );
    }
}
