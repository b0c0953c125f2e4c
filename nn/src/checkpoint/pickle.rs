//! Python's pickle, on a machine that builds arrays, dictionaries and lists, and nothing else.
//!
//! A pickle is a program for a stack machine. Its values live in an arena and refer to each other
//! by index, so nothing here recurses, and the memory used is bounded by the pickle's length. Names
//! of classes and functions are noted, never looked up; what they would make is opaque.

use std::collections::HashMap;

use super::objects::global;
use super::value::{Arena, Id, Value, contradiction};
use super::{Problem, opcode as op};

/// Enough for 25 000 tensors; keeps the arena, at worst a hundred times as large, small.
const MAX_LENGTH: usize = 4 << 20;

/// A pickle's result.
pub(super) struct Unpickled<'a> {
    pub values: Arena<'a>,
    pub root: Id,
    /// What follows the pickle.
    pub rest: &'a [u8],
}

/// Runs the pickle at the start of `bytes`.
pub(super) fn unpickle(bytes: &[u8]) -> Result<Unpickled<'_>, Problem> {
    let length = bytes.len().min(MAX_LENGTH);
    let mut machine = Machine {
        rest: &bytes[..length],
        values: Arena::default(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    let root = machine.run().map_err(|problem| {
        match machine.rest.len() < 10 && bytes.len() > MAX_LENGTH {
            true => Problem::unsupported(format!(
                "its pickle is longer than {} MB; save the weights alone: \
                 torch.save(model.state_dict(), path)",
                MAX_LENGTH >> 20
            )),
            false => problem,
        }
    })?;
    let read = length - machine.rest.len();
    Ok(Unpickled {
        values: machine.values,
        root,
        rest: &bytes[read..],
    })
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
            match u8::from_le_bytes(self.bytes()?) {
                op::STOP => return self.pop(),
                code => self.step(code)?,
            }
        }
    }

    fn step(&mut self, code: u8) -> Result<(), Problem> {
        match code {
            op::PROTO => _ = self.take(1)?,
            op::FRAME => _ = self.take(8)?,
            op::MARK => self.marks.push(self.stack.len()),
            op::POP if self.marks.last() == Some(&self.stack.len()) => _ = self.marks.pop(),
            op::POP => _ = self.pop()?,
            op::POP_MARK => _ = self.pop_mark()?,
            op::DUP => self.stack.push(self.top()?),

            op::NONE | op::NEWTRUE | op::NEWFALSE | op::EMPTY_SET => self.push(Value::Opaque),
            op::BINFLOAT => self.skipped(8)?,
            op::FLOAT => {
                self.line()?;
                self.push(Value::Opaque);
            }
            op::INT | op::LONG => {
                let number = self.line()?.trim_end_matches('L').parse();
                self.push(number.map_or(Value::Opaque, Value::Int));
            }
            op::BININT => self.int(|b| i32::from_le_bytes(b).into())?,
            op::BININT1 => self.int(|b| u8::from_le_bytes(b).into())?,
            op::BININT2 => self.int(|b| u16::from_le_bytes(b).into())?,
            op::LONG1 => self.long()?,
            op::LONG4 => {
                let length = self.length(u32::from_le_bytes)?;
                self.skipped(length)?;
            }

            op::BINUNICODE => self.text(u32::from_le_bytes)?,
            op::SHORT_BINUNICODE => self.text(u8::from_le_bytes)?,
            op::BINUNICODE8 => self.text(u64::from_le_bytes)?,
            // Python 2 has texts of bytes, and the names in its files are such.
            op::BINSTRING => self.text(u32::from_le_bytes)?,
            op::SHORT_BINSTRING => self.text(u8::from_le_bytes)?,
            op::STRING => {
                let quoted = self.line()?;
                self.push(Value::Text(quoted.trim_matches(['\'', '"'])));
            }
            op::UNICODE => {
                let text = self.line()?;
                self.push(Value::Text(text));
            }
            op::BINBYTES => self.blob(u32::from_le_bytes)?,
            op::SHORT_BINBYTES => self.blob(u8::from_le_bytes)?,
            op::BINBYTES8 | op::BYTEARRAY8 => self.blob(u64::from_le_bytes)?,

            op::EMPTY_TUPLE => self.tuple(0)?,
            op::TUPLE1 => self.tuple(1)?,
            op::TUPLE2 => self.tuple(2)?,
            op::TUPLE3 => self.tuple(3)?,
            op::TUPLE => {
                let items = self.pop_mark()?;
                self.push(Value::Tuple(items));
            }
            op::EMPTY_LIST => self.push(Value::List(Vec::new())),
            op::LIST => {
                let items = self.pop_mark()?;
                self.push(Value::List(items));
            }
            op::APPEND => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            op::APPENDS => {
                let items = self.pop_mark()?;
                self.append(&items)?;
            }
            op::FROZENSET => {
                self.pop_mark()?;
                self.push(Value::Opaque);
            }
            op::ADDITEMS => _ = self.pop_mark()?, // to a set, which stays opaque
            op::EMPTY_DICT => self.push_dict(),
            op::DICT => {
                let items = self.pop_mark()?;
                self.push_dict();
                self.set_items(&items)?;
            }
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
            op::PUT => {
                let slot = self.slot()?;
                self.memo.insert(slot, self.top()?);
            }
            op::MEMOIZE => {
                let slot = self.memo.len() as u32;
                self.memoize(|[]| slot)?;
            }
            op::BINGET => {
                let slot = u8::from_le_bytes(self.bytes()?);
                self.recall(slot.into())?;
            }
            op::LONG_BINGET => {
                let slot = u32::from_le_bytes(self.bytes()?);
                self.recall(slot)?;
            }
            op::GET => {
                let slot = self.slot()?;
                self.recall(slot)?;
            }

            op::GLOBAL => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Value::Global(global(module, name)));
            }
            op::STACK_GLOBAL => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (self.values.as_text(module), self.values.as_text(name)) {
                    (Some(module), Some(name)) => self.push(Value::Global(global(module, name))),
                    _ => return Err(contradiction()),
                }
            }
            op::BINPERSID => {
                let id = self.pop()?;
                match self.values.persistent(id) {
                    Some(id) => self.stack.push(id),
                    None => self.push(Value::Opaque),
                }
            }
            op::REDUCE | op::NEWOBJ => {
                let (args, function) = (self.pop()?, self.pop()?);
                let made = self.values.made(function, args);
                self.stack.push(made);
            }
            op::NEWOBJ_EX => {
                let (_named, args, class) = (self.pop()?, self.pop()?, self.pop()?);
                let made = self.values.made(class, args);
                self.stack.push(made);
            }
            op::BUILD => _ = self.pop()?, // attributes, such as `_metadata`, are no weights
            _ => {
                return Err(Problem::damaged(format!(
                    "its pickle has the instruction 0x{code:02x}, which weights do not need"
                )));
            }
        }
        Ok(())
    }

    // Reading the program.

    fn take(&mut self, n: usize) -> Result<&'a [u8], Problem> {
        match self.rest.split_at_checked(n) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => {
                self.rest = &[];
                Err(cut_off())
            }
        }
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
        str::from_utf8(line).map_err(|_| Problem::damaged("a name in its pickle is not UTF-8"))
    }

    fn length<const N: usize, L: TryInto<usize>>(
        &mut self,
        length: impl Fn([u8; N]) -> L,
    ) -> Result<usize, Problem> {
        length(self.bytes()?).try_into().map_err(|_| cut_off())
    }

    // Values.

    fn push(&mut self, value: Value<'a>) {
        self.stack.push(self.values.add(value));
    }

    fn push_dict(&mut self) {
        self.push(Value::Dict {
            class: None,
            entries: Vec::new(),
            pairs: None,
        });
    }

    fn skipped(&mut self, length: usize) -> Result<(), Problem> {
        self.take(length)?;
        self.push(Value::Opaque);
        Ok(())
    }

    fn blob<const N: usize, L: TryInto<usize>>(
        &mut self,
        length: impl Fn([u8; N]) -> L,
    ) -> Result<(), Problem> {
        let length = self.length(length)?;
        self.skipped(length)
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

    fn text<const N: usize, L: TryInto<usize>>(
        &mut self,
        length: impl Fn([u8; N]) -> L,
    ) -> Result<(), Problem> {
        let length = self.length(length)?;
        let text = str::from_utf8(self.take(length)?);
        self.push(text.map_or(Value::Opaque, Value::Text));
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
        let reach = &self.stack[self.floor()..];
        reach.last().copied().ok_or_else(underflow)
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

    fn append(&mut self, items: &[Id]) -> Result<(), Problem> {
        let target = self.top()?;
        if let Value::List(list) = self.values.value_mut(target) {
            list.extend(items);
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Result<(), Problem> {
        let target = self.top()?;
        let (pairs, []) = items.as_chunks() else {
            return Err(contradiction());
        };
        if let Value::Dict { entries, .. } = self.values.value_mut(target) {
            entries.extend(pairs.iter().map(|&[key, value]| (key, value)));
        }
        Ok(())
    }

    fn slot(&mut self) -> Result<u32, Problem> {
        self.line()?.parse().map_err(|_| contradiction())
    }

    fn memoize<const N: usize>(&mut self, slot: impl Fn([u8; N]) -> u32) -> Result<(), Problem> {
        let slot = slot(self.bytes()?);
        self.memo.insert(slot, self.top()?);
        Ok(())
    }

    fn recall(&mut self, slot: u32) -> Result<(), Problem> {
        let id = self.memo.get(&slot).ok_or_else(contradiction)?;
        self.stack.push(*id);
        Ok(())
    }
}

fn cut_off() -> Problem {
    Problem::damaged("its pickle is cut off")
}

fn underflow() -> Problem {
    Problem::damaged("its pickle takes more from the stack than it put there")
}
