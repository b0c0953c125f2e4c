//! What a pickle built: values in an arena, and the tensors among them.

use super::Problem;
use super::contents::Names;
use super::view::{Element, Storage, TensorView};

const MAX_RANK: usize = 32;

/// Dictionaries in dictionaries; real files nest three or four deep.
const MAX_DEPTH: usize = 32;

/// Values looked at while searching; keeps the time for lists shared by many dictionaries small.
const MAX_VISITS: usize = 16 << 20;

/// Index of a value in the arena.
pub(super) type Id = u32;

pub(super) enum Value<'a> {
    /// None, floats, sets and what else nothing here asks about.
    Opaque,
    Int(i64),
    Text(&'a str),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    /// A dictionary, or an object of another class, which may be one too.
    Dict {
        class: Option<Class<'a>>,
        entries: Vec<(Id, Id)>,
        /// A list of pairs that it was made from.
        pairs: Option<Id>,
    },
    Global(Global<'a>),
    Storage {
        element: Element<'a>,
        key: Id,
        count: Id,
        /// Where it begins in the storage of that key.
        start: Option<Id>,
    },
    Tensor {
        storage: Id,
        offset: Id,
        shape: Id,
        strides: Id,
        /// Where it is not that of the storage.
        element: Option<Element<'a>>,
    },
}

/// A class or function by module and name. It is never looked up.
pub(super) type Class<'a> = (&'a str, &'a str);

#[derive(Clone, Copy)]
pub(super) enum Global<'a> {
    Dict,
    RebuildTensor,
    RebuildTypedTensor,
    RebuildParameter,
    RebuildSubclass,
    Type(Element<'a>),
    Other(Class<'a>),
}

/// Values refer to each other by index, in any direction: a list of them needs no recursion to be
/// walked or freed.
#[derive(Default)]
pub(super) struct Arena<'a>(Vec<Value<'a>>);

impl<'a> Arena<'a> {
    pub fn add(&mut self, value: Value<'a>) -> Id {
        self.0.push(value);
        (self.0.len() - 1) as Id // a pickle has fewer values than bytes, so this cannot overflow
    }

    pub fn value(&self, id: Id) -> &Value<'a> {
        &self.0[id as usize]
    }

    pub fn value_mut(&mut self, id: Id) -> &mut Value<'a> {
        &mut self.0[id as usize]
    }

    pub fn as_text(&self, id: Id) -> Option<&'a str> {
        match self.value(id) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_tuple(&self, id: Id) -> Option<&[Id]> {
        match self.value(id) {
            Value::Tuple(items) => Some(items),
            _ => None,
        }
    }

    pub fn as_size(&self, id: Id) -> Option<usize> {
        match self.value(id) {
            Value::Int(n) => usize::try_from(*n).ok(),
            _ => None,
        }
    }

    fn as_sizes(&self, id: Id) -> Option<Vec<usize>> {
        let items = self.as_tuple(id).filter(|items| items.len() <= MAX_RANK)?;
        items.iter().map(|&item| self.as_size(item)).collect()
    }

    fn as_tensor(&self, id: Id) -> Option<TensorView<'a>> {
        let &Value::Tensor {
            storage,
            offset,
            shape,
            strides,
            element,
        } = self.value(id)
        else {
            return None;
        };
        let &Value::Storage {
            element: stored,
            key,
            count,
            start,
        } = self.value(storage)
        else {
            return None;
        };
        let start = start.map_or(Some(0), |start| self.as_size(start))?;
        Some(TensorView {
            storage: Storage {
                element: element.unwrap_or(stored),
                key: self.as_text(key)?.into(),
                count: self.as_size(count)?,
            },
            offset: self.as_size(offset)?.checked_add(start)?,
            shape: self.as_sizes(shape)?,
            strides: self.as_sizes(strides)?,
        })
    }

    /// The storages that the pickle speaks of: key, type of element, number of elements.
    pub fn storages(&self) -> impl Iterator<Item = Storage<'a>> {
        self.0.iter().filter_map(|value| match *value {
            Value::Storage {
                element,
                key,
                count,
                ..
            } => Some(Storage {
                element,
                key: self.as_text(key)?.into(),
                count: self.as_size(count)?,
            }),
            _ => None,
        })
    }

    /// Every tensor in dictionaries and lists, however nested, by its path.
    pub fn tensors(&self, root: Id) -> Result<Names<'a>, Problem> {
        let mut names = Names::default();
        names.object = match self.value(root) {
            Value::Dict {
                class: Some((module, name)),
                ..
            }
            | Value::Global(Global::Other((module, name))) => Some(format!("{module}.{name}")),
            _ => None,
        };
        let mut seen = vec![false; self.0.len()];
        let mut visits = 0;
        let mut open = vec![(root, String::new(), 0)];
        while let Some((id, path, depth)) = open.pop() {
            if depth > MAX_DEPTH || std::mem::replace(&mut seen[id as usize], true) {
                continue;
            }
            let mut visit = |key: &str, value: Id| -> Result<(), Problem> {
                visits += 1;
                if visits > MAX_VISITS {
                    return Err(Problem::unsupported("its dictionaries hold too much"));
                }
                match self.value(value) {
                    Value::Tensor { .. } => {
                        let name = format!("{path}{key}");
                        let view = self.as_tensor(value);
                        names.add(name, path.len(), view.ok_or_else(|| UNFIT.to_owned()))
                    }
                    Value::Dict { .. } | Value::List(_) | Value::Tuple(_)
                        if !seen[value as usize] =>
                    {
                        let path = format!("{path}{key}.");
                        names.spend(path.len())?;
                        open.push((value, path, depth + 1));
                        Ok(())
                    }
                    _ => Ok(()),
                }
            };
            match self.value(id) {
                Value::Dict { entries, pairs, .. } => {
                    for &(key, value) in entries {
                        self.keyed(key, value, &mut visit)?;
                    }
                    if let Some(Value::List(pairs)) = pairs.map(|id| self.value(id)) {
                        for &pair in pairs {
                            if let Value::List(pair) | Value::Tuple(pair) = self.value(pair)
                                && let &[key, value] = &pair[..]
                            {
                                self.keyed(key, value, &mut visit)?;
                            }
                        }
                    }
                }
                Value::List(items) | Value::Tuple(items) => {
                    for (i, &item) in items.iter().enumerate() {
                        visit(&i.to_string(), item)?;
                    }
                }
                _ => {}
            }
        }
        Ok(names)
    }

    fn keyed(
        &self,
        key: Id,
        value: Id,
        visit: &mut impl FnMut(&str, Id) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        match self.value(key) {
            Value::Text(text) => visit(text, value),
            Value::Int(n) => visit(&n.to_string(), value),
            _ => Ok(()), // no array is named so
        }
    }
}

const UNFIT: &str = "is put together of values that do not fit";

/// The pickle is one that no pickler writes.
pub(super) fn contradiction() -> Problem {
    Problem::damaged("its pickle puts together values that do not fit")
}
