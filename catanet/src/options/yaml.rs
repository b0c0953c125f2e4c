//! YAML as a tree whose nodes know where they stand, with every key once.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

/// Sections within sections, at most: what walks the tree may call itself.
const DEEPEST: usize = 32;

/// Where something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum At {
    /// In the file, counted from 1.
    Line(usize),
    /// In a change on the command line.
    Change,
}

/// A value of a key.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub at: At,
    /// What stands behind `!!`, if anything does.
    pub tag: Option<String>,
    pub content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    /// A text, and whether it is without quotes: `~` is nothing then, and `true` no text.
    Scalar(String, bool),
    List(Vec<Rc<Node>>),
    Section(Vec<Entry>),
}

/// A key of a section.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub name: String,
    pub at: At,
    /// Shared where the file has an alias: a name for a section does not copy it.
    pub node: Rc<Node>,
}

/// What is wrong, and where.
pub(super) type Fault = (At, String);

impl Node {
    /// Whether this is YAML's nothing: `~`, `null` or no value at all.
    pub fn is_null(&self) -> bool {
        let is_null = |text: &str| matches!(text, "" | "~" | "null" | "Null" | "NULL");
        match &self.content {
            Content::Scalar(text, plain) => match self.tag.as_deref() {
                Some(tag) => tag == "null",
                None => *plain && is_null(text),
            },
            _ => false,
        }
    }

    /// The keys of a section; nothing is an empty one.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.content {
            Content::Section(entries) => Some(entries),
            _ => self.is_null().then_some(&[]),
        }
    }

    /// The value as a message shows it.
    pub fn shown(&self) -> String {
        match &self.content {
            Content::Scalar(text, true) if self.is_null() && text.is_empty() => "nothing".into(),
            Content::Scalar(text, true) => text.clone(),
            Content::Scalar(text, false) => format!("{text:?}"),
            Content::Section(_) => "a section of keys".into(),
            Content::List(nodes) => {
                let shown: Vec<_> = nodes.iter().take(8).map(|node| node.brief()).collect();
                let more = if nodes.len() > 8 { ", …" } else { "" };
                format!("[{}{more}]", shown.join(", "))
            }
        }
    }

    /// As [`shown`](Self::shown), without what is within lists.
    fn brief(&self) -> String {
        match &self.content {
            Content::List(_) => "[…]".into(),
            _ => self.shown(),
        }
    }
}

/// What is being read: a list or a section that has not ended yet.
struct Open {
    node: Node,
    anchor: usize,
    /// In a section, the key whose value comes next.
    key: Option<(String, At)>,
}

struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    root: Option<Node>,
    faults: Vec<Fault>,
}

/// Reads a document.
///
/// # Errors
/// It is no YAML, or has a key twice in a section (all such keys).
pub(super) fn parse(text: &str) -> Result<Node, Vec<Fault>> {
    let mut builder = Builder {
        open: Vec::new(),
        anchors: HashMap::new(),
        root: None,
        faults: Vec::new(),
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for event in Parser::new_from_str(text) {
        let taken = match event {
            Ok((event, span)) => builder.take(event, span),
            Err(error) => {
                let at = At::Line(error.marker().line());
                Err((at, format!("this is no YAML: {}", error.info())))
            }
        };
        if let Err(fault) = taken {
            builder.faults.push(fault);
            return Err(builder.faults);
        }
    }
    match builder.faults.is_empty() {
        true => Ok(builder.root.unwrap_or(Node {
            at: At::Line(1),
            tag: None,
            content: Content::Section(Vec::new()),
        })),
        false => Err(builder.faults),
    }
}

impl Builder {
    /// Follows one event of the parser; an error is one that nothing can be read after.
    fn take(&mut self, event: Event, span: Span) -> Result<(), Fault> {
        let at = At::Line(span.start.line());
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let content = Content::Scalar(text.into_owned(), style == ScalarStyle::Plain);
                let tag = tag.as_deref().map(name_of);
                self.add(Node { at, tag, content }, anchor)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => {
                    let node = node.clone();
                    self.put(node)
                }
                None => Err((at, "this alias is within what it names".into())),
            },
            Event::SequenceStart(anchor, tag) => {
                self.begin(at, anchor, tag.as_deref(), Content::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.begin(at, anchor, tag.as_deref(), Content::Section(Vec::new()))
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => self.add(open.node, open.anchor),
                None => Ok(()),
            },
            Event::DocumentStart(_) if self.root.is_some() => {
                Err((at, "a second document begins here; one is wanted".into()))
            }
            _ => Ok(()),
        }
    }

    fn begin(
        &mut self,
        at: At,
        anchor: usize,
        tag: Option<&Tag>,
        content: Content,
    ) -> Result<(), Fault> {
        if self.open.len() == DEEPEST {
            return Err((at, format!("more than {DEEPEST} levels of sections")));
        }
        let (tag, key) = (tag.map(name_of), None);
        let node = Node { at, tag, content };
        self.open.push(Open { node, anchor, key });
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Fault> {
        if self.open.is_empty() {
            self.root = Some(node);
            return Ok(());
        }
        let node = Rc::new(node);
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        self.put(node)
    }

    /// Puts a value where it belongs: into the list, as a key, or as the value of one.
    fn put(&mut self, node: Rc<Node>) -> Result<(), Fault> {
        let path = self.path();
        let Some(open) = self.open.last_mut() else {
            return Ok(());
        };
        let entries = match &mut open.node.content {
            Content::List(nodes) => {
                nodes.push(node);
                return Ok(());
            }
            Content::Section(entries) => entries,
            Content::Scalar(..) => return Ok(()),
        };
        match (open.key.take(), &node.content) {
            (Some((name, at)), _) => {
                // What is given twice is told where it begins; the first stays.
                match entries.iter().find(|entry| entry.name == name) {
                    Some(first) => self.faults.push((at, twice(&path, &name, first.at))),
                    None => entries.push(Entry { name, at, node }),
                }
                Ok(())
            }
            (None, Content::Scalar(name, _)) => {
                open.key = Some((name.clone(), node.at));
                Ok(())
            }
            (None, _) => Err((node.at, "a key that is a list or a section".into())),
        }
    }

    /// The keys that lead to where reading stands.
    fn path(&self) -> String {
        let keys = self.open.iter().filter_map(|open| open.key.as_ref());
        let inner = self.open.last().is_some_and(|open| open.key.is_some());
        let outer = keys.clone().count() - usize::from(inner);
        keys.take(outer)
            .map(|(name, _)| format!("{name}."))
            .collect()
    }
}

fn twice(path: &str, name: &str, first: At) -> String {
    match first {
        At::Line(line) => format!("{path}{name} is in line {line} already; remove one of the two"),
        At::Change => format!("{path}{name} is given twice"),
    }
}

/// What stands behind `!!`; a tag of another kind whole.
fn name_of(tag: &Tag) -> String {
    match tag.is_yaml_core_schema() {
        true => tag.suffix.clone(),
        false => tag.to_string(),
    }
}
