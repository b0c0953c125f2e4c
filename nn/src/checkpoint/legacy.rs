//! Reading PyTorch's format from before version 1.6: a pickled magic number, version and facts of
//! the machine, the pickle of the object, a pickled list of keys, and the storages in its order.

use std::collections::HashMap;

use super::Problem;
use super::contents::{Checkpoint, Storages};
use super::pickle::{Unpickled, unpickle};
use super::value::{Arena, Id, Value};
use super::view::{Element, Storage};

/// 0x1950a86a20f9469cfc6c as a pickle has it, behind its header.
const MAGIC: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// Whether a file that starts so is of this format. (Newer protocols put a frame before the number.)
pub(super) fn is_legacy(head: &[u8]) -> bool {
    head.first() == Some(&0x80)
        && [2, 11]
            .iter()
            .any(|&at| head.get(at..).is_some_and(|rest| rest.starts_with(MAGIC)))
}

pub(super) fn read(bytes: &[u8]) -> Result<Checkpoint<'_>, Problem> {
    let magic = unpickle(bytes)?;
    let version = unpickle(magic.rest)?;
    let machine = unpickle(version.rest)?;
    let object = unpickle(machine.rest)?;
    let keys = unpickle(object.rest)?;
    Ok(Checkpoint {
        names: object.values.tensors(object.root)?,
        storages: Storages::Slices(storages(&object.values, &keys)?),
        metadata: Default::default(),
        length: bytes.len(),
    })
}

/// Each storage: its count of elements in 8 bytes, then these.
fn storages<'a>(
    object: &Arena<'a>,
    keys: &Unpickled<'a>,
) -> Result<HashMap<String, &'a [u8]>, Problem> {
    let described: HashMap<_, Storage> = object.storages().map(|s| (s.key.clone(), s)).collect();
    let mut rest = keys.rest;
    let mut found = HashMap::new();
    for &id in order(&keys.values, keys.root)? {
        let key = keys.values.as_text(id).unwrap_or_default();
        let Some(storage) = described.get(key) else {
            return Err(Problem::damaged("it has a storage that no array speaks of"));
        };
        let size = storage
            .element
            .size()
            .ok_or_else(|| unknown(storage.element))?;
        let content = take(&mut rest, 8)
            .and_then(|count| usize::try_from(u64::from_le_bytes(count.try_into().ok()?)).ok())
            .and_then(|count| take(&mut rest, count.checked_mul(size)?))
            .ok_or_else(|| Problem::damaged("its storages are cut off"))?;
        found.insert(key.to_owned(), content);
    }
    match rest {
        [] => Ok(found),
        _ => Err(Problem::damaged(format!(
            "{} bytes follow its storages",
            rest.len()
        ))),
    }
}

fn order<'s>(values: &'s Arena, root: Id) -> Result<&'s [Id], Problem> {
    match values.value(root) {
        Value::List(keys) => Ok(keys),
        _ => Err(Problem::damaged("it does not list its storages")),
    }
}

fn unknown(element: Element) -> Problem {
    Problem::unsupported(format!(
        "it has storages of a kind that is not read ({element:?}); \
         load it in PyTorch and save the weights anew with torch.save(weights, path)"
    ))
}

fn take<'a>(rest: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(n)?;
    *rest = after;
    Some(taken)
}
