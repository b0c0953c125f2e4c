//! The part of Python's pickle that `torch.save` writes for weights, on a machine that can build
//! nothing else.
//!
//! A pickle is a program for a stack machine. Its values live in an arena and refer to each other
//! by index, so nothing here recurses, and the memory used is bounded by the pickle's length. The
//! few names that weights need are known; any other ends the reading, and none is ever called.

use std::collections::{BTreeMap, HashMap};

use ::safetensors::Dtype;

use super::value::{Arena, Global, Id, RESAVE, TensorView, Value, contradiction};
use super::{Problem, opcode as op};

/// Enough for 25 000 tensors; keeps the arena, at worst seventy times as large, small.
const MAX_LENGTH: usize = 4 << 20;

/// Runs `pickle` and returns the tensors it names: those of the dictionary under `params_ema`,
/// `params` or `state_dict`, in this order of preference, else those of the top level.
pub(super) fn tensors(pickle: &[u8]) -> Result<BTreeMap<&str, TensorView<'_>>, Problem> {
    if pickle.len() > MAX_LENGTH {
        return Err(Problem::unsupported(format!(
            "its pickle is longer than {} MB; {RESAVE}",
            MAX_LENGTH >> 20
        )));
    }
    let mut machine = Machine {
        rest: pickle,
        values: Arena::default(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    let root = machine.run()?;
    machine.values.tensors(root)
}

struct Machine<'a> {
    rest: &'a [u8],
    values: Arena<'a>,
    stack: Vec<Id>,
    marks: Vec<usize>, // heights of the stack
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    /// Runs to STOP and returns what lies on top of the stack then.
    fn run(&mut self) -> Result<Id, Problem> {
        loop {
            let code = u8::from_le_bytes(self.bytes()?);
            match code {
                op::PROTO => _ = self.take(1)?,
                op::FRAME => _ = self.take(8)?,
                op::STOP => return self.pop(),
                op::MARK => self.marks.push(self.stack.len()),

                op::NONE | op::NEWTRUE | op::NEWFALSE | op::EMPTY_LIST => self.push(Value::Opaque),
                op::BINFLOAT => self.float()?,
                op::BININT => self.int(|b| i32::from_le_bytes(b).into())?,
                op::BININT1 => self.int(|b| u8::from_le_bytes(b).into())?,
                op::BININT2 => self.int(|b| u16::from_le_bytes(b).into())?,
                op::LONG1 => self.long()?,

                op::BINUNICODE => self.text(|b| u32::from_le_bytes(b).into())?,
                op::SHORT_BINUNICODE => self.text(|b| u8::from_le_bytes(b).into())?,
                op::BINUNICODE8 => self.text(u64::from_le_bytes)?,

                op::EMPTY_TUPLE => self.tuple(0)?,
                op::TUPLE1 => self.tuple(1)?,
                op::TUPLE2 => self.tuple(2)?,
                op::TUPLE3 => self.tuple(3)?,
                op::TUPLE => {
                    let items = self.pop_mark()?;
                    self.push(Value::Tuple(items));
                }
                op::APPEND => _ = self.pop()?, // onto a list, which stays opaque
                op::APPENDS => _ = self.pop_mark()?,
                op::EMPTY_DICT => self.push(Value::Dict(Vec::new())),
                op::SETITEM => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.set_items(&[key, value])?;
                }
                op::SETITEMS => {
                    let items = self.pop_mark()?;
                    self.set_items(&items)?;
                }

                op::BINPUT => self.memoize(|b| u8::from_le_bytes(b).into())?,
                op::LONG_BINPUT => self.memoize(u32::from_le_bytes)?,
                op::MEMOIZE => {
                    let slot = self.memo.len() as u32;
                    self.memoize(|[]| slot)?;
                }
                op::BINGET => self.recall(|b| u8::from_le_bytes(b).into())?,
                op::LONG_BINGET => self.recall(u32::from_le_bytes)?,

                op::GLOBAL => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.global(module, name)?;
                }
                op::STACK_GLOBAL => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    self.global(self.values.as_text(module)?, self.values.as_text(name)?)?;
                }
                op::BINPERSID => self.persistent()?,
                op::REDUCE => self.reduce()?,
                op::BUILD => _ = self.pop()?, // attributes, such as `_metadata`, are no weights
                _ => {
                    return Err(Problem::unsupported(format!(
                        "its pickle uses the instruction 0x{code:02x}, which weights do not need; \
                         if you trust the file, {RESAVE}"
                    )));
                }
            }
        }
    }

    // Reading the program.

    fn take(&mut self, n: usize) -> Result<&'a [u8], Problem> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or_else(cut_off)?;
        self.rest = rest;
        Ok(taken)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(cut_off)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// Up to the end of the line, which is passed over.
    fn line(&mut self) -> Result<&'a str, Problem> {
        let end = self.rest.iter().position(|&b| b == b'\n');
        let line = self.take(end.ok_or_else(cut_off)?)?;
        self.take(1)?;
        utf8(line)
    }

    // Values.

    fn push(&mut self, value: Value<'a>) {
        self.stack.push(self.values.add(value));
    }

    fn float(&mut self) -> Result<(), Problem> {
        self.take(8)?;
        self.push(Value::Opaque);
        Ok(())
    }

    fn int<const N: usize>(&mut self, read: impl Fn([u8; N]) -> i64) -> Result<(), Problem> {
        let value = read(self.bytes()?);
        self.push(Value::Int(value));
        Ok(())
    }

    /// Two's complement of any length; what exceeds 64 bits counts nothing here.
    fn long(&mut self) -> Result<(), Problem> {
        let length = u8::from_le_bytes(self.bytes()?);
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
        let length = usize::try_from(length(self.bytes()?)).map_err(|_| cut_off())?;
        let text = utf8(self.take(length)?)?;
        self.push(Value::Text(text));
        Ok(())
    }

    fn tuple(&mut self, n: usize) -> Result<(), Problem> {
        let start = self.stack.len().checked_sub(n);
        let start = start.filter(|&s| s >= self.floor()).ok_or_else(underflow)?;
        let items = self.stack.split_off(start);
        self.push(Value::Tuple(items));
        Ok(())
    }

    // The stack. What lies below the last mark is out of reach.

    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<Id, Problem> {
        self.stack[self.floor()..]
            .last()
            .copied()
            .ok_or_else(underflow)
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

    fn set_items(&mut self, items: &[Id]) -> Result<(), Problem> {
        let target = self.top()?;
        match (self.values.value_mut(target), items.as_chunks()) {
            (Value::Dict(entries), (pairs, [])) => {
                entries.extend(pairs.iter().map(|&[key, value]| (key, value)));
                Ok(())
            }
            _ => Err(contradiction()),
        }
    }

    fn memoize<const N: usize>(&mut self, slot: impl Fn([u8; N]) -> u32) -> Result<(), Problem> {
        let slot = slot(self.bytes()?);
        self.memo.insert(slot, self.top()?);
        Ok(())
    }

    fn recall<const N: usize>(&mut self, slot: impl Fn([u8; N]) -> u32) -> Result<(), Problem> {
        let slot = slot(self.bytes()?);
        self.stack
            .push(*self.memo.get(&slot).ok_or_else(contradiction)?);
        Ok(())
    }

    // Objects.

    fn global(&mut self, module: &str, name: &str) -> Result<(), Problem> {
        self.push(Value::Global(match (module, name) {
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
            ("torch", "ByteStorage") => Global::StorageType(Dtype::U8),
            _ => {
                return Err(Problem::unsupported(format!(
                    "its pickle names `{module}.{name}`, which weights do not need and which was \
                     not run; if you trust the file, {RESAVE}"
                )));
            }
        }));
        Ok(())
    }

    /// ('storage', type, key, device, count)
    fn persistent(&mut self) -> Result<(), Problem> {
        let id = self.pop()?;
        let &[tag, kind, key, _device, count] = self.values.as_tuple(id)? else {
            return Err(contradiction());
        };
        match (self.values.as_text(tag)?, self.values.value(kind)) {
            ("storage", &Value::Global(Global::StorageType(dtype))) => {
                self.push(Value::Storage { dtype, key, count });
                Ok(())
            }
            _ => Err(contradiction()),
        }
    }

    fn reduce(&mut self) -> Result<(), Problem> {
        let (args, function) = (self.pop()?, self.pop()?);
        let &Value::Global(function) = self.values.value(function) else {
            return Err(contradiction());
        };
        match (function, self.values.as_tuple(args)?) {
            (Global::OrderedDict, []) => self.push(Value::Dict(Vec::new())),
            // Whether it wants a gradient, and its hooks, are of no concern.
            (Global::RebuildTensor, &[storage, offset, shape, strides, ..]) => {
                self.push(Value::Tensor {
                    storage,
                    offset,
                    shape,
                    strides,
                });
            }
            (Global::RebuildParameter, &[tensor, ..]) => self.stack.push(tensor),
            _ => return Err(contradiction()),
        }
        Ok(())
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, Problem> {
    str::from_utf8(bytes).map_err(|_| Problem::damaged("a name in its pickle is not UTF-8"))
}

fn cut_off() -> Problem {
    Problem::damaged("its pickle is cut off")
}

fn underflow() -> Problem {
    Problem::damaged("its pickle takes more from the stack than it put there")
}
