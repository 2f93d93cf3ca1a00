//! Python's pickle, as far as a `state_dict` needs it (protocols 0 to 4, PEP 307 and 3154; Python 2's strings are bytes, which are taken
//! for Latin-1 where they are no UTF-8). Nothing is ever called: only
//! dictionaries, tensors and their storages are understood, everything else stays an opaque value.

use crate::error::{StateDictError, ensure};
use std::collections::BTreeMap;

/// What the reader of a `state_dict` gives.
pub(super) type Result<T, E = StateDictError> = std::result::Result<T, E>;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Anything that weights do not need.
    Opaque,
    /// An integer; long ones that do not fit are opaque.
    Integer(i64),
    /// A string.
    Text(String),
    /// A tuple or list.
    Sequence(Vec<Value>),
    /// A dictionary in its order.
    Dictionary(Vec<(Value, Value)>),
    /// A class or function by module and name.
    Global(String),
    /// A storage: element type, key, number of elements.
    Storage(String, String, i64),
    /// A tensor in a storage.
    Tensor(TensorValue),
}

/// A tensor's place in its storage, in elements.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TensorValue {
    pub(super) element: String,
    pub(super) key: String,
    pub(super) offset: i64,
    pub(super) size: Vec<i64>,
    pub(super) stride: Vec<i64>,
}

/// Reads one pickle from the front of `bytes` and gives what follows it, too.
pub(super) fn read(bytes: &[u8]) -> Result<(Value, &[u8])> {
    let mut machine = Machine { rest: bytes, stack: Vec::new(), marks: Vec::new(), memo: BTreeMap::new() };
    while !machine.step()? {}
    let value = machine.pop()?;
    Ok((value, machine.rest))
}

struct Machine<'a> {
    rest: &'a [u8],
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: BTreeMap<u32, Value>,
}

