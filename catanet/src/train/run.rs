//! A run: the network, its optimiser, and what of both is saved.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use autograd::Var;
use nn::checkpoint::{
    CheckpointError, Data, Precision, StateDict, load, save_pth, save_safetensors,
};
use nn::{Adam, Ema, load_state_dict, parameters, state_dict};
use serde::{Deserialize, Serialize};
use tensor::{Device, Tensor};

use super::folder::{RunFolder, best_file, state_at, states, weights_file, weights_named};
use super::{Processes, Recipe, TrainOptions};
use crate::data::{Batch, Origin};
use crate::error::{Error, Result};
use crate::model::{CATANet, Mode};

/// More steps than this are a damaged number: a step a microsecond for thirty years.
const MOST_STEPS: u64 = 1_000_000_000_000_000;

/// A run: the network, its optimiser, and how many steps they have seen.
pub struct Run {
    /// The network, trained in place.
    pub net: CATANet,
    adam: Adam,
    average: Option<Ema>,
    progress: Progress,
    recipe: Option<Recipe>,
    home: Option<PathBuf>, // the folder whose files are this run's own
    saved: Option<u64>,    // steps of its newest whole state there
    goes_back: bool,       // newer states there are of steps that are done again
}

/// Where a run stands, beside its numbers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Steps done.
    #[serde(skip)]
    pub iteration: u64,
    /// How often it went back to a saved state, with half the rate from there on.
    pub rollbacks: u32,
    /// The best PSNR in validation so far, and after how many steps.
    pub best: Option<(f64, u64)>,
}

impl Run {
    /// A run at its start, from fresh weights or from those that `net` already has.
    pub fn new(net: CATANet, recipe: &Recipe) -> Run {
        let average = recipe.ema.map(|decay| Ema::new(parameters(&net), decay));
        Run {
            adam: Adam::new(parameters(&net), recipe.optimiser.into()),
            average,
            net,
            progress: Progress::default(),
            recipe: None,
            home: None,
            saved: None,
            goes_back: false,
        }
    }

    /// The run that was saved in the folder `out`, as it was when its newest whole state was written;
    /// and what is wrong with newer states, a sentence each.
    ///
    /// # Errors
    /// There is none, all are damaged, or it is of another scale.
    pub fn resume(device: &Device, scale: usize, out: &Path) -> Result<(Run, Vec<String>)> {
        let mut faults = Vec::new();
        let mut first = None;
        for path in states(out) {
            match Run::read(device, scale, &path) {
                Ok(mut run) => {
                    run.home = Some(out.to_path_buf());
                    run.saved = Some(run.iteration());
                    return Ok((run, faults));
                }
                Err(error) => {
                    faults.push(error.to_string());
                    first.get_or_insert(error);
                }
            }
        }
        Err(first.unwrap_or(Error::NoRun {
            path: out.join("training_states"),
        }))
    }

    /// The run that is saved in this state; its folder is that which the state's folder is in.
    ///
    /// # Errors
    /// It is damaged, or of another scale.
    pub fn from_state(device: &Device, scale: usize, path: &Path) -> Result<Run> {
        let mut run = Run::read(device, scale, path)?;
        let folder = path.parent().and_then(Path::parent);
        run.home = folder.map(Path::to_path_buf);
        run.saved = Some(run.iteration());
        run.goes_back = true;
        Ok(run)
    }

    fn read(device: &Device, scale: usize, path: &Path) -> Result<Run> {
        let at = |source: nn::Error| Error::WrongRun {
            path: path.to_owned(),
            source,
        };
        let wrong = |problem: String| at(nn::Error::Mismatch(problem));
        let file = load(path).map_err(nn::Error::from)?;
        if !file.arrays.values().all(|array| is_finite(&array.data)) {
            return Err(wrong("it holds numbers that are none".to_owned()));
        }
        let recipe = Recipe::stored(&file.metadata).map_err(wrong)?;
        let mut parts = ["net.", "ema.", ""].map(|prefix| (prefix, StateDict::default()));
        for (name, array) in file.arrays {
            let (prefix, part) = parts
                .iter_mut()
                .find(|(prefix, _)| name.starts_with(*prefix))
                .expect("every name begins with nothing");
            // The average's names are whole ones; the network's are its own.
            let name = match *prefix {
                "net." => name[prefix.len()..].to_owned(),
                _ => name,
            };
            part.arrays.insert(name, array);
        }
        let [(_, weights), (_, average), (_, mut optimiser)] = parts;
        let progress = match file.metadata.get("progress") {
            Some(json) => serde_json::from_str(json)
                .map_err(|e| wrong(format!("its progress is damaged: {e}")))?,
            None => Progress::default(),
        };
        optimiser.metadata = file.metadata;
        let net = CATANet::new(device, scale, 0);
        load_state_dict(&net, &weights, |_| true).map_err(at)?;
        let fallback = Recipe::small(scale, 1);
        let mut run = Run::new(net, recipe.as_ref().unwrap_or(&fallback));
        run.adam.load_state_dict(&optimiser).map_err(at)?;
        if let Some(of) = &mut run.average {
            of.load_state_dict(&average).map_err(at)?;
        }
        run.recipe = recipe;
        run.progress = progress;
        run.progress.iteration = run.adam.steps();
        if run.progress.rollbacks > super::ROLLBACKS || run.iteration() > MOST_STEPS {
            return Err(wrong(
                "its progress is damaged: no run comes that far".to_owned(),
            ));
        }
        Ok(run)
    }

