//! `train_x2`, `train_x3` and `train_x4`: one program for three scales.

use std::fmt::Display;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use catanet::data::Source;
use catanet::limits::check_step;
use catanet::train::{
    Recipe, Report, Run, TrainOptions, archive, cosine_schedule, paper_schedule, state_file, train,
    weights_file,
};
use catanet::weights::{load, load_body};
use catanet::{CATANet, Error};
use clap::Parser;
use nn::Schedule;
use tensor::Device;

use crate::advice::with_options;
use crate::args::{AdapterArgs, experiment};
use crate::progress::Progress;

/// Trains CATANet. With no data given, on generated scenes; ends with an evaluation.
#[derive(Parser, Debug, Clone)]
#[command(version)]
pub struct TrainArgs {
    /// Folder to train on: HR/ and LR_bicubic/X2/ (BasicSR's layout), or any folder of images,
    /// searched recursively [default: generated "dead leaves" scenes]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Weights to start from; for ×3 and ×4 those of ×2 do (all but the upsampler)
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    pub weights: Option<PathBuf>,
    /// The paper's recipe where not said otherwise: batch 64 of 64×64, lr 2e-4 halved at the
    /// paper's milestones, 800k iterations (×3, ×4: 250k), seed 3407
    #[arg(long)]
    pub paper: bool,
    /// Steps [default: 260 on a software adapter, 20000 on a GPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub iterations: Option<u64>,
    /// Image pairs in a step [default: 2 on a software adapter, 16 on a GPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub batch: Option<u32>,
    /// Side of the low-resolution crop, at least 28 [default: 32 on a software adapter, 64 on a GPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub patch: Option<u32>,
    /// Learning rate at the start [default: 1e-3 falling along a cosine]
    #[arg(long, value_name = "RATE", value_parser = positive)]
    pub lr: Option<f64>,
    /// Keep of each block only its input, and compute the rest again on the way back: the same bits in
    /// a fraction of the memory, for about a third more time
    #[arg(long = "checkpoint-activations")]
    pub recompute_activations: bool,
    /// What weights, order, crops and generated scenes follow from [default: 3407]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Folder of the run [default: experiments/train_catanet_x2, _x3, _x4]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with the run in the folder, with the options it was started with: to the bit as if it
    /// had never stopped. --iterations and --lr may change it, the others not
    #[arg(long)]
    pub resume: bool,
    /// Which adapter.
    #[command(flatten)]
    pub adapter: AdapterArgs,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && f64::is_finite(rate) => Ok(rate),
        _ => Err("a number above 0 is wanted, like 1e-3".to_owned()),
    }
}

impl TrainArgs {
    fn folder(&self, scale: usize) -> PathBuf {
        self.out.clone().unwrap_or_else(|| experiment(scale))
    }
}

/// Parses the command line, trains at this scale, evaluates.
///
/// # Errors
/// Whatever the environment does wrong, as one line.
pub fn main(scale: usize) -> Result<()> {
    let args = TrainArgs::parse();
    let Some(device) = args.adapter.open()? else {
        return Ok(());
    };
    run_on(&device, scale, &args)?;
    crate::eval_cli::evaluate_run(&device, scale, &weights_file(&args.folder(scale)))
}

/// The training alone, on a device that is already open.
///
/// # Errors
/// As [`main`]. The run's folder is as it was then, unless the new run had begun to be saved: an
/// older one is in `archived_1` by then.
pub fn run_on(device: &Device, scale: usize, args: &TrainArgs) -> Result<()> {
    run_without_advice(device, scale, args).map_err(with_options)
}

fn run_without_advice(device: &Device, scale: usize, args: &TrainArgs) -> Result<()> {
    let saved = match args.resume {
        true => Some(Run::resume(device, scale, &args.folder(scale))?),
        false => None,
    };
    let software = device.is_software();
    let recipe = recipe(args, scale, software, saved.as_ref().and_then(Run::recipe))?;
    let Recipe {
        iterations,
        batch,
        patch,
        ..
    } = recipe;
    check_step(device, scale, batch, patch)?;
    let trained_on = match recipe.source {
        Source::Photos(_) => "photographs",
        Source::DeadLeaves => "generated dead leaves",
    };
    let mut run = match saved {
        Some(run) => run,
        None => Run::new(start(args, &recipe, device)?),
    };
    run.net.recompute_activations(args.recompute_activations);
    let mut options = TrainOptions {
        recipe,
        out: args.folder(scale),
        report_every: if software { 10 } else { 100 },
        save_every: Duration::from_secs(60),
        notes: vec![("trained_on".to_owned(), trained_on.to_owned())],
    };
    let done = run.iteration();
    if done >= iterations {
        println!("already at {done} of {iterations} iterations; ask for more with --iterations");
        if !weights_file(&options.out).is_file() {
            // The run was cut off between its two files.
            options.recipe.iterations = done;
            run.save(&options)?;
        }
        return Ok(());
    }
    let data = args
        .data
        .as_ref()
        .map_or("generated scenes".to_owned(), |d| d.display().to_string());
    println!(
        "training ×{scale} on {}: {iterations} iterations, batch {batch} of {patch}×{patch}, {data}",
        device.name()
    );
    if args.resume {
        let file = state_file(&options.out);
        println!("resumed at iteration {done} from {}", file.display());
    } else {
        if software && args.iterations.is_none() && !args.paper {
            println!(
                "this adapter is a processor: a small run of some minutes. On a GPU the default \
                 is larger; the paper's recipe is --paper --data DIV2K"
            );
        }
        if let Some(kept) = archive(&options.out) {
            println!(
                "the earlier run there moves to {} when this one is first saved (--resume goes on \
                 with one)",
                kept.display()
            );
        }
    }
    let progress = Progress::new(iterations, done, "");
    let started = Instant::now();
    args.adapter.profiled(device, || {
        train(&mut run, &options, |report| {
            let share = (iterations - report.iteration) as f64 / (report.iteration - done) as f64;
            show(&progress, report, started.elapsed().mul_f64(share));
        })?;
        progress.finish();
        Ok(())
    })?;
    println!("weights: {}", weights_file(&options.out).display());
    Ok(())
}