impl<'a> Machine<'a> {
    /// Takes one instruction; true where it was the last.
    fn step(&mut self) -> Result<bool> {
        let operation = self.take(1)?[0];
        match operation {
            b'.' => return Ok(true),
            b'I' | b'L' | b'F' | b'S' | b'V' | b'p' | b'g' | b'P' => self.step_of_text(operation)?,
            b'0' => drop(self.pop()?),
            b'1' => drop(self.since_mark()?),
            b'2' => {
                let value = self.stack.last().cloned().ok_or("a short stack")?;
                self.push(value);
            }
            b'd' => {
                let items = self.since_mark()?;
                self.push(Value::Dictionary(Vec::new()));
                self.extend(items)?;
            }
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'}' => self.push(Value::Dictionary(Vec::new())),
            b']' | b')' => self.push(Value::Sequence(Vec::new())),
            b'N' | 0x88 | 0x89 => self.push(Value::Opaque),
            b'K' => {
                let value = i64::from(self.take(1)?[0]);
                self.push(Value::Integer(value));
            }
            b'M' => {
                let value = i64::from(u16::from_le_bytes(self.array()?));
                self.push(Value::Integer(value));
            }
            b'J' => {
                let value = i64::from(i32::from_le_bytes(self.array()?));
                self.push(Value::Integer(value));
            }
            0x8a => {
                let length = usize::from(self.take(1)?[0]);
                let bytes = self.take(length)?;
                self.push(long(bytes));
            }
            b'G' => {
                self.take(8)?;
                self.push(Value::Opaque);
            }
            0x8b => {
                let length = u32::from_le_bytes(self.array()?) as usize;
                let bytes = self.take(length)?;
                self.push(long(bytes));
            }
            b'X' | b'T' => {
                let length = u32::from_le_bytes(self.array()?) as usize;
                self.text(length)?;
            }
            b'B' => {
                let length = u32::from_le_bytes(self.array()?) as usize;
                self.take(length)?;
                self.push(Value::Opaque);
            }
            b'C' => {
                let length = usize::from(self.take(1)?[0]);
                self.take(length)?;
                self.push(Value::Opaque);
            }
            0x8c | b'U' => {
                let length = usize::from(self.take(1)?[0]);
                self.text(length)?;
            }
            b'q' => {
                let at = u32::from(self.take(1)?[0]);
                self.remember(at)?;
            }
            b'r' => {
                let at = u32::from_le_bytes(self.array()?);
                self.remember(at)?;
            }
            0x94 => self.remember(self.memo.len() as u32)?,
            b'h' => {
                let at = u32::from(self.take(1)?[0]);
                self.recall(at)?;
            }
            b'j' => {
                let at = u32::from_le_bytes(self.array()?);
                self.recall(at)?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Value::Global(format!("{module}.{name}")));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(name), Value::Text(module)) = (name, module) else {
                    return Err("a global without a name".into());
                };
                self.push(Value::Global(format!("{module}.{name}")));
            }
            b't' | b'l' => {
                let items = self.since_mark()?;
                self.push(Value::Sequence(items));
            }
            0x85..=0x87 => {
                let start = self.stack.len().checked_sub(usize::from(operation - 0x84)).ok_or("a short stack")?;
                let items = self.stack.split_off(start);
                self.push(Value::Sequence(items));
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.extend(vec![key, value])?;
            }
            b'u' => {
                let items = self.since_mark()?;
                self.extend(items)?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.since_mark()?;
                self.append(items)?;
            }
            b'Q' => {
                let identity = self.pop()?;
                self.push(storage(identity)?);
            }
            b'R' | 0x81 => {
                let (arguments, called) = (self.pop()?, self.pop()?);
                self.push(built(called, arguments)?);
            }
            b'b' => drop(self.pop()?),
            other => {
                let problem = format!("instruction 0x{other:02x} is none that a state_dict needs");
                return Err(StateDictError::Malformed(problem));
            }
        }
        Ok(false)
    }

    /// An instruction of protocol 0, whose operand is a line.
    fn step_of_text(&mut self, operation: u8) -> Result<()> {
        let line = self.line()?;
        match operation {
            // 00 and 01 are false and true.
            b'I' if matches!(line.as_str(), "00" | "01") => self.push(Value::Opaque),
            b'I' | b'L' => {
                let number = line.trim_end_matches('L').parse();
                self.push(number.map_or(Value::Opaque, Value::Integer));
            }
            b'F' => self.push(Value::Opaque),
            b'S' => {
                let quoted = line.strip_prefix(['\'', '"']).and_then(|text| text.strip_suffix(['\'', '"']));
                self.push(Value::Text(quoted.ok_or("a string without quotes")?.to_owned()));
            }
            b'V' => self.push(Value::Text(line)),
            b'p' => self.remember(line.parse().map_err(|_| "a place that is no number")?)?,
            b'g' => self.recall(line.parse().map_err(|_| "a place that is no number")?)?,
            _ => return Err(
                "a storage that is named by text, as pickle's protocol 0 does, which torch.load does not read either"
                    .into(),
            ),
        }
        Ok(())
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or("the pickle is cut off")?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk().ok_or("the pickle is cut off")?;
        self.rest = rest;
        Ok(*head)
    }

    fn line(&mut self) -> Result<String> {
        let end = self.rest.iter().position(|&byte| byte == b'\n').ok_or("the pickle is cut off")?;
        let line = std::str::from_utf8(self.take(end)?)?.to_owned();
        self.take(1)?;
        Ok(line)
    }

    fn text(&mut self, length: usize) -> Result<()> {
        let bytes = self.take(length)?;
        let latin = || bytes.iter().map(|&byte| char::from(byte)).collect();
        let text = std::str::from_utf8(bytes).map_or_else(|_| latin(), str::to_owned);
        self.push(Value::Text(text));
        Ok(())
    }

    fn push(&mut self, value: Value) {
        self.stack.push(value);
    }

    fn pop(&mut self) -> Result<Value> {
        Ok(self.stack.pop().ok_or("a short stack")?)
    }

    fn since_mark(&mut self) -> Result<Vec<Value>> {
        let start = self.marks.pop().ok_or("no mark")?;
        ensure!(start <= self.stack.len(), "a short stack".into());
        Ok(self.stack.split_off(start))
    }

    fn remember(&mut self, at: u32) -> Result<()> {
        // A container may be remembered before it is filled; nothing in a state_dict recalls one.
        let value = match self.stack.last().ok_or("a short stack")? {
            Value::Dictionary(_) => Value::Opaque,
            value => value.clone(),
        };
        self.memo.insert(at, value);
        Ok(())
    }

    fn recall(&mut self, at: u32) -> Result<()> {
        let value = self.memo.get(&at).ok_or("nothing remembered")?.clone();
        self.push(value);
        Ok(())
    }

    fn extend(&mut self, items: Vec<Value>) -> Result<()> {
        let Some(Value::Dictionary(entries)) = self.stack.last_mut() else { return Ok(()) };
        ensure!(items.len().is_multiple_of(2), "a key without a value".into());
        let mut items = items.into_iter();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            entries.push((key, value));
        }
        Ok(())
    }

    fn append(&mut self, items: Vec<Value>) -> Result<()> {
        if let Some(Value::Sequence(sequence)) = self.stack.last_mut() {
            sequence.extend(items);
        }
        Ok(())
    }
}

