//! One of several processes that `mpirun` started: which of them, and on which adapter.

use anyhow::Result;
use catanet::train::Processes;

use crate::args::AdapterArgs;

/// Where engines of MPI say how many processes they started.
const SIZES: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS"];
/// And which of those on this machine this one is.
const LOCAL_RANKS: [&str; 3] = [
    "OMPI_COMM_WORLD_LOCAL_RANK",
    "MPI_LOCALRANKID",
    "SLURM_LOCALID",
];

fn number(names: [&str; 3]) -> Option<usize> {
    let value = |name| std::env::var(name).ok()?.parse().ok();
    names.into_iter().find_map(value)
}

/// The processes that train together: those that `mpirun` started, or this one alone.
///
/// # Errors
/// There are several, and the program was built without MPI: each would train by itself, in one folder.
pub fn connected() -> Result<Processes> {
    if number(SIZES).is_none() {
        return Ok(Processes::alone());
    }
    #[cfg(feature = "mpi")]
    return Ok(Processes::connected().unwrap_or_default());
    #[cfg(not(feature = "mpi"))]
    match number(SIZES) {
        Some(count) if count > 1 => anyhow::bail!(
            "{count} processes were started to train together, and this program was built without MPI; build \
             it with --features mpi, or start one process"
        ),
        _ => Ok(Processes::alone()),
    }
}

/// Gives each process of a machine an adapter of its own, as far as there are some, where none is named.
pub fn choose(adapter: &mut AdapterArgs, processes: &Processes) {
    if processes.count() == 1 || adapter.adapter.is_some() {
        return;
    }
    let adapters = tensor::list_adapters().into_iter().enumerate();
    let gpus: Vec<usize> = adapters
        .filter(|(_, adapter)| adapter.kind != "software")
        .map(|(i, _)| i)
        .collect();
    if !gpus.is_empty() {
        let rank = number(LOCAL_RANKS).unwrap_or_else(|| processes.rank());
        adapter.adapter = Some(gpus[rank % gpus.len()].to_string());
    }
}
