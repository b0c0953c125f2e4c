//! Changes of single keys, as `--set train.optim_g.lr=1e-4` names them.

use std::rc::Rc;

use super::yaml::{At, Content, Entry, Fault, Node, parse};

/// Makes the changes in a file's tree: paths of keys, joined with dots (or BasicSR's colons), and values in
/// YAML. A key that is not there is added; whether it is known, its reader says.
pub(super) fn change(root: &mut Node, changes: &[(String, String)]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, text) in changes {
        match value(text) {
            Ok(value) => {
                let keys: Vec<_> = path.split(['.', ':']).collect();
                faults.extend(put(root, &keys, 0, value));
            }
            Err(why) => faults.push((At::Change, format!("{path}={text}: {why}"))),
        }
    }
    faults
}

/// The value, standing in no file.
fn value(text: &str) -> Result<Node, String> {
    let first = |faults: Vec<Fault>| faults.into_iter().next().map_or(String::new(), |f| f.1);
    let mut node = match text.trim().is_empty() {
        true => parse("~"),
        false => parse(text),
    }
    .map_err(first)?;
    moved(&mut node);
    Ok(node)
}

fn moved(node: &mut Node) {
    node.at = At::Change;
    match &mut node.content {
        Content::Scalar(..) => {}
        Content::List(nodes) => nodes.iter_mut().for_each(|node| moved(Rc::make_mut(node))),
        Content::Section(entries) => {
            for entry in entries {
                entry.at = At::Change;
                moved(Rc::make_mut(&mut entry.node));
            }
        }
    }
}

fn put(node: &mut Node, keys: &[&str], depth: usize, value: Node) -> Option<Fault> {
    let path = || keys[..=depth].join(".");
    if keys[depth].is_empty() {
        let text = format!(
            "{:?} names no key; a path like train.optim_g.lr is wanted",
            keys.join(".")
        );
        return Some((At::Change, text));
    }
    if node.is_null() {
        node.content = Content::Section(Vec::new());
        node.tag = None;
    }
    let Content::Section(entries) = &mut node.content else {
        let text = format!("{} is no key: {} has none", path(), keys[..depth].join("."));
        return Some((At::Change, text));
    };
    let at = match entries.iter().position(|entry| entry.name == keys[depth]) {
        Some(at) => at,
        None => {
            let content = Content::Section(Vec::new());
            let node = Rc::new(Node {
                at: At::Change,
                tag: None,
                content,
            });
            entries.push(Entry {
                name: keys[depth].to_owned(),
                at: At::Change,
                node,
            });
            entries.len() - 1
        }
    };
    let entry = &mut entries[at];
    if depth + 1 == keys.len() {
        entry.at = At::Change;
        entry.node = Rc::new(value);
        return None;
    }
    put(Rc::make_mut(&mut entry.node), keys, depth + 1, value)
}
