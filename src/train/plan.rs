//! From the command line, an option file and a saved run to the options of a run.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use catanet::Error;
use catanet::data::Source;
use catanet::options::{Images, Options, SaveEvery, Scheduler, TrainSet, Training};
use catanet::train::{Optimiser, Recipe, TrainOptions, paper_schedule};
use nn::Schedule;

use crate::args::experiment;
use crate::terminal;
use crate::train_cli::TrainArgs;
use crate::weights::shipped_name;

/// The options of a run in its folder: a file that starts it again.
pub const OPTIONS: &str = "options.yml";

/// The run's folder.
pub fn folder(args: &TrainArgs, file: Option<&Options>, scale: usize) -> PathBuf {
    let named = |file: &Options| file.experiments_root();
    let given = args.out.clone().or(file.map(named));
    given.unwrap_or_else(|| experiment(scale))
}

/// What is to be done: the option file, or the options that the run in `out` was begun with, or the defaults
/// for this class of adapter; and over them what the command line says.
pub fn options(
    args: &TrainArgs,
    file: Option<Options>,
    scale: usize,
    software: bool,
    begun: Option<&Recipe>,
    out: &Path,
    processes: usize,
) -> Result<Options> {
    let kept = out.join(OPTIONS);
    let mut options = match (file, begun) {
        (Some(file), _) if file.datasets.train.is_none() || file.train.is_none() => {
            return Err(Error::NothingToTrain.into());
        }
        (Some(file), _) => file,
        (None, Some(begun)) if kept.is_file() => {
            let (mut options, _) = Options::read(&kept, &args.set)?;
            if begun.processes != processes {
                parts(&mut options).0.batch_size_per_gpu = begun.batch / processes;
            }
            options
        }
        // A run from before options were kept has its recipe still.
        (None, Some(begun)) => {
            let mut options = defaults(args, scale, software)?;
            adopt(&mut options, begun, processes);
            options
        }
        (None, None) => defaults(args, scale, software)?,
    };
    overlay(args, &mut options, begun, processes)?;
    Ok(options)
}

/// Looks at options as at those of a file: what is written into the folder has to start the run again.
pub fn check(options: &Options) -> Result<()> {
    let (read, _) = Options::parse(&options.to_yaml(), Path::new(OPTIONS), &[])?;
    let of = |options: &Options| {
        let train = options
            .datasets
            .train
            .as_ref()
            .map(|set| set.images.clone());
        (train, options.path.clone())
    };
    if of(&read) != of(options) {
        bail!("a name of a folder or file is no UTF-8, which an option file has to be; rename it");
    }
    Ok(())
}

/// The options of a run about which nothing is said.
fn defaults(args: &TrainArgs, scale: usize, software: bool) -> Result<Options> {
    let defaults = Path::new("defaults");
    let (mut options, _) = Options::parse(&Options::template(scale), defaults, &[])?;
    let small = |small: u64, large: u64| if software { small } else { large };
    options.name = format!("train_catanet_x{scale}");
    options.datasets.scored.clear();
    options.logger.print_freq = small(10, 100);
    options.logger.save_checkpoint_freq = 5000;
    options.logger.save_every = Some(SaveEvery::Seconds(60.0));
    options.logger.keep = Some(10);
    let (set, training) = parts(&mut options);
    set.name = "training images".to_owned();
    set.images = Images::DeadLeaves;
    set.dataset_enlarge_ratio = 1;
    if args.paper {
        set.batch_size_per_gpu = 64;
    } else {
        set.gt_size = small(32, 64) as usize * scale;
        set.batch_size_per_gpu = small(2, 16) as usize;
        training.total_iter = small(250, 20_000);
        training.optim_g.lr = if args.fine_tune { 1e-4 } else { 1e-3 };
        training.scheduler = cosine(training.optim_g.lr, training.total_iter);
    }
    let steps = training.total_iter;
    if let Some(val) = &mut options.val {
        val.val_freq = Some(small(steps.div_ceil(3).min(500), 1000));
    }
    let (options, _) = Options::parse(&options.to_yaml(), defaults, &args.set)?;
    Ok(options)
}

/// The two sections that a training has.
fn parts(options: &mut Options) -> (&mut TrainSet, &mut Training) {
    let set = options.datasets.train.get_or_insert_default();
    (set, options.train.get_or_insert_default())
}

/// The learning rate of a short run: along a cosine from `lr` to a hundredth of it.
fn cosine(lr: f64, iterations: u64) -> Scheduler {
    Scheduler::CosineAnnealing {
        periods: vec![iterations],
        restart_weights: vec![1.0],
        eta_min: lr * 1e-2,
    }
}

