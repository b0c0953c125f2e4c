//! `train_x2`, `train_x3`, `train_x4` and `catanet train`: one program for three scales.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use catanet::limits::check_step;
use catanet::options::{OnNan, Options, SaveEvery};
use catanet::train::{
    End, Processes, Run, RunFolder, TrainOptions, archive, states, train, weights_file,
};
use clap::{Parser, ValueEnum};
use tensor::Device;

use crate::advice::with_options;
use crate::args::AdapterArgs;
use crate::eval_cli::default_sets;
use crate::terminal::Level;
use crate::train::plan::{check, folder, options, unchanged};
use crate::train::start::start;
use crate::train::together;
use crate::train::watch::Watch;
use crate::{interrupt, memory, report, terminal};

/// Trains CATANet. With no data given, on generated scenes. Validates on the way and at the end.
#[derive(Parser, Debug, Clone)]
#[command(version)]
pub struct TrainArgs {
    /// Option file of BasicSR's kind; what else is given here goes before what it says
    #[arg(long, value_name = "FILE.yml")]
    pub opt: Option<PathBuf>,
    /// Change one key of the options, like --set train.optim_g.lr=1e-4
    #[arg(long, value_name = "KEY=VALUE", value_parser = change)]
    pub set: Vec<(String, String)>,
    /// Folder to train on: HR/ and LR_bicubic/X2/ (BasicSR's layout), or any folder of images,
    /// searched recursively [default: generated "dead leaves" scenes]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Weights to start from; for ×3 and ×4 those of ×2 do (all but the upsampler)
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Start from the shipped weights of this scale with a small rate, hold out some of the images,
    /// and say at the end whether they and generated scenes come out better than before
    #[arg(long, requires = "data", conflicts_with_all = ["weights", "paper", "opt"])]
    pub fine_tune: bool,
    /// The paper's recipe where not said otherwise: batch 64 of 64×64, lr 2e-4 halved at the
    /// paper's milestones, 800k iterations (×3, ×4: 250k), seed 3407
    #[arg(long)]
    pub paper: bool,
    /// Steps [default: 250 on a software adapter, 20000 on a GPU]
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
    /// Average the weights over the steps, so much of the average staying in each (0.999, say); the
    /// average is validated and saved
    #[arg(long, value_name = "DECAY")]
    pub ema: Option<f64>,
    /// Make low-resolution crops worse, to train for compressed pictures:
    /// jpeg=60..95,noise=0..8,blur=0..1.2
    #[arg(long, value_name = "WHAT")]
    pub degrade: Option<String>,
    /// Keep of each block only its input, and compute the rest again on the way back: the same bits in
    /// a fraction of the memory, for about a third more time
    #[arg(long = "checkpoint-activations")]
    pub recompute_activations: bool,
    /// What weights, order, crops and generated scenes follow from [default: 3407]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Steps between two validations; there is one at the end in any case
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub val_freq: Option<u64>,
    /// How often the state is saved: 30s, 10m, or 500 (steps) [default: 60s]
    #[arg(long, value_name = "TIME")]
    pub save_every: Option<SaveEvery>,
    /// Keep so many numbered files of weights, the oldest go [default: 10; of an option file: all]
    #[arg(long, value_name = "N")]
    pub keep: Option<u64>,
    /// Write PyTorch's .pth beside every file of weights
    #[arg(long)]
    pub pth: bool,
    /// When numbers go astray: stop with the last good state, or go back to it with half the learning
    /// rate, three times at most
    #[arg(long, value_enum, value_name = "WHAT")]
    pub on_nan: Option<WhenAstray>,
    /// Folder of the run [default: experiments/train_catanet_x2, _x3, _x4; with --opt
    /// experiments/NAME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with the run in the folder, with the options it was started with: to the bit as if it
    /// had never stopped. --iterations and --lr may change it, what its batches follow from not.
    /// With =auto a run is started where there is none
    #[arg(long, value_enum, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_missing_value = "always")]
    pub resume: Option<Resume>,
    /// Which adapter.
    #[command(flatten)]
    pub adapter: AdapterArgs,
}

/// When to go on with a run.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// There has to be one.
    Always,
    /// If there is one.
    Auto,
}

/// What to do about numbers that are none.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenAstray {
    /// The run ends.
    Stop,
    /// It goes back.
    Rollback,
}

