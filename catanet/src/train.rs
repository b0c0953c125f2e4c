//! The training loop: L1 loss, Adam, a schedule; saved so that no run is lost.
//!
//! A run leaves two files in its folder, under BasicSR's names: `models/net_g_latest.safetensors`,
//! the weights, and `training_states/latest.safetensors`, weights and optimiser together, which
//! [`train`] goes on from to the bit, with the recipe it was made by. Both are replaced whole,
//! never half-written, and never over another run: one found in the folder is moved aside at the
//! new one's first save, and until then nothing there is touched.

use std::path::PathBuf;
use std::time::{Duration, Instant};

mod recipe;
mod run;

pub use recipe::{Recipe, cosine_schedule, paper_schedule};
pub use run::{Run, archive, state_file, weights_file};

use crate::data::{Loader, LoaderOptions};
use crate::error::{Error, Result};
use crate::limits::check_step;

/// What to train, and what to leave behind.
#[derive(Debug, Clone)]
pub struct TrainOptions {
    /// What the run's numbers follow from.
    pub recipe: Recipe,
    /// The run's folder.
    pub out: PathBuf,
    /// Steps between two reports; only then, and to save, is anything read back.
    pub report_every: u64,
    /// How often the run is saved, after whichever step; it is at its end in any case.
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

/// Trains `run` up to the recipe's iterations, reporting on the way, and saves it.
///
/// The same recipe gives the same bits, in one sitting or several.
///
/// # Errors
/// A step that does not fit the adapter, images that cannot be read, files that cannot be written,
/// a device that fails, or numbers that are none any more; the last saved state stays as it was.
pub fn train(
    run: &mut Run,
    options: &TrainOptions,
    mut observe: impl FnMut(&Report),
) -> Result<()> {
    let recipe = &options.recipe;
    let (batch, patch) = (recipe.batch, recipe.patch);
    check_step(run.net.device(), recipe.scale, batch, patch)?;
    // Rather told now than at the first save, though nothing is made before.
    if let Some(path) = options.out.ancestors().find(|path| path.exists()) {
        std::fs::read_dir(path).map_err(|source| Error::UnreadableFolder {
            path: path.to_path_buf(),
            source,
        })?;
    }
    let loader = LoaderOptions {
        scale: recipe.scale,
        patch,
        batch,
        seed: recipe.seed,
        workers: LoaderOptions::spare_threads(),
        cache_bytes: LoaderOptions::CACHE_BYTES,
    };
    let mut batches = Loader::new(recipe.source.clone(), loader, run.iteration())?;
    let mut saved = Instant::now();
    let mut reported = (Instant::now(), run.iteration());
    while run.iteration() < recipe.iterations {
        let pairs = batches.next().ok_or(Error::LoaderEnded {
            iteration: run.iteration(),
            iterations: recipe.iterations,
        })??;
        let lr = recipe.schedule.lr(run.iteration());
        let loss = run.step(&pairs, lr);
        let iteration = run.iteration();
        let done = iteration == recipe.iterations;
        if done || iteration.is_multiple_of(options.report_every) {
            let loss = loss.item().map_err(nn::Error::from)?;
            if !loss.is_finite() {
                return Err(run.diverged(recipe));
            }
            let images = (iteration - reported.1) * batch as u64;
            observe(&Report {
                iteration,
                loss,
                lr,
                images_per_second: images as f64 / reported.0.elapsed().as_secs_f64(),
            });
            reported = (Instant::now(), iteration);
        }
        // The loss is of before the update: what is saved is looked at itself.
        if done || saved.elapsed() >= options.save_every {
            run.save(options)?;
            saved = Instant::now();
        }
    }
    Ok(())
}