/// A little-endian integer in two's complement.
fn long(bytes: &[u8]) -> Value {
    if bytes.len() > 8 {
        return Value::Opaque;
    }
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut whole = [if negative { 0xff } else { 0 }; 8];
    whole[..bytes.len()].copy_from_slice(bytes);
    Value::Integer(i64::from_le_bytes(whole))
}

/// `('storage', type, key, location, elements, …)`.
fn storage(identity: Value) -> Result<Value> {
    let Value::Sequence(parts) = identity else { return Err("a storage that is no tuple".into()) };
    match parts.as_slice() {
        [Value::Text(kind), Value::Global(element), Value::Text(key), _, Value::Integer(count), ..]
            if kind == "storage" =>
        {
            Ok(Value::Storage(element.clone(), key.clone(), *count))
        }
        _ => Err("a persistent object that is no storage".into()),
    }
}

/// What a call gives, for the few callables that weights need.
fn built(called: Value, arguments: Value) -> Result<Value> {
    let (Value::Global(name), Value::Sequence(arguments)) = (called, arguments) else { return Ok(Value::Opaque) };
    match name.as_str() {
        "collections.OrderedDict" => ordered(arguments),
        "torch.Size" => Ok(arguments.into_iter().next().ok_or("a size without extents")?),
        "torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor" => {
            let [Value::Storage(element, key, _), Value::Integer(offset), size, stride, ..] = arguments.as_slice()
            else {
                return Err("a tensor without storage, offset, size and stride".into());
            };
            Ok(Value::Tensor(TensorValue {
                element: element.clone(),
                key: key.clone(),
                offset: *offset,
                size: integers(size)?,
                stride: integers(stride)?,
            }))
        }
        "torch._utils._rebuild_parameter" => Ok(arguments.into_iter().next().ok_or("a parameter without a tensor")?),
        _ => Ok(Value::Opaque),
    }
}

/// A dictionary that is empty, or, as Python 2 writes it, made of a list of its keys and values.
fn ordered(arguments: Vec<Value>) -> Result<Value> {
    let Some(Value::Sequence(items)) = arguments.into_iter().next() else { return Ok(Value::Dictionary(Vec::new())) };
    let pair = |item| -> Result<(Value, Value)> {
        let Value::Sequence(pair) = item else { return Err("an item that is no key and value".into()) };
        let [key, value]: [Value; 2] = pair.try_into().map_err(|_| "an item that is no key and value")?;
        Ok((key, value))
    };
    Ok(Value::Dictionary(items.into_iter().map(pair).collect::<Result<_>>()?))
}

fn integers(value: &Value) -> Result<Vec<i64>> {
    let Value::Sequence(items) = value else { return Err("a size that is no tuple".into()) };
    items
        .iter()
        .map(|item| if let Value::Integer(n) = item { Ok(*n) } else { Err("a size that is no integer".into()) })
        .collect()
}
