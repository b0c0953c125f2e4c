//! The training loop: L1 loss, Adam, a schedule; saved so that no run is lost.
//!
//! A run leaves two files in its folder, under BasicSR's names: `models/net_g_latest.safetensors`,
//! the weights, and `training_states/latest.safetensors`, weights and optimiser together, which
//! [`train`] goes on from to the bit. Both are replaced whole, never half-written.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use autograd::Var;
use nn::checkpoint::{Precision, StateDict, load, save_safetensors};
use nn::{Adam, AdamOptions, Schedule, l1_loss, load_state_dict, parameters, state_dict};
use tensor::{Device, Tensor};

use crate::data::{Batch, Loader, LoaderOptions, Source};
use crate::error::{Error, Result};
use crate::model::{CATANet, MIN_SIDE, Mode};

/// Everything that a run follows from.
#[derive(Debug, Clone)]
pub struct TrainOptions {
    /// The factor to learn.
    pub scale: usize,
    /// Where images come from.
    pub source: Source,
    /// Steps, those of earlier sittings included.
    pub iterations: u64,
    /// Pairs in a step.
    pub batch: usize,
    /// Side of the low-resolution crop, at least [`MIN_SIDE`].
    pub patch: usize,
    /// The learning rate over the steps.
    pub schedule: Schedule,
    /// Weights, order, crops and scenes follow from it.
    pub seed: u64,
    /// The run's folder.
    pub out: PathBuf,
    /// Steps between two reports; only then is the loss read back.
    pub report_every: u64,
    /// How often the run is saved; it is at its end in any case.
    pub save_every: Duration,
    /// Notes that travel with the weights (what they were trained on, say).
    pub notes: Vec<(String, String)>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    /// Steps done.
    pub iteration: u64,
    /// The last step's loss.
    pub loss: f32,
    /// The last step's learning rate.
    pub lr: f64,
    /// Pairs a second since the last report.
    pub images_per_second: f64,
}

/// A run: the network, its optimiser, and how many steps they have seen.
pub struct Run {
    /// The network, trained in place.
    pub net: CATANet,
    adam: Adam,
    iteration: u64,
}

/// The file in a run's folder that it goes on from.
pub fn state_file(out: &Path) -> PathBuf {
    out.join("training_states").join("latest.safetensors")
}

/// The file in a run's folder that holds its newest weights.
pub fn weights_file(out: &Path) -> PathBuf {
    out.join("models").join("net_g_latest.safetensors")
}

impl Run {
    /// A run at its start, from fresh weights or from those that `net` already has.
    pub fn new(net: CATANet) -> Run {
        let options = AdamOptions {
            lr: 0.0,
            betas: (0.9, 0.99),
            eps: 1e-8,
            weight_decay: 0.0,
        };
        Run {
            adam: Adam::new(parameters(&net), options),
            net,
            iteration: 0,
        }
    }

    /// The run that was saved in the folder `out`.
    ///
    /// # Errors
    /// There is none, it is damaged, or it is of another scale.
    pub fn resume(device: &Device, scale: usize, out: &Path) -> Result<Run> {
        let path = state_file(out);
        if !path.is_file() {
            return Err(Error::NoRun { path });
        }
        let file = load(&path).map_err(nn::Error::from)?;
        let (mut weights, mut optimiser) = (StateDict::default(), StateDict::default());
        optimiser.metadata = file.metadata.clone();
        for (name, array) in file.arrays {
            match name.strip_prefix("net.") {
                Some(name) => weights.arrays.insert(name.to_owned(), array),
                None => optimiser.arrays.insert(name, array),
            };
        }
        let mut run = Run::new(CATANet::new(device, scale, 0));
        let at = |source: nn::Error| Error::WrongRun {
            path: path.clone(),
            source,
        };
        load_state_dict(&run.net, &weights, |_| true).map_err(at)?;
        run.adam.load_state_dict(&optimiser).map_err(at)?;
        run.iteration = run.adam.steps();
        Ok(run)
    }

    /// Steps done.
    pub fn iteration(&self) -> u64 {
        self.iteration
    }

