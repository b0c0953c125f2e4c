//! Writing a section key by key, as YAML that both this program and PyYAML read.

use super::keys::{Keys, Section, Want};
use super::values::Value;

/// The text of a file that says what `section` does.
pub(super) fn write<S: Section>(section: &mut S) -> String {
    let mut writer = Writer {
        text: String::new(),
        depth: 0,
    };
    section.keys(&mut writer);
    writer.text
}

struct Writer {
    text: String,
    depth: usize,
}

impl Writer {
    fn line(&mut self, name: &str, value: &str) {
        let indent = self.depth * 2;
        let blank = if value.is_empty() { "" } else { " " };
        self.text += &format!("{:indent$}{name}:{blank}{value}\n", "");
    }

    fn within<S: Section>(&mut self, name: &str, section: &mut S) {
        self.line(name, "");
        self.depth += 1;
        section.keys(self);
        self.depth -= 1;
    }
}

impl Keys for Writer {
    const READING: bool = false;

    fn key<T: Value>(
        &mut self,
        name: &'static str,
        value: &mut T,
        _default: Option<T>,
        _want: &Want<T>,
    ) {
        self.line(name, &value.write());
    }

    fn section<S: Section>(&mut self, name: &'static str, section: &mut S) {
        self.within(name, section);
    }

    fn optional<S: Section + Default>(&mut self, name: &'static str, section: &mut Option<S>) {
        if let Some(section) = section {
            self.within(name, section);
        }
    }

    fn named<S: Section + Default>(
        &mut self,
        sections: &mut Vec<(String, S)>,
        _allowed: &[&'static str],
    ) {
        for (name, section) in sections {
            self.within(&name.write(), section);
        }
    }

    fn renamed(&mut self, _old: &'static str, _name: &'static str) {}

    fn idle(&mut self, _name: &'static str, _why: &str) {}

    fn remark(&mut self, _name: &str, _does: &str) {}

    fn pass_over(&mut self) {}

    fn foreign(&mut self, _name: &'static str, _why: &str) {}

    fn fault(&mut self, _path: &str, _text: &str) {}

    fn sound(&self, _path: &str) -> bool {
        true
    }
}
