//! Reading a section key by key: what is missing, wrong or unknown is noted, and reading goes on.

use std::collections::BTreeSet;
use std::mem;
use std::path::Path;

use super::keys::{Keys, Section, Want};
use super::values::Value;
use super::yaml::{At, Content, Entry, Fault, Node};

/// What is found while a file is read.
#[derive(Default)]
pub(super) struct Log {
    pub faults: Vec<Fault>,
    /// On keys that do nothing here.
    pub notes: Vec<Fault>,
    /// The paths of values that something is wrong with.
    wrong: BTreeSet<String>,
}

impl Log {
    /// The faults as lines, in the order of the file.
    pub fn lines(mut faults: Vec<Fault>, file: &Path) -> Vec<String> {
        faults.sort_by_key(|(at, _)| *at); // stable
        let line = |(at, text): Fault| match at {
            At::Line(line) => format!("{}:{line}: {text}", file.display()),
            At::Change => format!("--set: {text}"),
        };
        faults.into_iter().map(line).collect()
    }
}

/// Reads the section `root` into `section`.
pub(super) fn read<S: Section>(root: &Node, section: &mut S) -> Log {
    let mut log = Log::default();
    read_section(&mut log, String::new(), root.at, root, section);
    log
}

fn read_section<S: Section>(log: &mut Log, path: String, at: At, node: &Node, section: &mut S) {
    let Some(entries) = node.entries() else {
        let what = if path.is_empty() { "the file" } else { &path };
        let text = format!("{what} is {}; a section of keys is wanted", node.shown());
        log.faults.push((at, text));
        log.wrong.insert(path);
        return;
    };
    let mut reader = Reader {
        log,
        path,
        at,
        left: entries.iter().map(|entry| (&*entry.name, entry)).collect(),
        entries,
        known: Vec::new(),
        missing: Vec::new(),
    };
    section.keys(&mut reader);
    reader.finish();
    section.check(&mut reader);
}

struct Reader<'a> {
    log: &'a mut Log,
    /// The keys that lead here, joined with dots.
    path: String,
    at: At,
    entries: &'a [Entry],
    /// Those that nobody asked for yet, by what they are called now.
    left: Vec<(&'a str, &'a Entry)>,
    known: Vec<&'static str>,
    /// Keys that are not there and should be, each with what is wanted.
    missing: Vec<(&'static str, String)>,
}

impl<'a> Reader<'a> {
    fn path_of(&self, name: &str) -> String {
        match self.path.is_empty() {
            true => name.to_owned(),
            false => format!("{}.{name}", self.path),
        }
    }

    fn take(&mut self, name: &'static str) -> Option<&'a Entry> {
        self.known.push(name);
        let at = self.left.iter().position(|(left, _)| *left == name)?;
        Some(self.left.remove(at).1)
    }

    fn wrong(&mut self, at: At, name: &str, text: impl FnOnce(&str) -> String) {
        let path = self.path_of(name);
        self.log.faults.push((at, text(&path)));
        self.log.wrong.insert(path);
    }

    /// Tells what was not asked for and what was not there.
    fn finish(&mut self) {
        for (_, entry) in mem::take(&mut self.left) {
            let nearest = nearest(&entry.name, &self.known);
            // A key that is only misspelt is not missing.
            self.missing.retain(|(name, _)| *name != nearest);
            let meant = self.path_of(nearest);
            self.log.wrong.insert(meant);
            self.wrong(entry.at, &entry.name, |path| {
                format!("{path} is no key here; did you mean {nearest}?")
            });
        }
        for (name, wanted) in mem::take(&mut self.missing) {
            let at = self.at;
            self.wrong(at, name, |path| {
                format!("{path} is missing; {wanted} is wanted")
            });
        }
    }
}

/// The known key that is likest; of equals the first.
fn nearest<'a>(name: &str, known: &[&'a str]) -> &'a str {
    let name = name.to_lowercase();
    let distance = |key: &&&str| strsim::damerau_levenshtein(&name, &key.to_lowercase());
    known.iter().min_by_key(distance).copied().unwrap_or("none")
}

/// The node at the end of a path of keys, as far as there is one: its place.
fn place(entries: &[Entry], at: At, path: &str) -> At {
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    match entries.iter().find(|entry| entry.name == name) {
        Some(entry) => place(entry.node.entries().unwrap_or(&[]), entry.at, rest),
        None => at,
    }
}