    /// One step on one batch: forward, loss, backward, Adam. Nothing is read back.
    /// Returns the loss, one number.
    pub fn step(&mut self, device: &Device, batch: &Batch, patch: usize, lr: f64) -> Var {
        let s = self.net.scale();
        let count = batch.lq.len() / (patch * patch * 3);
        let image =
            |data: &[f32], side| Var::constant(Tensor::new(device, data, &[count, side, side, 3]));
        let output = self.net.forward(&image(&batch.lq, patch), Mode::Train);
        let loss = l1_loss(&output, &image(&batch.gt, patch * s));
        loss.backward();
        self.adam.set_lr(lr);
        self.adam.step();
        self.iteration += 1;
        loss
    }

    /// Writes the run into the folder `out`, the weights last.
    ///
    /// # Errors
    /// The device failed, or a file cannot be written.
    pub fn save(&self, options: &TrainOptions) -> Result<()> {
        let mut weights = state_dict(&self.net)?;
        weights.metadata = options.notes.iter().cloned().collect();
        weights
            .metadata
            .insert("scale".to_owned(), self.net.scale().to_string());
        weights
            .metadata
            .insert("iterations".to_owned(), self.iteration.to_string());
        weights
            .metadata
            .insert("seed".to_owned(), options.seed.to_string());
        let mut state = self.adam.state_dict().map_err(nn::Error::from)?;
        let named = weights
            .arrays
            .iter()
            .map(|(name, array)| (format!("net.{name}"), array.clone()));
        state.arrays.extend(named);
        for (path, dict) in [
            (state_file(&options.out), &state),
            (weights_file(&options.out), &weights),
        ] {
            create_parent(&path)?;
            save_safetensors(&path, dict, Precision::F32).map_err(nn::Error::from)?;
        }
        Ok(())
    }
}

fn create_parent(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(|source| Error::UnwritableFile {
        path: parent.to_path_buf(),
        source,
    })
}

/// Trains `run` up to `options.iterations`, reporting on the way, and saves it.
///
/// The same options give the same bits, in one sitting or several.
///
/// # Errors
/// Images that cannot be read, files that cannot be written, a device that fails, or a loss that
/// is no longer a number; the last saved state stays as it was.
pub fn train(
    device: &Device,
    run: &mut Run,
    options: &TrainOptions,
    mut observe: impl FnMut(&Report),
) -> Result<()> {
    if options.patch < MIN_SIDE {
        return Err(Error::SmallPatch {
            patch: options.patch,
            needed: MIN_SIDE,
        });
    }
    create_parent(&weights_file(&options.out))?; // rather now than after an hour
    let loader = LoaderOptions {
        scale: options.scale,
        patch: options.patch,
        batch: options.batch,
        seed: options.seed,
        workers: LoaderOptions::spare_threads(),
        cache_bytes: LoaderOptions::CACHE_BYTES,
    };
    let mut batches = Loader::new(options.source.clone(), loader, run.iteration)?;
    let mut saved = Instant::now();
    let mut reported = (Instant::now(), run.iteration);
    while run.iteration < options.iterations {
        let Some(batch) = batches.next() else { break };
        let lr = options.schedule.lr(run.iteration);
        let loss = run.step(device, &batch?, options.patch, lr);
        let done = run.iteration == options.iterations;
        if !done && !run.iteration.is_multiple_of(options.report_every) {
            continue;
        }
        let loss = loss.item().map_err(nn::Error::from)?;
        if !loss.is_finite() {
            return Err(Error::Diverged {
                iteration: run.iteration,
                lr,
            });
        }
        let images = (run.iteration - reported.1) * options.batch as u64;
        let images_per_second = images as f64 / reported.0.elapsed().as_secs_f64();
        observe(&Report {
            iteration: run.iteration,
            loss,
            lr,
            images_per_second,
        });
        reported = (Instant::now(), run.iteration);
        if done || saved.elapsed() >= options.save_every {
            run.save(options)?;
            saved = Instant::now();
        }
    }
    Ok(())
}