impl From<WhenAstray> for OnNan {
    fn from(when: WhenAstray) -> OnNan {
        match when {
            WhenAstray::Stop => OnNan::Stop,
            WhenAstray::Rollback => OnNan::Rollback,
        }
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && f64::is_finite(rate) => Ok(rate),
        _ => Err("a number above 0 is wanted, like 1e-3".to_owned()),
    }
}

/// `KEY=VALUE`
pub(crate) fn change(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("KEY=VALUE is wanted, like train.optim_g.lr=1e-4".to_owned()),
    }
}

/// `catanet train`: [`TrainArgs`] and the scale, which `train_x2` and its like have in their names.
#[derive(Parser, Debug, Clone)]
#[command(name = "train")]
pub struct Cli {
    /// Factor to learn to enlarge by, 2 to 4 [default: 2, or that of the option file]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u8).range(2..=4))]
    pub scale: Option<u8>,
    /// Print a commented option file to start from, for x2, x3 or x4, and stop
    #[arg(long, value_name = "SCALE", value_parser = ["x2", "x3", "x4"])]
    pub init: Option<String>,
    /// How.
    #[command(flatten)]
    pub args: TrainArgs,
}

/// Does what the command line of `catanet train` asks.
pub fn run(cli: &Cli) -> ExitCode {
    if let Some(scale) = &cli.init {
        let scale = scale.trim_start_matches('x').parse().unwrap_or(2);
        terminal::out(Options::template(scale).trim_end());
        return ExitCode::SUCCESS;
    }
    open_and_run(cli.scale.map(usize::from), &cli.args)
}

/// Parses the command line, and trains at this scale.
pub fn main(scale: usize) -> ExitCode {
    let line = crate::args::command_line();
    open_and_run(Some(scale), &TrainArgs::parse_from(line))
}

fn open_and_run(scale: Option<usize>, args: &TrainArgs) -> ExitCode {
    let processes = match together::connected() {
        Ok(processes) => processes,
        Err(error) => return report::exit(Err(error)),
    };
    match open_and_train(scale, args, &processes) {
        Ok(End::Done) => ExitCode::SUCCESS,
        Ok(End::Stopped) => ExitCode::from(interrupt::status()),
        Err(error) => {
            report::tell(&error); // before the others are ended with this one
            processes.abort();
            ExitCode::FAILURE
        }
    }
}

fn open_and_train(scale: Option<usize>, args: &TrainArgs, processes: &Processes) -> Result<End> {
    let mut adapter = args.adapter.clone();
    together::choose(&mut adapter, processes);
    let Some(device) = adapter.open()? else {
        return Ok(End::Done);
    };
    if !processes.is_first() {
        terminal::set_level(Level::Quiet);
    }
    interrupt::watch();
    run_together(&device, scale, args, processes).map_err(with_options)
}

/// The training, on a device that is already open; at the scale of the option file, or 2, where none is given.
///
/// # Errors
/// Whatever the environment does wrong, as one line. The run's folder is as it was then, unless the new run
/// had begun: an older one is in `archived_1` by then.
pub fn run_on(device: &Device, scale: Option<usize>, args: &TrainArgs) -> Result<End> {
    run_together(device, scale, args, &Processes::alone()).map_err(with_options)
}