fn show(progress: &Progress, report: &Report, left: Duration) {
    let Report {
        iteration,
        loss,
        lr,
        images_per_second,
    } = report;
    let news = format!("loss {loss:.5}  lr {lr:.2e}  {images_per_second:.2} images/s");
    let left = left.as_secs();
    progress.show(*iteration, news, |line| {
        println!("{line}  {}:{:02} left", left / 60, left % 60);
    });
}

/// What the arguments say of the run; where they are silent, the saved run, or else the adapter's
/// class.
fn recipe(
    args: &TrainArgs,
    scale: usize,
    software: bool,
    saved: Option<&Recipe>,
) -> Result<Recipe> {
    let (saved_schedule, saved_lr) = match saved.map(|saved| &saved.schedule) {
        Some(Schedule::MultiStep { lr, .. }) => (Some(MILESTONES), Some(*lr)),
        Some(Schedule::Cosine { lr, .. }) => (Some(COSINE), Some(*lr)),
        None => (None, None),
    };
    let milestones = args.paper.then_some(MILESTONES);
    let schedule = fixed("schedule", "--paper", milestones, saved_schedule)?;
    let paper = schedule == Some(MILESTONES);
    let default = |of_paper, small, large| match (paper, software) {
        (true, _) => of_paper,
        (false, true) => small,
        (false, false) => large,
    };
    let paper_iterations = if scale == 2 { 800_000 } else { 250_000 };
    let iterations = saved.map(|saved| saved.iterations);
    let iterations = changeable("iterations", args.iterations, iterations).unwrap_or(default(
        paper_iterations,
        260,
        20_000,
    ));
    let lr = changeable("lr", args.lr, saved_lr).unwrap_or(if paper { 2e-4 } else { 1e-3 });
    let batch = args.batch.map(|n| n as usize);
    let batch = fixed("batch", "--batch", batch, saved.map(|saved| saved.batch))?;
    let patch = args.patch.map(|n| n as usize);
    let patch = fixed("patch", "--patch", patch, saved.map(|saved| saved.patch))?;
    let seed = fixed("seed", "--seed", args.seed, saved.map(|saved| saved.seed))?;
    let source = match (&args.data, saved.map(|saved| &saved.source)) {
        (Some(_), Some(Source::DeadLeaves)) => {
            bail!("the saved run learns from generated scenes, not photographs; {OTHERWISE} --data")
        }
        (None, Some(Source::Photos(_))) => bail!(
            "the saved run learns from photographs, not generated scenes; name their folder with \
             --data"
        ),
        (Some(folder), _) => Source::open(folder, scale)?,
        (None, _) => Source::DeadLeaves,
    };
    Ok(Recipe {
        scale,
        source,
        iterations,
        batch: batch.unwrap_or(default(64, 2, 16) as usize),
        patch: patch.unwrap_or(default(64, 32, 64) as usize),
        schedule: match paper {
            true => paper_schedule(scale, lr, iterations),
            false => cosine_schedule(lr, iterations),
        },
        seed: seed.unwrap_or(3407),
    })
}

/// What the two schedules are called.
const MILESTONES: &str = "milestones";
const COSINE: &str = "cosine";
/// What to do about an option that the saved run contradicts.
const OTHERWISE: &str = "start another run with another --out, or leave out";

/// An option that a saved run keeps, since its batches follow from it.
fn fixed<T: PartialEq + Display>(
    name: &str,
    flag: &str,
    given: Option<T>,
    saved: Option<T>,
) -> Result<Option<T>> {
    match (given, saved) {
        (Some(given), Some(saved)) if given != saved => {
            bail!("the saved run has {name} {saved}, not {given}; {OTHERWISE} {flag}")
        }
        (given, saved) => Ok(saved.or(given)),
    }
}

/// An option that may be given anew to a saved run.
fn changeable<T: PartialEq + Display>(name: &str, given: Option<T>, saved: Option<T>) -> Option<T> {
    if let (Some(given), Some(saved)) = (&given, &saved)
        && given != saved
    {
        println!("the saved run had {name} {saved}; from here on it is {given}");
    }
    given.or(saved)
}

/// The network at iteration 0: ×3 and ×4 take all but the upsampler from the ×2 weights, when there
/// are any, as the paper does.
fn start(args: &TrainArgs, recipe: &Recipe, device: &Device) -> Result<CATANet> {
    let file = match (&args.weights, recipe.scale) {
        (Some(file), _) => Some(file.clone()),
        (None, 2) => None,
        (None, _) => crate::weights::default_weights(2),
    };
    let Some(file) = file else {
        return Ok(CATANet::new(device, recipe.scale, recipe.seed));
    };
    let (net, part) = match load(device, &file, Some(recipe.scale)) {
        Ok((net, _)) => (net, ""),
        Err(Error::WrongScale { .. }) => {
            let net = CATANet::new(device, recipe.scale, recipe.seed);
            load_body(&net, &file)?;
            (net, " (all but the upsampler)")
        }
        Err(error) => return Err(error.into()),
    };
    println!("starting from {}{part}", file.display());
    Ok(net)
}
