//! From a WGSL file to work: facts about the device, the table of tiles, the passes over the source,
//! and the one way to launch a kernel.

pub(crate) mod launch;
pub(crate) mod packed;
pub(crate) mod pipelines;
pub(crate) mod spare_rounds;
pub(crate) mod target;
pub(crate) mod team;
pub(crate) mod tiles;
pub(crate) mod uniform;
pub(crate) mod uses;
pub(crate) mod wgsl;
