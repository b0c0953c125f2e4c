//! `train_x2`, `train_x3` and `train_x4`: one program for three scales.

use std::fmt::Display;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use catanet::data::Source;
use catanet::train::{
    Report, Run, TrainOptions, archive, check_size, state_file, train, weights_file,
};
use catanet::weights::{load, load_body};
use catanet::{CATANet, Error};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use nn::Schedule;
use tensor::Device;

use crate::args::{AdapterArgs, experiment};

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
    #[arg(long)]
    pub checkpoint_activations: bool,
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
    let saved = match args.resume {
        true => Some(Run::resume(device, scale, &args.folder(scale))?),
        false => None,
    };
    let options = options(args, scale, device.is_software(), saved.as_ref())?;
    let TrainOptions {
        iterations,
        batch,
        patch,
        ..
    } = options;
    check_size(device, scale, batch, patch)?;
    let mut run = match saved {
        Some(run) => run,
        None => Run::new(start(args, &options, device)?),
    };
    run.net.checkpoint_activations(args.checkpoint_activations);
    let done = run.iteration();
    if done >= iterations {
        println!("already at {done} of {iterations} iterations; ask for more with --iterations");
        if !weights_file(&options.out).is_file() {
            // The run was cut off between its two files.
            run.save(&TrainOptions {
                iterations: done,
                ..options
            })?;
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
        if device.is_software() && args.iterations.is_none() && !args.paper {
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
    let progress = Progress::new(iterations, done);
    args.adapter.profiled(device, || {
        train(device, &mut run, &options, |report| progress.show(report))?;
        progress.finish();
        Ok(())
    })?;
    println!("weights: {}", weights_file(&options.out).display());
    Ok(())
}

/// What the arguments say of the run; where they are silent, the saved run, or else the adapter's
/// class.
fn options(
    args: &TrainArgs,
    scale: usize,
    software: bool,
    saved: Option<&Run>,
) -> Result<TrainOptions> {
    let milestones = args.paper.then(|| MILESTONES.to_owned());
    let schedule = fixed(
        saved,
        "schedule",
        "--paper",
        milestones,
        "cosine".to_owned(),
    )?;
    let paper = schedule == MILESTONES;
    let choose = |of_paper, small, large| match (paper, software) {
        (true, _) => of_paper,
        (false, true) => small,
        (false, false) => large,
    };
    let default = choose(if scale == 2 { 800_000 } else { 250_000 }, 260, 20_000);
    let iterations = changeable(saved, "iterations", args.iterations, default)?;
    let lr = changeable(saved, "lr", args.lr, if paper { 2e-4 } else { 1e-3 })?;
    let default = choose(64, 2, 16) as u32;
    let batch = fixed(saved, "batch", "--batch", args.batch, default)?;
    let default = choose(64, 32, 64) as u32;
    let patch = fixed(saved, "patch", "--patch", args.patch, default)?;
    let seed = fixed(saved, "seed", "--seed", args.seed, 3407)?;
    let (source, trained_on) = match (&args.data, saved.and_then(|run| run.stored("data"))) {
        (Some(_), Some("generated scenes")) => {
            bail!("the saved run learns from generated scenes, not photographs; {OTHERWISE} --data")
        }
        (None, Some("photographs")) => bail!(
            "the saved run learns from photographs, not generated scenes; name their folder with \
             --data"
        ),
        (Some(folder), _) => (Source::open(folder, scale)?, "photographs"),
        (None, _) => (Source::DeadLeaves, "generated dead leaves"),
    };
    Ok(TrainOptions {
        scale,
        source,
        iterations,
        batch: batch as usize,
        patch: patch as usize,
        schedule: match paper {
            true => paper_schedule(scale, lr, iterations),
            false => Schedule::Cosine {
                lr,
                floor: lr * 1e-2,
                iterations,
            },
        },
        seed,
        out: args.folder(scale),
        report_every: if software { 10 } else { 100 },
        save_every: Duration::from_secs(60),
        notes: vec![("trained_on".to_owned(), trained_on.to_owned())],
    })
}

/// As [`Run::stored`] calls the paper's schedule.
const MILESTONES: &str = "milestones";
/// What to do about an option that the saved run contradicts.
const OTHERWISE: &str = "start another run with another --out, or leave out";

/// Halved at the paper's milestones, which are taken as fractions of its run.
fn paper_schedule(scale: usize, lr: f64, iterations: u64) -> Schedule {
    let eighths: &[f64] = match scale {
        2 => &[3.0, 5.0, 6.5, 7.0, 7.5],
        _ => &[4.0, 6.4, 7.2, 7.6],
    };
    let milestone = |e: &f64| (e / 8.0 * iterations as f64).round() as u64;
    Schedule::MultiStep {
        lr,
        milestones: eighths.iter().map(milestone).collect(),
        gamma: 0.5,
    }
}

/// An option that a saved run keeps, since its batches follow from it.
fn fixed<T: PartialEq + Display + FromStr>(
    saved: Option<&Run>,
    name: &str,
    flag: &str,
    given: Option<T>,
    default: T,
) -> Result<T> {
    match (given, stored(saved, name)?) {
        (Some(given), Some(stored)) if given != stored => {
            bail!("the saved run has {name} {stored}, not {given}; {OTHERWISE} {flag}")
        }
        (given, stored) => Ok(stored.or(given).unwrap_or(default)),
    }
}

/// An option that may be given anew to a saved run.
fn changeable<T: PartialEq + Display + FromStr>(
    saved: Option<&Run>,
    name: &str,
    given: Option<T>,
    default: T,
) -> Result<T> {
    let stored = stored(saved, name)?;
    if let (Some(given), Some(stored)) = (&given, &stored)
        && given != stored
    {
        println!("the saved run had {name} {stored}; from here on it is {given}");
    }
    Ok(given.or(stored).unwrap_or(default))
}

fn stored<T: FromStr>(saved: Option<&Run>, name: &str) -> Result<Option<T>> {
    let Some(text) = saved.and_then(|run| run.stored(name)) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(value) => Ok(Some(value)),
        Err(_) => {
            bail!("the saved run's {name} is {text:?}, which is none; start without --resume")
        }
    }
}

/// The network at iteration 0: ×3 and ×4 take all but the upsampler from the ×2 weights, when there
/// are any, as the paper does.
fn start(args: &TrainArgs, options: &TrainOptions, device: &Device) -> Result<CATANet> {
    let file = match (&args.weights, options.scale) {
        (Some(file), _) => Some(file.clone()),
        (None, 2) => None,
        (None, _) => crate::weights::default_weights(2),
    };
    let Some(file) = file else {
        return Ok(CATANet::new(device, options.scale, options.seed));
    };
    let (net, part) = match load(device, &file, Some(options.scale)) {
        Ok((net, _)) => (net, ""),
        Err(Error::WrongScale { .. }) => {
            let net = CATANet::new(device, options.scale, options.seed);
            load_body(&net, &file)?;
            (net, " (all but the upsampler)")
        }
        Err(error) => return Err(error.into()),
    };
    println!("starting from {}{part}", file.display());
    Ok(net)
}

/// A bar on a terminal, plain lines elsewhere.
struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
    first: u64,
    total: u64,
}

impl Progress {
    fn new(total: u64, first: u64) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = "{bar:32} {pos}/{len}  {msg}  {eta} left";
            let style = ProgressStyle::with_template(template);
            ProgressBar::new(total)
                .with_position(first)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Progress {
            bar,
            started: Instant::now(),
            first,
            total,
        }
    }

    fn show(&self, report: &Report) {
        let Report {
            iteration,
            loss,
            lr,
            images_per_second,
        } = report;
        let line = format!("loss {loss:.5}  lr {lr:.2e}  {images_per_second:.2} images/s");
        match &self.bar {
            Some(bar) => {
                bar.set_position(*iteration);
                bar.set_message(line);
            }
            None => {
                let share = (self.total - iteration) as f64 / (iteration - self.first) as f64;
                let left = self.started.elapsed().mul_f64(share).as_secs();
                println!(
                    "{iteration}/{}  {line}  {}:{:02} left",
                    self.total,
                    left / 60,
                    left % 60
                );
            }
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish();
        }
    }
}