/// What a run was begun with.
fn adopt(options: &mut Options, begun: &Recipe, processes: usize) {
    options.manual_seed = Some(begun.seed);
    let scale = options.scale;
    let (set, training) = parts(options);
    set.batch_size_per_gpu = begun.batch / processes; // if that is no whole number, it is refused later
    set.gt_size = begun.patch * scale;
    training.total_iter = begun.iterations;
    match &begun.schedule {
        Schedule::MultiStep {
            lr,
            milestones,
            gamma,
        } => {
            training.optim_g.lr = *lr;
            training.scheduler = Scheduler::MultiStep {
                milestones: milestones.clone(),
                gamma: *gamma,
                restarts: vec![0],
                restart_weights: vec![1.0],
            };
        }
        Schedule::Cosine {
            lr,
            floor,
            iterations,
        } => {
            training.optim_g.lr = *lr;
            training.scheduler = Scheduler::CosineAnnealing {
                periods: vec![*iterations],
                restart_weights: vec![1.0],
                eta_min: *floor,
            };
        }
        // Only option files have these, and runs of such keep them.
        Schedule::CosineRestarts { .. } | Schedule::Warmup { .. } => {}
    }
}

/// What the command line says goes over the rest.
fn overlay(
    args: &TrainArgs,
    options: &mut Options,
    begun: Option<&Recipe>,
    processes: usize,
) -> Result<()> {
    let scale = options.scale;
    let old_steps = options.train.as_ref().map_or(0, |t| t.total_iter);
    if let Some(begun) = begun
        && args.paper
        && matches!(begun.schedule, Schedule::Cosine { .. })
    {
        bail!("the saved run has the schedule cosine, not milestones; {OTHERWISE} --paper");
    }
    if let Some(seed) = args.seed {
        options.manual_seed = Some(seed);
    }
    if let Some(file) = &args.weights {
        options.path.pretrain_network_g = Some(file.clone());
        options.path.strict_load_g = false; // of another scale all but the upsampler is taken
    }
    if args.fine_tune {
        options.path.pretrain_network_g = Some(shipped_name(scale));
    }
    if let Some(out) = &args.out {
        options.path.experiments_root = Some(out.clone());
    }
    let logger = &mut options.logger;
    logger.pth |= args.pth;
    logger.keep = args.keep.or(logger.keep);
    logger.save_every = args.save_every.or(logger.save_every);
    match (args.val_freq, &mut options.val) {
        (Some(freq), Some(val)) => val.val_freq = Some(freq),
        (Some(_), None) => {
            bail!("the options have no section val, so nothing is validated; leave out --val-freq")
        }
        (None, _) => {}
    }
    let (set, training) = parts(options);
    set.hold_out |= args.fine_tune;
    if let Some(folder) = &args.data {
        set.images = Images::Folder(folder.clone());
    }
    if let Some(batch) = args.batch {
        if !(batch as usize).is_multiple_of(processes) {
            bail!("a batch of {batch} cannot be divided among {processes} processes");
        }
        set.batch_size_per_gpu = batch as usize / processes;
    }
    if let Some(patch) = args.patch {
        set.gt_size = patch as usize * scale;
    }
    if args.degrade.is_some() {
        set.degrade.clone_from(&args.degrade);
    }
    training.ema_decay = args.ema.unwrap_or(training.ema_decay);
    training.checkpoint_activations |= args.recompute_activations;
    if let Some(when) = args.on_nan {
        training.on_nan = when.into();
    }
    if args.iterations.is_some() || args.lr.is_some() {
        let steps = args.iterations.unwrap_or(old_steps);
        training.total_iter = steps;
        training.scheduler = stretched(training, scale, old_steps, args.lr);
        training.optim_g.lr = args.lr.unwrap_or(training.optim_g.lr);
        if let (None, None, Some(val)) = (&args.opt, args.val_freq, &mut options.val) {
            val.val_freq = Some(steps.div_ceil(3).min(val.val_freq.unwrap_or(1000).max(500)));
        }
    }
    Ok(())
}

/// The scheduler for another number of steps or another rate: a single cosine ends with the run, and the paper's
/// milestones are parts of it. Others stay as they are written.
fn stretched(training: &Training, scale: usize, old_steps: u64, lr: Option<f64>) -> Scheduler {
    let steps = training.total_iter;
    let old_lr = training.optim_g.lr;
    let milestones_of = |steps| match paper_schedule(scale, old_lr, steps) {
        Schedule::MultiStep { milestones, .. } => milestones,
        _ => Vec::new(),
    };
    match training.scheduler.clone() {
        Scheduler::CosineAnnealing {
            periods,
            restart_weights,
            eta_min,
        } if periods == [old_steps] => Scheduler::CosineAnnealing {
            periods: vec![steps],
            restart_weights,
            eta_min: match lr {
                Some(lr) if eta_min == old_lr * 1e-2 => lr * 1e-2,
                _ => eta_min,
            },
        },
        Scheduler::MultiStep {
            milestones,
            gamma,
            restarts,
            restart_weights,
        } if milestones == milestones_of(old_steps) => Scheduler::MultiStep {
            milestones: milestones_of(steps),
            gamma,
            restarts,
            restart_weights,
        },
        other => other,
    }
}

