//! From the options of a file to those of a run.

use nn::Schedule;

use super::{Optimiser, Processes, Recipe, TrainOptions, Validate};
use crate::data::benchmark::{BenchmarkSet, dead_leaves_set, name_apart};
use crate::data::{Degrade, Place, Source};
use crate::error::{Error, Result};
use crate::options::{Images, OptimizerKind, Options, SaveEvery, Scheduler, TrainSet, Training};

/// The name of the set of images that are held out.
pub const HELD_OUT: &str = "held-out images";
/// One in so many images is held out, from the least number to the most.
const SHARE: usize = 20;
const LEAST: usize = 2;
const MOST: usize = 10;

/// What all runs follow from where nothing is said.
pub const SEED: u64 = 3407;

impl TrainOptions {
    /// What an option file comes to on so many processes, and what a user should know of its images, a
    /// sentence each. Its folders are opened: the images are found, none is read.
    ///
    /// # Errors
    /// A folder that is missing or empty; options without anything to train.
    pub fn planned(
        options: &Options,
        processes: &Processes,
    ) -> Result<(TrainOptions, Vec<String>)> {
        let (Some(set), Some(training)) = (&options.datasets.train, &options.train) else {
            return Err(Error::NothingToTrain);
        };
        let (mut source, mut notes) = match &set.images {
            Images::Paired(pairs) => Source::paired(pairs, options.scale)?,
            Images::Folder(folder) => Source::open_with_notes(folder, options.scale)?,
            Images::DeadLeaves => (Source::DeadLeaves, Vec::new()),
        };
        if options.manual_seed.is_none() {
            notes.push(format!("manual_seed is not given: it is {SEED}"));
        }
        let trained_on = match source {
            Source::Photos(_) => "photographs",
            Source::DeadLeaves => "generated dead leaves",
        };
        let mut validate = validate(options)?;
        if set.hold_out {
            let held = hold_out(&mut source)?;
            notes.push(format!("{} images are held out to judge by", held.len()));
            let validate = validate.get_or_insert_default();
            validate.at_start = true;
            if options.datasets.scored.is_empty() {
                validate.sets = vec![dead_leaves_set(4, 192, u64::MAX)];
            }
            validate.sets.insert(0, BenchmarkSet::of(HELD_OUT, held));
        }
        let logger = &options.logger;
        let planned = TrainOptions {
            report_every: logger.print_freq,
            save_every: logger.save_every.unwrap_or(SaveEvery::Seconds(60.0)),
            keep_every: Some(logger.save_checkpoint_freq),
            keep: logger.keep.map(|n| n as usize),
            pth: logger.pth,
            validate,
            workers: set.num_worker_per_gpu,
            on_nan: training.on_nan,
            processes: processes.clone(),
            notes: vec![("trained_on".to_owned(), trained_on.to_owned())],
            ..TrainOptions::new(recipe(options, set, training, source, processes.count())?)
        };
        Ok((planned, notes))
    }
}

/// Takes images out of a source.
fn hold_out(source: &mut Source) -> Result<Vec<(Place, Option<Place>)>> {
    let images = match source {
        Source::Photos(pairs) => pairs.len(),
        Source::DeadLeaves => 0,
    };
    if images < 2 * LEAST {
        let least = 2 * LEAST;
        return Err(Error::FewImages { images, least });
    }
    let count = (images / SHARE).clamp(LEAST, MOST);
    let (kept, held) = std::mem::replace(source, Source::DeadLeaves).hold_out(count);
    *source = kept;
    Ok(held)
}

fn recipe(
    options: &Options,
    set: &TrainSet,
    training: &Training,
    source: Source,
    processes: usize,
) -> Result<Recipe> {
    let optimiser = &training.optim_g;
    let recipe = Recipe {
        scale: options.scale,
        images: source.fingerprint(),
        source,
        iterations: training.total_iter,
        batch: set.batch_size_per_gpu * processes,
        patch: set.gt_size / options.scale,
        schedule: schedule(training),
        seed: options.manual_seed.unwrap_or(SEED),
        optimiser: Optimiser {
            decoupled: optimiser.kind == OptimizerKind::AdamW,
            betas: optimiser.betas.into(),
            eps: optimiser.eps,
            weight_decay: optimiser.weight_decay,
        },
        loss: training.pixel_opt.clone(),
        clip: training.grad_clip,
        ema: (training.ema_decay > 0.0).then_some(training.ema_decay),
        hflip: set.use_hflip,
        rot: set.use_rot,
        degrade: degrade(set)?,
        processes,
    };
    recipe.check()?;
    Ok(recipe)
}

fn degrade(set: &TrainSet) -> Result<Option<Degrade>> {
    let Some(text) = &set.degrade else {
        return Ok(None);
    };
    let parsed = text.parse().map_err(|fault| Error::WrongDegrade {
        text: text.clone(),
        fault,
    });
    parsed.map(Some)
}

fn schedule(training: &Training) -> Schedule {
    let lr = training.optim_g.lr;
    let schedule = match &training.scheduler {
        Scheduler::MultiStep {
            milestones,
            gamma,
            restart_weights,
            ..
        } => Schedule::MultiStep {
            lr: lr * restart_weights.first().unwrap_or(&1.0), // that of step 0
            milestones: milestones.clone(),
            gamma: *gamma,
        },
        Scheduler::CosineAnnealing {
            periods,
            restart_weights,
            eta_min,
        } => match (&periods[..], &restart_weights[..]) {
            // One period is a plain cosine.
            ([iterations], [1.0]) => Schedule::Cosine {
                lr,
                floor: *eta_min,
                iterations: *iterations,
            },
            _ => Schedule::CosineRestarts {
                lr,
                periods: periods.clone(),
                weights: restart_weights.clone(),
                floor: *eta_min,
            },
        },
    };
    match training.warmup_iter {
        0 => schedule,
        steps => Schedule::Warmup {
            steps,
            then: Box::new(schedule),
        },
    }
}

/// The sets of the file; generated scenes where there are none.
fn validate(options: &Options) -> Result<Option<Validate>> {
    let Some(val) = &options.val else {
        return Ok(None);
    };
    let scored = options.datasets.scored.iter();
    let mut sets: Vec<_> = scored
        .map(|(_, set)| BenchmarkSet::paired(&set.name, set.pairs.clone()))
        .collect();
    if sets.is_empty() {
        sets.push(dead_leaves_set(8, 192, u64::MAX));
    }
    name_apart(&mut sets);
    for set in &sets {
        set.open(options.scale)?.check()?; // rather now than after thousands of steps
    }
    let save = val
        .save_img
        .then(|| options.experiments_root().join("visualization"));
    Ok(Some(Validate {
        every: val.val_freq,
        at_start: false,
        sets,
        metrics: val
            .metrics
            .iter()
            .map(|(name, measured)| (name.clone(), measured.metric))
            .collect(),
        save,
    }))
}
