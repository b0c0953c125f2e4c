//! Where a run's numbers went wrong.

use nn::{not_finite, parameters};
use tensor::Tensor;

use super::{Processes, Run, RunFolder, TrainOptions, loader};
use crate::error::Error;

impl Run {
    /// The error of a run astray, with the layer in which it began: found by going again from the last
    /// saved state up to the bad step, which gives the same bits, and looking at it. That takes as long as
    /// the steps since that state did.
    pub(super) fn explained(
        &self,
        error: Error,
        options: &TrainOptions,
        folder: &RunFolder,
    ) -> Error {
        let Error::Diverged {
            iteration,
            lr,
            place,
        } = error
        else {
            return error;
        };
        // The steps of several processes are not those of one.
        let layer = match options.processes.count() {
            1 => self.layer(iteration, options, folder),
            _ => None,
        };
        let layer = layer.unwrap_or_default();
        let place = format!("{place}{layer}");
        Error::Diverged {
            iteration,
            lr,
            place,
        }
    }

    /// Where the numbers of step `bad` are first none, as a clause; None where it cannot be found out.
    fn layer(&self, bad: u64, options: &TrainOptions, folder: &RunFolder) -> Option<String> {
        let recipe = &options.recipe;
        let device = self.net.device();
        let (mut again, _) = Run::resume(device, recipe.scale, folder.path()).ok()?;
        again.progress().rollbacks = self.rollbacks(); // which the rate follows
        let alone = Processes::alone();
        let mut batches = loader(options, &alone, again.iteration()).ok()?;
        while again.iteration() + 1 < bad {
            again.step(&batches.next()?.ok()?, recipe, &alone).ok()?;
        }
        let of = |run: &Run| not_finite(&run.net).ok()?;
        if let Some(found) = of(&again) {
            return Some(format!("; it began with {found}"));
        }
        let loss = again.loss(&batches.next()?.ok()?, recipe);
        let forward = loss.item().ok()?;
        loss.backward();
        match of(&again) {
            _ if !forward.is_finite() => again.largest(),
            Some(found) => Some(format!("; it began with {found}")),
            None => Some("; the step was too large for the weights".to_owned()),
        }
    }

    /// Of a forward pass that overflowed, the largest weight: where that is, numbers grew.
    fn largest(&self) -> Option<String> {
        let parameters = parameters(&self.net);
        let values: Vec<_> = parameters.iter().map(|(_, p)| p.value().clone()).collect();
        let rows = Tensor::to_vecs(&values.iter().collect::<Vec<_>>()).ok()?;
        let largest = |row: &Vec<f32>| row.iter().fold(0.0, |most: f32, w| most.max(w.abs()));
        let of_each = parameters.iter().zip(rows.iter().map(largest));
        let ((name, _), weight) = of_each.max_by(|a, b| a.1.total_cmp(&b.1))?;
        Some(format!(
            "; it began in the forward pass, where the largest weight is {weight:.1e}, in `{name}`"
        ))
    }
}
