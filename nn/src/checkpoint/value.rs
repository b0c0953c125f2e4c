//! What a pickle built: values in an arena, and the tensors they describe.

use std::collections::BTreeMap;

use ::safetensors::Dtype;

use super::Problem;

const MAX_RANK: usize = 32;

/// What to do about a file whose pickle holds more than weights.
pub(super) const RESAVE: &str =
    "re-save its weights alone in PyTorch: torch.save({'params': model.state_dict()}, path)";

/// A tensor as a pickle describes it: a strided view of a storage, which may not hold it.
#[derive(Debug)]
pub(super) struct TensorView<'a> {
    pub storage: Storage<'a>,
    pub offset: usize, // in elements, as the strides
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// A run of `count` elements in the archive's entry `data/{key}`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Storage<'a> {
    pub dtype: Dtype,
    pub key: &'a str,
    pub count: usize,
}

/// Index of a value in the arena.
pub(super) type Id = u32;

pub(super) enum Value<'a> {
    /// None, bools, floats and lists: allowed, but nothing here asks what they hold.
    Opaque,
    Int(i64),
    Text(&'a str),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage {
        dtype: Dtype,
        key: Id,
        count: Id,
    },
    Tensor {
        storage: Id,
        offset: Id,
        shape: Id,
        strides: Id,
    },
}

#[derive(Clone, Copy)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    StorageType(Dtype),
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

    pub fn as_text(&self, id: Id) -> Result<&'a str, Problem> {
        match self.value(id) {
            Value::Text(text) => Ok(text),
            _ => Err(contradiction()),
        }
    }

    pub fn as_tuple(&self, id: Id) -> Result<&[Id], Problem> {
        match self.value(id) {
            Value::Tuple(items) => Ok(items),
            _ => Err(contradiction()),
        }
    }

    fn as_size(&self, id: Id) -> Result<usize, Problem> {
        match self.value(id) {
            Value::Int(n) => usize::try_from(*n).map_err(|_| contradiction()),
            _ => Err(contradiction()),
        }
    }

    fn as_sizes(&self, id: Id) -> Result<Vec<usize>, Problem> {
        let items = self.as_tuple(id)?;
        if items.len() > MAX_RANK {
            return Err(contradiction());
        }
        items.iter().map(|&item| self.as_size(item)).collect()
    }

    fn as_dict(&self, id: Id) -> Result<BTreeMap<&'a str, Id>, Problem> {
        let Value::Dict(entries) = self.value(id) else {
            return Err(Problem::unsupported(format!(
                "it holds no dictionary of weights; {RESAVE}"
            )));
        };
        let mut dict = BTreeMap::new();
        for &(key, value) in entries {
            let key = self.as_text(key)?;
            if dict.insert(key, value).is_some() {
                return Err(Problem::damaged(format!("it holds `{key}` twice")));
            }
        }
        Ok(dict)
    }

    fn as_tensor(&self, name: &str, id: Id) -> Result<TensorView<'a>, Problem> {
        let &Value::Tensor {
            storage,
            offset,
            shape,
            strides,
        } = self.value(id)
        else {
            return Err(Problem::unsupported(format!(
                "`{name}` is not a tensor; {RESAVE}"
            )));
        };
        let &Value::Storage { dtype, key, count } = self.value(storage) else {
            return Err(contradiction());
        };
        Ok(TensorView {
            storage: Storage {
                dtype,
                key: self.as_text(key)?,
                count: self.as_size(count)?,
            },
            offset: self.as_size(offset)?,
            shape: self.as_sizes(shape)?,
            strides: self.as_sizes(strides)?,
        })
    }

    /// The tensors of the dictionary under `params_ema`, `params` or `state_dict`, in this order of
    /// preference, else those of `root` itself, by name.
    pub fn tensors(&self, root: Id) -> Result<BTreeMap<&'a str, TensorView<'a>>, Problem> {
        let top = self.as_dict(root)?;
        let is_dict = |id: &Id| matches!(self.value(*id), Value::Dict(_));
        let weights = ["params_ema", "params", "state_dict"]
            .iter()
            .find_map(|key| top.get(key).copied().filter(is_dict));
        let weights = match weights {
            Some(id) => self.as_dict(id)?,
            None => top,
        };
        let tensor = |(name, id)| Ok((name, self.as_tensor(name, id)?));
        weights.into_iter().map(tensor).collect()
    }
}

/// The pickle is one that no pickler writes.
pub(super) fn contradiction() -> Problem {
    Problem::damaged("its pickle puts together values that do not fit")
}