impl Keys for Reader<'_> {
    const READING: bool = true;

    fn key<T: Value>(
        &mut self,
        name: &'static str,
        value: &mut T,
        default: Option<T>,
        want: &Want<T>,
    ) {
        let Some(entry) = self.take(name) else {
            match default {
                Some(default) => *value = default,
                None => {
                    self.missing.push((name, want.text.to_owned()));
                    let path = self.path_of(name);
                    self.log.wrong.insert(path);
                }
            }
            return;
        };
        match T::read(&entry.node).filter(want.holds) {
            Some(read) => *value = read,
            None => self.wrong(entry.at, name, |path| {
                format!("{path} is {}; {} is wanted", entry.node.shown(), want.text)
            }),
        }
    }

    fn section<S: Section>(&mut self, name: &'static str, section: &mut S) {
        let absent = Node {
            at: self.at,
            tag: None,
            content: Content::Section(Vec::new()),
        };
        let entry = self.take(name);
        let (at, node) = entry.map_or((self.at, &absent), |entry| (entry.at, &*entry.node));
        let path = self.path_of(name);
        read_section(self.log, path, at, node, section);
    }

    fn optional<S: Section + Default>(&mut self, name: &'static str, section: &mut Option<S>) {
        *section = match self.take(name) {
            Some(entry) if !entry.node.is_null() => {
                let (path, mut section) = (self.path_of(name), S::default());
                read_section(self.log, path, entry.at, &entry.node, &mut section);
                Some(section)
            }
            _ => None,
        };
    }

    fn named<S: Section + Default>(
        &mut self,
        sections: &mut Vec<(String, S)>,
        allowed: &[&'static str],
    ) {
        self.known.extend(allowed);
        let fits = |name: &str| {
            let kind = name.split('_').next().unwrap_or_default();
            allowed.is_empty() || allowed.contains(&kind)
        };
        let (chosen, left) = mem::take(&mut self.left)
            .into_iter()
            .partition(|(name, _)| fits(name));
        self.left = left;
        let chosen: Vec<(&str, &Entry)> = chosen;
        for (name, entry) in chosen.into_iter().filter(|(_, e)| !e.node.is_null()) {
            let (path, mut section) = (self.path_of(name), S::default());
            read_section(self.log, path, entry.at, &entry.node, &mut section);
            sections.push((name.to_owned(), section));
        }
    }

    fn renamed(&mut self, old: &'static str, name: &'static str) {
        let both = self.left.iter().any(|(left, _)| *left == name);
        let Some(at) = self.left.iter().position(|(left, _)| *left == old) else {
            return;
        };
        match both {
            true => {
                let (_, entry) = self.left.remove(at);
                self.wrong(entry.at, old, |path| {
                    format!("{path} is an older name of {name}, and both are given; remove one")
                });
            }
            false => self.left[at].0 = name,
        }
    }

    fn idle(&mut self, name: &'static str, why: &str) {
        if self.take(name).is_some() {
            self.remark(name, &format!("does nothing here: {why}"));
        }
    }

    fn remark(&mut self, name: &str, does: &str) {
        if let Some(entry) = self.entries.iter().find(|entry| entry.name == name) {
            let note = format!("{} {does}", self.path_of(name));
            self.log.notes.push((entry.at, note));
        }
    }

    fn pass_over(&mut self) {
        // But for the key itself, misspelt.
        let missing = &self.missing;
        let is_near = |name: &str, key: &str| strsim::damerau_levenshtein(name, key) <= 2;
        let meant = |name: &str| missing.iter().any(|(key, _)| is_near(name, key));
        self.left.retain(|(name, _)| meant(name));
    }

    fn foreign(&mut self, name: &'static str, why: &str) {
        let Some(entry) = self.take(name) else {
            return;
        };
        let empty = matches!(&entry.node.content, Content::Section(entries) if entries.is_empty());
        if !entry.node.is_null() && !empty && bool::read(&entry.node) != Some(false) {
            self.wrong(entry.at, name, |path| {
                format!("{path} is not to be had here: {why}; remove it, or write ~")
            });
        }
    }

    fn fault(&mut self, path: &str, text: &str) {
        if self.sound(path) {
            let at = place(self.entries, self.at, path);
            self.wrong(at, path, |path| format!("{path} {text}"));
        }
    }

    fn sound(&self, path: &str) -> bool {
        let path = self.path_of(path);
        !self
            .log
            .wrong
            .iter()
            .any(|wrong| path == *wrong || path.starts_with(&format!("{wrong}.")))
    }
}
