//! Several processes that train one network, each on its share of every batch (`--features mpi`).
//!
//! After the backward pass one all-reduce carries everything that processes tell each other, as one row of
//! numbers: the gradients, whose mean each process steps by, and the loss; the token centres, which all take
//! from the first (its share of the batch moves them, as the published recipe has it); and whether somebody is
//! asked to stop, so that all stop after the same step. Meanwhile the threads of the loader make the next
//! batches.
//!
//! The sums run in an order that follows from the number of processes alone, so a run with as many gives the
//! same bits again. A mean of two equal numbers is that number: two processes with the same crops give the bits of
//! one.

use std::cell::Cell;
#[cfg(feature = "mpi")]
use std::sync::Arc;

#[cfg(feature = "mpi")]
use mpi::{collective::SystemOperation, environment::Universe, traits::*};
use nn::checkpoint::Data;
use nn::{Adam, Module, State};
use tensor::Tensor;

use crate::error::{Error, Result};
use crate::model::CATANet;

/// The processes of a run, seen from one of them.
#[derive(Clone, Default)]
pub struct Processes {
    #[cfg(feature = "mpi")]
    universe: Option<Arc<Universe>>,
    asked: Cell<bool>, // that of this process, then that of all
}

impl Processes {
    /// One process and no other.
    pub fn alone() -> Processes {
        Processes::default()
    }

    /// Those that `mpirun` started together; None where MPI was begun before in this process.
    ///
    /// It has to be called once, by the main thread, which makes all calls that follow.
    #[cfg(feature = "mpi")]
    pub fn connected() -> Option<Processes> {
        Some(Processes {
            universe: Some(Arc::new(mpi::initialize()?)),
            asked: Cell::new(false),
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        #[cfg(feature = "mpi")]
        if let Some(universe) = &self.universe {
            return universe.world().size() as usize;
        }
        1
    }

    /// Which of them this is, from 0.
    pub fn rank(&self) -> usize {
        #[cfg(feature = "mpi")]
        if let Some(universe) = &self.universe {
            return universe.world().rank() as usize;
        }
        0
    }

    /// Whether this is the one that validates, writes and tells.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// Fails where processes begin with other steps or weights than this one: each would train a network of its
    /// own. All of them wait for each other here.
    pub(super) fn check_alike(&self, iteration: u64, net: &CATANet) -> Result<()> {
        if self.count() == 1 {
            return Ok(());
        }
        let mut sum = crc32fast::Hasher::new();
        sum.update(&iteration.to_le_bytes());
        for array in nn::state_dict(net)?.arrays.values() {
            if let Data::F32(values) = &array.data {
                values.iter().for_each(|v| sum.update(&v.to_le_bytes()));
            }
        }
        match self.alike(sum.finalize()) {
            true => Ok(()),
            false => Err(Error::UnlikeProcesses),
        }
    }

    /// Whether all have the same number.
    fn alike(&self, number: u32) -> bool {
        // Halves are sums that a float holds exactly, for up to 256 processes.
        let halves = [number >> 16, number & 0xffff].map(|half| half as f32);
        let sums = self.sum(halves.to_vec());
        let count = self.count() as f32;
        sums.iter()
            .zip(halves)
            .all(|(sum, half)| *sum == half * count)
    }

    /// Ends all processes at once, where there are several: one that is gone would be waited for for ever.
    pub fn abort(&self) {
        #[cfg(feature = "mpi")]
        if let Some(universe) = &self.universe
            && self.count() > 1
        {
            universe.world().abort(1);
        }
    }

    /// Notes whether this process is asked to stop; the next exchange tells the others.
    pub(super) fn ask(&self, stop: bool) {
        self.asked.set(stop);
    }

    /// Whether all stop after this step.
    pub(super) fn asked(&self) -> bool {
        self.asked.get()
    }

    /// Between the backward pass and the step: the loss and the gradients become their means over all
    /// processes, and centres those of the first.
    ///
    /// # Errors
    /// The device failed.
    pub(super) fn exchange(&self, loss: &Tensor, adam: &Adam, net: &CATANet) -> Result<()> {
        if self.count() == 1 {
            return Ok(());
        }
        let mut means = adam.gradient_rows();
        means.push(loss.clone());
        let mut centres = Vec::new();
        net.visit("", &mut |_, state| {
            if let State::Buffer(buffer) = state {
                centres.push(buffer.clone());
            }
        });
        let tensors: Vec<&Tensor> = means.iter().chain(&centres).collect();
        let mut rows = Tensor::to_vecs(&tensors).map_err(nn::Error::from)?;
        if !self.is_first() {
            rows[means.len()..].iter_mut().for_each(|row| row.fill(0.0));
        }
        let mut all = rows.concat();
        all.push(f32::from(u8::from(self.asked())));
        let all = self.sum(all);
        self.asked.set(all.last().is_some_and(|asked| *asked > 0.0));
        let mut rest = &all[..];
        for (i, tensor) in tensors.iter().enumerate() {
            let (row, behind) = rest.split_at(tensor.len());
            rest = behind;
            match i < means.len() {
                true => {
                    let count = self.count() as f32;
                    tensor.set(&row.iter().map(|sum| sum / count).collect::<Vec<_>>());
                }
                false => tensor.set(row),
            }
        }
        Ok(())
    }

    /// The sum of a row over all processes.
    fn sum(&self, row: Vec<f32>) -> Vec<f32> {
        #[cfg(feature = "mpi")]
        if let Some(universe) = &self.universe {
            let mut sum = vec![0.0; row.len()];
            let world = universe.world();
            world.all_reduce_into(&row[..], &mut sum[..], SystemOperation::sum());
            return sum;
        }
        row
    }
}