fn run_together(
    device: &Device,
    scale: Option<usize>,
    args: &TrainArgs,
    processes: &Processes,
) -> Result<End> {
    let file = args.opt.as_ref().map(|path| Options::read(path, &args.set));
    let (file, mut notes) = match file.transpose()? {
        Some((file, notes)) => (Some(file), notes),
        None => (None, Vec::new()),
    };
    let scale = match (scale, &file) {
        (Some(scale), Some(file)) if file.scale != scale => {
            bail!("the options are for ×{}, not ×{scale}", file.scale)
        }
        (scale, file) => scale.or(file.as_ref().map(|file| file.scale)).unwrap_or(2),
    };
    let out = folder(args, file.as_ref(), scale);
    let mut folder = match processes.is_first() {
        true => RunFolder::open(&out)?,
        false => RunFolder::of_another(&out),
    };
    let saved = saved(device, scale, args, file.as_ref(), &out)?;
    let begun = saved.as_ref().and_then(Run::recipe);
    let mut options = options(
        args,
        file,
        scale,
        device.is_software(),
        begun,
        &out,
        processes.count(),
    )?;
    let (mut plan, more) = TrainOptions::planned(&options, processes)?;
    notes.extend(more);
    for note in notes.iter().filter(|_| processes.is_first()) {
        terminal::err(format_args!("note: {note}"));
    }
    if let Some(begun) = begun {
        unchanged(&plan.recipe, begun)?;
    }
    check_step(device, scale, plan.recipe.share(), plan.recipe.patch)?;
    check(&options)?;
    plan.stop = interrupt::asked;
    // Half of what is free, among the processes: the other half is for the training and for others.
    plan.cache_bytes = (memory::free() / 2) as usize / processes.count();
    let holds_out = options
        .datasets
        .train
        .as_ref()
        .is_some_and(|set| set.hold_out);
    if options.datasets.scored.is_empty()
        && !holds_out
        && let Some(validate) = &mut plan.validate
    {
        validate.sets = default_sets()?;
    }
    let resumed = saved.is_some();
    let mut run = match saved {
        Some(run) => run,
        None => Run::new(
            start(args, &mut options, &plan.recipe, device)?,
            &plan.recipe,
        ),
    };
    let checkpoint = options
        .train
        .as_ref()
        .is_some_and(|t| t.checkpoint_activations);
    run.net.recompute_activations(checkpoint);
    if run.iteration() >= plan.recipe.iterations {
        return at_its_end(&mut run, &folder, &plan);
    }
    introduce(device, &run, &plan, args, &out, resumed);
    let mut watch = Watch::new(&run, &plan, &options, &out);
    watch.aside = archive(&out).filter(|_| !resumed);
    let end = args.adapter.profiled(device, || {
        let end = train(&mut run, &mut folder, &plan, &mut |event| {
            watch.event(event);
        });
        watch.end(&end);
        Ok(end?)
    })?;
    match end {
        End::Done => {
            terminal::say(format_args!(
                "weights: {}",
                terminal::shown(&weights_file(&out))
            ));
            watch.table(&run.net);
            if holds_out {
                watch.verdict();
            }
        }
        End::Stopped if !processes.is_first() => {}
        End::Stopped => terminal::err(format_args!(
            "stopped after {} of {} iterations; all of them are saved in {}: --resume goes on",
            run.iteration(),
            plan.recipe.iterations,
            terminal::shown(&out)
        )),
    }
    Ok(end)
}

/// The run to go on with, if one is asked for.
fn saved(
    device: &Device,
    scale: usize,
    args: &TrainArgs,
    file: Option<&Options>,
    out: &Path,
) -> Result<Option<Run>> {
    let state = file.and_then(|file| file.path.resume_state.as_ref());
    let found = match (args.resume, state) {
        (None, Some(state)) => Run::from_state(device, scale, state)?,
        (None, None) => return Ok(None),
        (Some(Resume::Auto), None) if states(out).is_empty() => return Ok(None),
        (Some(Resume::Auto), Some(state)) if states(out).is_empty() => {
            Run::from_state(device, scale, state)?
        }
        (Some(_), _) => {
            let (run, faults) = Run::resume(device, scale, out)?;
            for fault in faults {
                terminal::err(format_args!(
                    "note: {fault}; going on from the state before it"
                ));
            }
            run
        }
    };
    if let Some(weights) = &args.weights {
        bail!(
            "{} is not needed: the run in {} has weights of its own; leave out --weights or --resume",
            terminal::shown(weights),
            terminal::shown(out)
        );
    }
    Ok(Some(found))
}

/// A run that has nothing left to do.
fn at_its_end(run: &mut Run, folder: &RunFolder, plan: &TrainOptions) -> Result<End> {
    terminal::say(format_args!(
        "already at {} of {} iterations; ask for more with --iterations",
        run.iteration(),
        plan.recipe.iterations
    ));
    run.save_latest(folder, plan)?;
    Ok(End::Done)
}

/// What is said before the first step.
fn introduce(
    device: &Device,
    run: &Run,
    plan: &TrainOptions,
    args: &TrainArgs,
    out: &Path,
    resumed: bool,
) {
    let recipe = &plan.recipe;
    let (scale, batch, patch) = (recipe.scale, recipe.batch, recipe.patch);
    terminal::say(format_args!(
        "training ×{scale} on {}: {} iterations, batch {batch} of {patch}×{patch}, {}, in {}",
        device.name(),
        recipe.iterations,
        crate::train::plan::material(plan),
        terminal::shown(out)
    ));
    if resumed {
        terminal::say(format_args!("resumed at iteration {}", run.iteration()));
        return;
    }
    if device.is_software() && args.iterations.is_none() && args.opt.is_none() && !args.paper {
        terminal::say(
            "this adapter is a processor: a small run of some minutes. On a GPU the default is larger; \
             the paper's recipe is --paper --data DIV2K",
        );
    }
}
