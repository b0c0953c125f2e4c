//! `train_x2`, `train_x3` and `train_x4`: one program for three scales.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use catanet::CATANet;
use catanet::data::Source;
use catanet::train::{Report, Run, TrainOptions, state_file, train, weights_file};
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
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// The paper's recipe where not said otherwise: batch 64 of 64×64, lr 2e-4 halved at the
    /// paper's milestones, 800k iterations (×3, ×4: 250k), seed 3407
    #[arg(long)]
    pub paper: bool,
    /// Steps [default: 400 on a software adapter, 20000 on a GPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub iterations: Option<u64>,
    /// Image pairs in a step [default: 4 on a software adapter, 16 on a GPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub batch: Option<u32>,
    /// Side of the low-resolution crop, at least 28 [default: 32 on a software adapter, 64 on a GPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub patch: Option<u32>,
    /// Learning rate at the start [default: 1e-3 falling along a cosine]
    #[arg(long)]
    pub lr: Option<f64>,
    /// What weights, order, crops and generated scenes follow from
    #[arg(long, value_name = "N", default_value_t = 3407)]
    pub seed: u64,
    /// Folder of the run [default: experiments/train_catanet_x2, _x3, _x4]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with the run in the folder, to the bit as if it had never stopped
    #[arg(long)]
    pub resume: bool,
    /// Which adapter.
    #[command(flatten)]
    pub adapter: AdapterArgs,
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
    let options = options(&args, scale, device.is_software())?;
    run(&args, &options, &device)?;
    crate::eval_cli::evaluate_run(&device, scale, &weights_file(&options.out))
}

/// What the arguments, and where they are silent the adapter's class, say of the run.
fn options(args: &TrainArgs, scale: usize, software: bool) -> Result<TrainOptions> {
    let choose = |paper: u64, small, large| match (args.paper, software) {
        (true, _) => paper,
        (false, true) => small,
        (false, false) => large,
    };
    let paper_iterations = if scale == 2 { 800_000 } else { 250_000 };
    let iterations = args
        .iterations
        .unwrap_or(choose(paper_iterations, 400, 20_000));
    let lr = args.lr.unwrap_or(if args.paper { 2e-4 } else { 1e-3 });
    // The paper's milestones, as fractions of its run.
    let eighths: &[f64] = if scale == 2 {
        &[3.0, 5.0, 6.5, 7.0, 7.5]
    } else {
        &[4.0, 6.4, 7.2, 7.6]
    };
    let milestone = |e: &f64| (e / 8.0 * iterations as f64).round() as u64;
    let schedule = match args.paper {
        true => {
            let milestones = eighths.iter().map(milestone).collect();
            Schedule::MultiStep {
                lr,
                milestones,
                gamma: 0.5,
            }
        }
        false => Schedule::Cosine {
            lr,
            floor: lr * 1e-2,
            iterations,
        },
    };
    let (source, trained_on) = match &args.data {
        Some(folder) => (Source::open(folder, scale)?, "photographs".to_owned()),
        None => (Source::DeadLeaves, "generated dead leaves".to_owned()),
    };
    Ok(TrainOptions {
        scale,
        source,
        iterations,
        batch: args
            .batch
            .map_or(choose(64, 4, 16) as usize, |n| n as usize),
        patch: args
            .patch
            .map_or(choose(64, 32, 64) as usize, |n| n as usize),
        schedule,
        seed: args.seed,
        out: args.out.clone().unwrap_or_else(|| experiment(scale)),
        report_every: if software { 10 } else { 100 },
        save_every: Duration::from_secs(60),
        notes: vec![("trained_on".to_owned(), trained_on)],
    })
}

fn run(args: &TrainArgs, options: &TrainOptions, device: &Device) -> Result<()> {
    let TrainOptions {
        scale,
        iterations,
        batch,
        patch,
        ..
    } = *options;
    let mut run = match args.resume {
        true => Run::resume(device, scale, &options.out)?,
        false => Run::new(start(args, options, device)?),
    };
    let data = args
        .data
        .as_ref()
        .map_or("generated scenes".to_owned(), |d| d.display().to_string());
    println!(
        "training ×{scale} on {}: {iterations} iterations, batch {batch} of {patch}×{patch}, {data}",
        device.name()
    );
    if device.is_software() && args.iterations.is_none() && !args.paper {
        println!(
            "this adapter is a processor: a small run of some minutes. On a GPU the default is \
             larger; the paper's recipe is --paper --data DIV2K"
        );
    }
    if args.resume {
        println!(
            "resumed at iteration {} from {}",
            run.iteration(),
            state_file(&options.out).display()
        );
    } else if state_file(&options.out).exists() {
        let kept = set_aside(&options.out)?;
        println!(
            "the earlier run there is kept as {} (--resume goes on with one)",
            kept.display()
        );
    }
    let progress = Progress::new(iterations, run.iteration());
    train(device, &mut run, options, |report| progress.show(report))?;
    progress.finish();
    println!("weights: {}", weights_file(&options.out).display());
    Ok(())
}

/// The network at iteration 0: ×3 and ×4 take all but the upsampler from the ×2 weights, when there
/// are any, as the paper does.
fn start(args: &TrainArgs, options: &TrainOptions, device: &Device) -> Result<CATANet> {
    let net = CATANet::new(device, options.scale, options.seed);
    let body = match (&args.weights, options.scale) {
        (Some(file), _) => Some(file.clone()),
        (None, 2) => None,
        (None, _) => crate::weights::default_weights(2),
    };
    if let Some(file) = body {
        catanet::weights::load_body(&net, &file)?;
        println!("starting from {}", file.display());
    }
    Ok(net)
}

/// Renames an earlier run's folder, so that none is overwritten.
fn set_aside(out: &Path) -> Result<PathBuf> {
    let name = out
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let free = (1..)
        .map(|i| out.with_file_name(format!("{name}_archived_{i}")))
        .find(|p| !p.exists());
    let kept = free.context("no free name for the earlier run's folder")?;
    std::fs::rename(out, &kept).with_context(|| {
        format!(
            "cannot rename {} to {}; name another --out",
            out.display(),
            kept.display()
        )
    })?;
    Ok(kept)
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