/// What to do about an option that the saved run contradicts.
const OTHERWISE: &str = "start another run with another --out, or leave out";

/// Refuses what would give a run that goes on other bits than it was begun for; says what else is different.
pub fn unchanged(now: &Recipe, begun: &Recipe) -> Result<()> {
    match (&begun.source, &now.source) {
        (Source::DeadLeaves, Source::Photos(_)) => {
            bail!("the saved run learns from generated scenes, not photographs; {OTHERWISE} --data")
        }
        (Source::Photos(_), Source::DeadLeaves) => bail!(
            "the saved run learns from photographs, not generated scenes; name their folder with --data"
        ),
        _ => {}
    }
    if let (Some(before), Some(images)) = (&begun.images, &now.images)
        && before != images
    {
        bail!(
            "the saved run learns from {before}, and here are {images}; name the same images, or start another run \
             with another --out"
        );
    }
    for ((name, flag, begun), (_, _, now)) in fixed(begun).into_iter().zip(fixed(now)) {
        if begun != now {
            bail!("the saved run has {name} {begun}, not {now}; {OTHERWISE} {flag}");
        }
    }
    let changeable = |recipe: &Recipe| {
        [
            ("processes", recipe.processes.to_string()),
            ("iterations", recipe.iterations.to_string()),
            ("lr", recipe.schedule.base_lr().to_string()),
        ]
    };
    for ((name, begun), (_, now)) in changeable(begun).into_iter().zip(changeable(now)) {
        if begun != now {
            terminal::say(format_args!(
                "the saved run had {name} {begun}; from here on it is {now}{}",
                match name {
                    "processes" => {
                        ": sums run in another order, and token centres follow another share of a batch"
                    }
                    _ => "",
                }
            ));
        }
    }
    Ok(())
}

/// What a run's batches and steps follow from: its name, the option that gives it, its value.
fn fixed(recipe: &Recipe) -> [(&'static str, &'static str, String); 10] {
    let schedule = course(&recipe.schedule, recipe);
    let none = || "none".to_owned();
    let Optimiser {
        decoupled,
        betas,
        eps,
        weight_decay,
    } = recipe.optimiser;
    let kind = if decoupled { "AdamW" } else { "Adam" };
    [
        ("batch", "--batch", recipe.batch.to_string()),
        ("patch", "--patch", recipe.patch.to_string()),
        ("seed", "--seed", recipe.seed.to_string()),
        ("the schedule", "what changes it", schedule),
        (
            "optimiser",
            "train.optim_g",
            format!("{kind} {betas:?} {eps} {weight_decay}"),
        ),
        ("loss", "train.pixel_opt", format!("{:?}", recipe.loss)),
        (
            "gradient clipping",
            "train.use_grad_clip",
            recipe.clip.map_or_else(none, |norm| norm.to_string()),
        ),
        (
            "average",
            "--ema",
            recipe.ema.map_or_else(none, |decay| decay.to_string()),
        ),
        (
            "symmetries",
            "datasets.train.use_hflip and use_rot",
            format!("{} {}", recipe.hflip, recipe.rot),
        ),
        (
            "degradation",
            "--degrade",
            recipe
                .degrade
                .as_ref()
                .map_or_else(none, ToString::to_string),
        ),
    ]
}

/// How the learning rate runs, but for what may change: where it starts, and the end of what ends with the run.
fn course(schedule: &Schedule, recipe: &Recipe) -> String {
    match schedule {
        Schedule::MultiStep {
            lr,
            milestones,
            gamma,
        } => match paper_schedule(recipe.scale, *lr, recipe.iterations) == *schedule {
            true => "milestones of the paper".to_owned(),
            false => format!("milestones {milestones:?}, gamma {gamma}"),
        },
        Schedule::Cosine {
            lr,
            floor,
            iterations,
        } => {
            let end = match *iterations == recipe.iterations {
                true => String::new(),
                false => format!(" over {iterations} steps"),
            };
            match *floor == lr * 1e-2 {
                true => format!("cosine{end}"),
                false => format!("cosine{end} down to {floor}"),
            }
        }
        Schedule::CosineRestarts {
            periods,
            weights,
            floor,
            ..
        } => format!("cosines of {periods:?} steps from {weights:?}, down to {floor}"),
        Schedule::Warmup { steps, then } => {
            format!("{steps} steps of warm-up, then {}", course(then, recipe))
        }
    }
}

/// What a run learns from, in a word or two.
pub fn material(plan: &TrainOptions) -> String {
    match &plan.recipe.source {
        Source::Photos(files) => format!("{} photographs", files.len()),
        Source::DeadLeaves => "generated scenes".to_owned(),
    }
}
