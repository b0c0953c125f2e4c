//! The part of Python's pickle that `torch.save` writes for weights, on a machine that can build nothing else.
//!
//! A pickle is a program for a stack machine. Values live in an arena and refer to each other by index, so that nothing
//! here recurses and the memory used is bounded by the pickle's length. The few names that weights need are known;
//! any other ends the reading, and none is ever looked up, let alone called.

use std::collections::HashMap;

use ::safetensors::Dtype;

use super::Problem;

/// Enough for a hundred thousand tensors; keeps the arena, some ten times as large, within reason.
const MAX_LENGTH: usize = 16 << 20;
const MAX_RANK: usize = 32;

/// A tensor as the pickle describes it: a strided view of a storage, nothing checked yet but that all numbers are ≥ 0.
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

type Id = usize;

enum Value<'a> {
    /// None, bools, floats, lists: allowed, but nothing here asks for their value.
    Opaque,
    Int(i64),
    Text(&'a str),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(Storage<'a>),
    Tensor(Box<TensorView<'a>>),
}

#[derive(Clone, Copy)]
enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    StorageType(Dtype),
}

/// Runs `pickle` and returns the named tensors it builds: those of the dictionary under `params_ema`, `params` or
/// `state_dict`, else those of the top level.
pub(super) fn tensors(pickle: &[u8]) -> Result<Vec<(&str, TensorView<'_>)>, Problem> {
    if pickle.len() > MAX_LENGTH {
        return Err(Problem::unsupported(format!(
            "its pickle is {} MB long; re-save its weights alone: torch.save({{'params': model.state_dict()}}, path)",
            pickle.len() >> 20
        )));
    }
    let mut machine = Machine {
        rest: pickle,
        values: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    let root = machine.run()?;
    machine.state_dict(root)
}

struct Machine<'a> {
    rest: &'a [u8],
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    marks: Vec<usize>, // heights of the stack
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<Id, Problem> {
        loop {
            let [op] = self.bytes()?;
            match op {
                0x80 => _ = self.bytes::<1>()?, // PROTO
                0x95 => _ = self.bytes::<8>()?, // FRAME: a hint for buffering
                b'.' => return self.pop(),      // STOP
                b'(' => self.marks.push(self.stack.len()),
                b'0' => _ = self.pop()?,                     // POP
                b'1' => _ = self.pop_mark()?,                // POP_MARK
                b'2' => self.stack.push(self.top()?),        // DUP
                b'N' | 0x88 | 0x89 => self.push(Value::Opaque), // NONE, NEWTRUE, NEWFALSE
                b'G' => {
                    self.bytes::<8>()?; // BINFLOAT
                    self.push(Value::Opaque);
                }

                // Numbers.
                b'K' => self.int(|[b]: [u8; 1]| b.into())?,              // BININT1
                b'M' => self.int(|b| u16::from_le_bytes(b).into())?,     // BININT2
                b'J' => self.int(|b| i32::from_le_bytes(b).into())?,     // BININT
                0x8a => self.long()?,                                    // LONG1

                // Text.
                b'X' => self.text(|b| u32::from_le_bytes(b).into())?, // BINUNICODE
                0x8c => self.text(|[b]: [u8; 1]| b.into())?,          // SHORT_BINUNICODE
                0x8d => self.text(u64::from_le_bytes)?,               // BINUNICODE8

                // Containers.
                b')' => self.push(Value::Tuple(Vec::new())), // EMPTY_TUPLE
                b't' => {
                    let items = self.pop_mark()?; // TUPLE
                    self.push(Value::Tuple(items));
                }
                0x85 => self.tuple::<1>()?,
                0x86 => self.tuple::<2>()?,
                0x87 => self.tuple::<3>()?,
                b']' => self.push(Value::Opaque),           // EMPTY_LIST
                b'a' => _ = self.pop()?,                    // APPEND: the list below stays opaque
                b'e' => _ = self.pop_mark()?,               // APPENDS
                b'}' => self.push(Value::Dict(Vec::new())), // EMPTY_DICT
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?); // SETITEM
                    self.set_items(&[key, value])?;
                }
                b'u' => {
                    let items = self.pop_mark()?; // SETITEMS
                    self.set_items(&items)?;
                }

                // The memo.
                b'q' => {
                    let [slot] = self.bytes()?; // BINPUT
                    self.memoize(slot.into())?;
                }
                b'r' => {
                    let slot = self.bytes()?; // LONG_BINPUT
                    self.memoize(u32::from_le_bytes(slot))?;
                }
                0x94 => self.memoize(self.memo.len() as u32)?, // MEMOIZE; a pickle is shorter than 2³²
                b'h' => {
                    let [slot] = self.bytes()?; // BINGET
                    self.recall(slot.into())?;
                }
                b'j' => {
                    let slot = self.bytes()?; // LONG_BINGET
                    self.recall(u32::from_le_bytes(slot))?;
                }

                // Objects.
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?); // GLOBAL
                    self.global(module, name)?;
                }
                0x93 => {
                    let (name, module) = (self.pop_text()?, self.pop_text()?); // STACK_GLOBAL
                    self.global(module, name)?;
                }
                b'Q' => self.persistent()?,  // BINPERSID
                b'R' => self.reduce()?,      // REDUCE
                b'b' => _ = self.pop()?,     // BUILD: attributes of a dictionary, such as `_metadata`, say nothing of weights
                _ => {
                    return Err(Problem::unsupported(format!(
                        "its pickle uses the instruction 0x{op:02x}, which weights do not need; if you trust the file, \
                         {RESAVE}"
                    )));
                }
            }
        }
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], Problem> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or_else(|| Problem::damaged("its pickle is cut off"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        let taken = self.take(N)?;
        Ok(std::array::from_fn(|i| taken[i]))
    }

    /// Up to the end of the line, which is not part of it.
    fn line(&mut self) -> Result<&'a str, Problem> {
        let length = self.rest.iter().position(|&b| b == b'\n');
        let line = self.take(length.map_or(usize::MAX, |n| n + 1))?;
        utf8(&line[..line.len() - 1])
    }

    fn push(&mut self, value: Value<'a>) {
        self.stack.push(self.values.len());
        self.values.push(value);
    }

    fn int<const N: usize>(&mut self, read: impl Fn([u8; N]) -> i64) -> Result<(), Problem> {
        let value = read(self.bytes()?);
        self.push(Value::Int(value));
        Ok(())
    }

    /// Little-endian two's complement of any length; one that no offset can reach stays opaque.
    fn long(&mut self) -> Result<(), Problem> {
        let [length] = self.bytes()?;
        let digits = self.take(length.into())?;
        let negative = digits.last().is_some_and(|&b| b >= 0x80);
        let mut bytes = [if negative { 0xff } else { 0 }; 8];
        self.push(match bytes.get_mut(..digits.len()) {
            Some(low) => {
                low.copy_from_slice(digits);
                Value::Int(i64::from_le_bytes(bytes))
            }
            None => Value::Opaque,
        });
        Ok(())
    }

    fn text<const N: usize>(&mut self, length: impl Fn([u8; N]) -> u64) -> Result<(), Problem> {
        let length = length(self.bytes()?);
        let text = utf8(self.take(usize::try_from(length).unwrap_or(usize::MAX))?)?;
        self.push(Value::Text(text));
        Ok(())
    }

    fn tuple<const N: usize>(&mut self) -> Result<(), Problem> {
        let at = self.stack.len().checked_sub(N).filter(|&at| at >= self.floor()).ok_or_else(underflow)?;
        let items = self.stack.split_off(at);
        self.push(Value::Tuple(items));
        Ok(())
    }

    /// What lies below the last mark is out of reach.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<Id, Problem> {
        self.stack[self.floor()..].last().copied().ok_or_else(underflow)
    }

    fn pop(&mut self) -> Result<Id, Problem> {
        let id = self.top()?;
        self.stack.pop();
        Ok(id)
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>, Problem> {
        let mark = self.marks.pop().ok_or_else(underflow)?;
        Ok(self.stack.split_off(mark))
    }

    fn pop_text(&mut self) -> Result<&'a str, Problem> {
        let id = self.pop()?;
        self.as_text(id)
    }

    fn set_items(&mut self, items: &[Id]) -> Result<(), Problem> {
        let target = self.top()?;
        match (&mut self.values[target], items.as_chunks::<2>()) {
            (Value::Dict(entries), (pairs, [])) => entries.extend(pairs.iter().map(|&[key, value]| (key, value))),
            _ => return Err(contradiction()),
        }
        Ok(())
    }

    fn memoize(&mut self, slot: u32) -> Result<(), Problem> {
        let id = self.top()?;
        self.memo.insert(slot, id);
        Ok(())
    }

    fn recall(&mut self, slot: u32) -> Result<(), Problem> {
        let id = *self.memo.get(&slot).ok_or_else(contradiction)?;
        self.stack.push(id);
        Ok(())
    }

    fn global(&mut self, module: &str, name: &str) -> Result<(), Problem> {
        let global = match (module, name) {
            ("collections", "OrderedDict") => Global::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Global::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Global::RebuildParameter,
            ("torch", "FloatStorage") => Global::StorageType(Dtype::F32),
            ("torch", "HalfStorage") => Global::StorageType(Dtype::F16),
            ("torch", "BFloat16Storage") => Global::StorageType(Dtype::BF16),
            ("torch", "DoubleStorage") => Global::StorageType(Dtype::F64),
            ("torch", "BoolStorage") => Global::StorageType(Dtype::BOOL),
            ("torch", "LongStorage") => Global::StorageType(Dtype::I64),
            ("torch", "IntStorage") => Global::StorageType(Dtype::I32),
            _ => {
                return Err(Problem::unsupported(format!(
                    "its pickle names `{}.{}`, which weights do not need and which was not run; if you trust the file, \
                     {RESAVE}",
                    module.escape_debug(),
                    name.escape_debug()
                )));
            }
        };
        self.push(Value::Global(global));
        Ok(())
    }

    /// ('storage', type, key, device, count)
    fn persistent(&mut self) -> Result<(), Problem> {
        let id = self.pop()?;
        let &[tag, kind, key, _device, count] = self.as_tuple(id)? else {
            return Err(contradiction());
        };
        let Value::Global(Global::StorageType(dtype)) = self.values[kind] else {
            return Err(contradiction());
        };
        if self.as_text(tag)? != "storage" {
            return Err(contradiction());
        }
        let (key, count) = (self.as_text(key)?, self.as_size(count)?);
        self.push(Value::Storage(Storage { dtype, key, count }));
        Ok(())
    }

    fn reduce(&mut self) -> Result<(), Problem> {
        let (args, function) = (self.pop()?, self.pop()?);
        let Value::Global(function) = self.values[function] else {
            return Err(contradiction());
        };
        match (function, self.as_tuple(args)?) {
            (Global::OrderedDict, []) => self.push(Value::Dict(Vec::new())),
            // Whether it wants a gradient, and its hooks, are of no concern.
            (Global::RebuildTensor, &[storage, offset, shape, strides, ..]) => {
                let Value::Storage(storage) = self.values[storage] else {
                    return Err(contradiction());
                };
                let view = TensorView {
                    storage,
                    offset: self.as_size(offset)?,
                    shape: self.as_sizes(shape)?,
                    strides: self.as_sizes(strides)?,
                };
                self.push(Value::Tensor(Box::new(view)));
            }
            (Global::RebuildParameter, &[tensor, ..]) if matches!(self.values[tensor], Value::Tensor(_)) => {
                self.stack.push(tensor);
            }
            _ => return Err(contradiction()),
        }
        Ok(())
    }

    fn as_text(&self, id: Id) -> Result<&'a str, Problem> {
        match self.values[id] {
            Value::Text(text) => Ok(text),
            _ => Err(contradiction()),
        }
    }

    fn as_tuple(&self, id: Id) -> Result<&[Id], Problem> {
        match &self.values[id] {
            Value::Tuple(items) => Ok(items),
            _ => Err(contradiction()),
        }
    }

    fn as_size(&self, id: Id) -> Result<usize, Problem> {
        match self.values[id] {
            Value::Int(n) => usize::try_from(n).map_err(|_| contradiction()),
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

    /// The value under `key`, when that is a dictionary itself.
    fn dict_under(&self, entries: &[(Id, Id)], key: &str) -> Option<Id> {
        entries
            .iter()
            .find(|&&(k, v)| matches!((&self.values[k], &self.values[v]), (Value::Text(t), Value::Dict(_)) if *t == key))
            .map(|&(_, value)| value)
    }
}

const RESAVE: &str = "re-save its weights alone in PyTorch: torch.save({'params': model.state_dict()}, path)";

fn utf8(bytes: &[u8]) -> Result<&str, Problem> {
    str::from_utf8(bytes).map_err(|_| Problem::damaged("a name in its pickle is not UTF-8"))
}

fn underflow() -> Problem {
    Problem::damaged("its pickle takes more from the stack than it put there")
}

fn contradiction() -> Problem {
    Problem::damaged("its pickle puts together values that do not fit")
}
