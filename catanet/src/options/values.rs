//! What a value of an option file can be, as YAML 1.1 has it (PyYAML reads that): in and out.

use std::path::PathBuf;

use serde::Serialize;
use serde::de::value::{Error as NoVariant, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

use super::yaml::{Content, Node};

/// A type that a key's value may have.
pub(super) trait Value: Sized {
    /// The value; None where the node is of another type.
    fn read(node: &Node) -> Option<Self>;

    /// As it stands in a file.
    fn write(&self) -> String;
}

/// A type whose values have names, those that serde knows.
pub(super) trait Choice: Serialize + DeserializeOwned {}

impl<T: Choice> Value for T {
    fn read(node: &Node) -> Option<Self> {
        let name = String::read(node)?;
        let name: StrDeserializer<NoVariant> = name.as_str().into_deserializer();
        T::deserialize(name).ok()
    }

    fn write(&self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => name.write(),
            _ => unreachable!("a choice is a name"),
        }
    }
}

/// The text of a scalar, unless its tag is none of `tags`.
fn text<'a>(node: &'a Node, tags: &[&str]) -> Option<&'a str> {
    let fits = node.tag.as_deref().is_none_or(|tag| tags.contains(&tag));
    match &node.content {
        Content::Scalar(text, _) if fits && !node.is_null() => Some(text),
        _ => None,
    }
}

impl Value for f64 {
    /// `2e-4` too, which YAML 1.1 takes for a text since it has no dot.
    fn read(node: &Node) -> Option<Self> {
        let text = text(node, &["float", "int", "str"])?.trim();
        let starts = |c: char| c.is_ascii_digit() || "+-.".contains(c);
        let plain = text.replace('_', "");
        let number = plain.parse::<f64>().ok()?;
        (text.starts_with(starts) && number.is_finite()).then_some(number)
    }

    /// With the tag that Python's reader needs for `1e-7`.
    fn write(&self) -> String {
        let text = format!("{self:?}");
        match text.contains('e') {
            true => format!("!!float {text}"),
            false => text,
        }
    }
}

impl Value for u64 {
    /// Whole numbers in any form: BasicSR's files have `!!float 5e3` for them.
    fn read(node: &Node) -> Option<Self> {
        let text = text(node, &["float", "int", "str"])?.trim();
        let plain = text.replace('_', "");
        if let Ok(number) = plain.parse() {
            // 010 is 8 in YAML 1.1 and 10 in YAML 1.2: neither may be meant.
            return (plain == "0" || !plain.starts_with('0')).then_some(number);
        }
        let number = f64::read(node)?;
        let whole = number >= 0.0 && number.fract() == 0.0 && number < 2f64.powi(53);
        whole.then_some(number as u64)
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Value for usize {
    fn read(node: &Node) -> Option<Self> {
        u64::read(node).and_then(|number| number.try_into().ok())
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Value for bool {
    fn read(node: &Node) -> Option<Self> {
        let quoted = matches!(node.content, Content::Scalar(_, false)) && node.tag.is_none();
        match text(node, &["bool"]).filter(|_| !quoted)? {
            "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
            "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
            _ => None,
        }
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Value for String {
    fn read(node: &Node) -> Option<Self> {
        text(node, &["str", "float", "int", "bool"]).map(str::to_owned)
    }

    /// In quotes where it could pass for something else.
    fn write(&self) -> String {
        let first = |c: char| c.is_ascii_alphabetic() || "_/".contains(c);
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
        let words = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
        let word = words.iter().any(|word| self.eq_ignore_ascii_case(word));
        match self.starts_with(first) && self.chars().all(plain) && !word {
            true => self.clone(),
            // A text of JSON is one of YAML.
            false => serde_json::Value::from(self.as_str()).to_string(),
        }
    }
}

impl Value for PathBuf {
    /// With `~/` for the home folder, as BasicSR has it.
    fn read(node: &Node) -> Option<Self> {
        let text = String::read(node).filter(|text| !text.is_empty())?;
        let home = text.strip_prefix("~/").zip(std::env::home_dir());
        Some(home.map_or(PathBuf::from(&text), |(rest, home)| home.join(rest)))
    }

    fn write(&self) -> String {
        self.to_string_lossy().into_owned().write()
    }
}

impl<T: Value> Value for Option<T> {
    fn read(node: &Node) -> Option<Self> {
        match node.is_null() {
            true => Some(None),
            false => T::read(node).map(Some),
        }
    }

    fn write(&self) -> String {
        self.as_ref().map_or("~".to_owned(), T::write)
    }
}

impl<T: Value> Value for Vec<T> {
    fn read(node: &Node) -> Option<Self> {
        match &node.content {
            Content::List(nodes) => nodes.iter().map(|node| T::read(node)).collect(),
            _ => None,
        }
    }

    fn write(&self) -> String {
        let values: Vec<_> = self.iter().map(T::write).collect();
        format!("[{}]", values.join(", "))
    }
}

impl<T: Value + Copy, const N: usize> Value for [T; N] {
    fn read(node: &Node) -> Option<Self> {
        Vec::read(node)?.try_into().ok()
    }

    fn write(&self) -> String {
        self.to_vec().write()
    }
}