    /// The recipe that a resumed run was last saved with.
    pub fn recipe(&self) -> Option<&Recipe> {
        self.recipe.as_ref()
    }

    /// Steps done.
    pub fn iteration(&self) -> u64 {
        self.progress.iteration
    }

    pub(super) fn rollbacks(&self) -> u32 {
        self.progress.rollbacks
    }

    pub(super) fn progress(&mut self) -> &mut Progress {
        &mut self.progress
    }

    /// The rate of the next step.
    pub(super) fn lr(&self, recipe: &Recipe) -> f64 {
        self.rate(recipe, self.progress.iteration)
    }

    fn rate(&self, recipe: &Recipe, done: u64) -> f64 {
        recipe.schedule.lr(done) * 0.5f64.powi(self.progress.rollbacks as i32)
    }

    /// One step on one batch: forward, loss, backward, Adam. With one process nothing is read back.
    /// Returns the loss, one number: that of the whole batch, which several processes share.
    ///
    /// # Errors
    /// The device failed, where several processes exchange their gradients.
    pub fn step(
        &mut self,
        batch: &Batch,
        recipe: &Recipe,
        processes: &Processes,
    ) -> Result<Tensor> {
        self.adam.set_lr(self.lr(recipe));
        let loss = self.loss(batch, recipe);
        loss.backward();
        processes.exchange(loss.value(), &self.adam, &self.net)?;
        if let Some(norm) = recipe.clip {
            self.adam.clip(norm);
        }
        self.adam.step();
        if let Some(average) = &self.average {
            average.update();
        }
        self.progress.iteration += 1;
        Ok(loss.value().clone())
    }

    /// The loss of one batch.
    pub(super) fn loss(&self, batch: &Batch, recipe: &Recipe) -> Var {
        let device = self.net.device();
        let [lq, gt] = [&batch.lq, &batch.gt].map(|crops| Var::constant(crops.to_tensor(device)));
        recipe.loss.of(&self.net.forward(&lq, Mode::Train), &gt)
    }

    /// Calls `f` with the network as it is to be judged and saved: with averaged weights, if the
    /// recipe asks for an average. Afterwards it has the very bits of before.
    pub(super) fn judged<T>(&mut self, f: impl FnOnce(&CATANet) -> T) -> T {
        let Some(average) = &mut self.average else {
            return f(&self.net);
        };
        average.swap();
        let result = f(&self.net);
        average.swap();
        result
    }

    /// What a run takes on the disk at least, about, in bytes: two states (weights, two moments, perhaps an
    /// average) and the weights by themselves, the newest and the best.
    pub(super) fn bytes(&self) -> u64 {
        let numbers: usize = parameters(&self.net)
            .iter()
            .map(|(_, p)| p.value().len())
            .sum();
        let copies = 3 + usize::from(self.average.is_some());
        (2 * (copies + 1) * numbers * size_of::<f32>()) as u64
    }

    /// Writes the run into its folder: the state first, then the weights.
    ///
    /// # Errors
    /// The device failed, a number is no longer finite (then nothing is written), or a file cannot
    /// be written.
    pub fn save(&mut self, folder: &RunFolder, options: &TrainOptions) -> Result<()> {
        if !folder.is_written() {
            return Ok(());
        }
        let out = folder.path();
        let mut weights = state_dict(&self.net)?;
        let mut state = self.adam.state_dict().map_err(nn::Error::from)?;
        let named = weights.arrays.iter();
        let named = named.map(|(name, array)| (format!("net.{name}"), array.clone()));
        state.arrays.extend(named);
        if let Some(average) = &self.average {
            let average = average.state_dict().map_err(nn::Error::from)?;
            state.arrays.extend(average.arrays);
            weights = self.judged(|net| state_dict(net))?;
        }
        if !state.arrays.values().all(|array| is_finite(&array.data)) {
            return Err(self.diverged_at(&options.recipe, self.iteration(), &[]));
        }
        options.recipe.store(&mut state.metadata);
        let progress = serde_json::to_string(&self.progress).expect("numbers have a JSON form");
        state.metadata.insert("progress".to_owned(), progress);
        let path = state_at(out, self.iteration());
        written(save_safetensors(&path, &state, Precision::F32)).or_else(|error| {
            // On a full disk the older state makes room for the new one.
            match folder.drop_older_states() {
                true => written(save_safetensors(&path, &state, Precision::F32)),
                false => Err(error),
            }
        })?;
        self.home = Some(out.to_path_buf());
        self.saved = Some(self.iteration());
        folder.thin_states(self.iteration(), std::mem::take(&mut self.goes_back));
        let written = |weights| self.write_weights(&weights_file(out), weights, options);
        written(weights.clone()).or_else(|error| match folder.drop_older_states() {
            true => written(weights),
            false => Err(error),
        })
    }

