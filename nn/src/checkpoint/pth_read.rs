//! Reading PyTorch's `.pth`: an uncompressed zip of a pickle, which describes the tensors, and one
//! raw storage per entry `data/{key}`.

use super::Problem;
use super::archive::Archive;
use super::contents::{Checkpoint, Storages};
use super::pickle::unpickle;

pub(super) fn read(bytes: &[u8]) -> Result<Checkpoint<'_>, Problem> {
    let mut archive = Archive::open(bytes)?;
    if let Some(order) = archive.entry("byteorder")?
        && order != b"little"
    {
        return Err(Problem::unsupported(
            "its numbers are big-endian; save it anew on a little-endian machine",
        ));
    }
    let object = unpickle(archive.required("data.pkl")?)?;
    let names = object.values.tensors(object.root)?;
    Ok(Checkpoint {
        names,
        storages: Storages::Zip(archive),
        metadata: Default::default(),
        length: bytes.len(),
    })
}