    /// Writes the newest weights once more: a run may have been cut off between its state and them.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn save_latest(&mut self, folder: &RunFolder, options: &TrainOptions) -> Result<()> {
        if !folder.is_written() {
            return Ok(());
        }
        let weights = self.judged(|net| state_dict(net))?;
        self.write_weights(&weights_file(folder.path()), weights, options)
    }

    /// Writes the weights alone: as the best so far, or under their number.
    pub(super) fn save_weights(
        &mut self,
        folder: &RunFolder,
        options: &TrainOptions,
        best: bool,
    ) -> Result<()> {
        if !folder.is_written() {
            return Ok(());
        }
        let weights = self.judged(|net| state_dict(net))?;
        let path = match best {
            true => best_file(folder.path()),
            false => weights_named(folder.path(), &self.iteration().to_string()),
        };
        self.write_weights(&path, weights, options)
    }

    fn write_weights(
        &self,
        path: &Path,
        mut weights: StateDict,
        options: &TrainOptions,
    ) -> Result<()> {
        if !weights.arrays.values().all(|array| is_finite(&array.data)) {
            return Err(self.diverged_at(&options.recipe, self.iteration(), &[]));
        }
        weights.metadata = options.notes.iter().cloned().collect();
        let notes = [
            ("scale", self.net.scale().to_string()),
            ("iterations", self.iteration().to_string()),
            ("seed", options.recipe.seed.to_string()),
        ];
        let notes = notes.map(|(key, value)| (key.to_owned(), value));
        weights.metadata.extend(notes);
        written(save_safetensors(path, &weights, Precision::F32))?;
        if options.pth {
            written(save_pth(path.with_extension("pth"), &weights))?;
        }
        Ok(())
    }

    /// The error of a run whose numbers are none after step `step`, which learnt from these images.
    pub(super) fn diverged_at(&self, recipe: &Recipe, step: u64, origins: &[Origin]) -> Error {
        let names: BTreeSet<_> = origins.iter().map(ToString::to_string).collect();
        let place = match names.is_empty() {
            true => String::new(),
            false => format!(", on {}", Vec::from_iter(names).join(", ")),
        };
        Error::Diverged {
            iteration: step,
            lr: self.rate(recipe, step.saturating_sub(1)),
            place,
        }
    }

    /// Whether this run's files are in that folder, however it is named.
    pub(super) fn is_of(&self, folder: &Path) -> bool {
        let same = |home: &PathBuf| match (home.canonicalize(), folder.canonicalize()) {
            (Ok(home), Ok(folder)) => home == folder,
            _ => home == folder,
        };
        self.home.as_ref().is_some_and(same)
    }

    /// Goes back to the newest state in its folder, with half the rate from there on. Returns what to tell.
    pub(super) fn roll_back(&mut self, error: &Error) -> Result<String> {
        let folder = self.home.clone().unwrap_or_default();
        let rollbacks = self.progress.rollbacks + 1;
        let (mut run, _) = Run::resume(self.net.device(), self.net.scale(), &folder)?;
        run.progress.rollbacks = rollbacks;
        run.net.recompute_activations(self.net.recomputes());
        *self = run;
        Ok(format!(
            "{error}; going back to iteration {} with half the learning rate ({rollbacks} of at most {})",
            self.iteration(),
            super::ROLLBACKS
        ))
    }

    /// The steps of the newest state that this run wrote to its folder or was read from there.
    pub(super) fn saved(&self) -> Option<u64> {
        self.saved
    }
}

fn written(result: std::result::Result<(), CheckpointError>) -> Result<()> {
    Ok(result.map_err(nn::Error::from)?)
}

fn is_finite(data: &Data) -> bool {
    match data {
        Data::F32(values) => values.iter().all(|v| v.is_finite()),
        _ => true,
    }
}
