//! `upscale`: enlarges pictures, one or whole archives of them.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use catanet::enlarge::EnlargeOptions;
use clap::Parser;
use picture::{Format, ReadOptions, WriteOptions};
use tensor::Device;

use crate::advice::with_options;
use crate::args::AdapterArgs;
use crate::interrupt;
use crate::page::{Page, made_by};
use crate::report;
use crate::terminal::{self, shown};
use crate::upscale::options::{
    Background, Jobs, Shard, background, format, jobs, shard, size, tile,
};
use crate::upscale::outcome::Outcomes;
use crate::upscale::plan::{Plan, Request};
use crate::upscale::work::{Settings, work};
use crate::weights::NetworkArgs;

/// Enlarges pictures with CATANet: any kind in, the same kind out, with depth, transparency, colour
/// profile, EXIF and resolution.
#[derive(Parser, Debug, Clone)]
#[command(name = "upscale", version)]
pub struct Cli {
    /// Pictures, and folders of them (searched to the bottom); - is stdin
    #[arg(value_name = "PICTURE", required_unless_present_any = ["list_adapters", "inputs"])]
    pub pictures: Vec<PathBuf>,
    /// A picture or a folder, like those without a flag
    #[arg(short = 'i', long = "input", value_name = "PATH")]
    pub inputs: Vec<PathBuf>,
    /// File to write the one picture to, - for stdout; or folder to write all to, under their own names
    #[arg(short, long, value_name = "PATH", conflicts_with = "save")]
    pub output: Option<PathBuf>,
    /// Folder to write NAME_x2.png to, with the folders of the input in it [default: beside each input]
    #[arg(long, value_name = "DIR")]
    pub save: Option<PathBuf>,
    /// Format to write: png, jpg, webp (lossless), tif, bmp, qoi or pnm [default: that of the name, else png]
    #[arg(short, long, value_name = "EXT", value_parser = format)]
    pub format: Option<Format>,
    /// Which network.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Quality of JPEGs, 1 to 100
    #[arg(long, value_name = "N", default_value_t = 95, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub quality: u8,
    /// Lay transparent pictures on this colour: #rrggbb, black or white
    #[arg(long, value_name = "COLOUR", value_parser = background)]
    pub background: Option<Background>,
    /// Take what there is of damaged files, and say how much is missing
    #[arg(long)]
    pub salvage: bool,
    /// Write over whatever stands where an output goes
    #[arg(long)]
    pub overwrite: bool,
    /// Pass over pictures whose output is there: goes on with a batch that was cut off
    #[arg(long)]
    pub skip_existing: bool,
    /// Every N-th picture only, from the K-th on, as 2/8: several processes share a batch. auto takes
    /// both numbers from Slurm or MPI
    #[arg(long, value_name = "K/N", value_parser = shard)]
    pub shard: Option<Shard>,
    /// Bytes of the adapter's memory to work in, as 500M or 2G [default: what the adapter has]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub memory: Option<u64>,
    /// Side of the tiles to cut pictures into; 0 for as few as fit, which is the default
    #[arg(short = 't', long, value_name = "PIXELS", value_parser = tile)]
    pub tile: Option<usize>,
    /// Threads that decode and encode, as DECODE:ENCODE (or load:proc:save, as ncnn's programs have it)
    #[arg(short, long, value_name = "N:N", value_parser = jobs)]
    pub jobs: Option<Jobs>,
    /// Write a line of JSON for each picture to stdout
    #[arg(long)]
    pub json: bool,
    /// Write a page to look at: every picture before and after, with a slider
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Model's name: there is one
    #[arg(short = 'n', hide = true)]
    pub model_name: Option<String>,
    /// Models' folder: the program carries its own
    #[arg(short = 'm', hide = true)]
    pub model_path: Option<PathBuf>,
    /// Which adapter.
    #[command(flatten)]
    pub adapter: AdapterArgs,
}

/// Does what the command line asks, and tells the exit status: 0, 1 where something failed, 130 where
/// it was stopped.
pub fn main(cli: &Cli) -> ExitCode {
    let result = run(cli);
    match &result {
        Err(_) if interrupt::asked() => ExitCode::from(interrupt::status()),
        _ => report::exit(result),
    }
}

/// Does what the command line asks. What fails of a batch is named and the rest goes on.
///
/// # Errors
/// Whatever the environment does wrong, as one line; of a batch, after all else is done.
pub fn run(cli: &Cli) -> Result<()> {
    match cli.adapter.open()? {
        Some(device) => run_on(&device, cli),
        None => Ok(()),
    }
}

/// [`run`] on a device that is already open.
///
/// # Errors
/// As [`run`].
pub fn run_on(device: &Device, cli: &Cli) -> Result<()> {
    run_without_advice(device, cli).map_err(with_options)
}

fn run_without_advice(device: &Device, cli: &Cli) -> Result<()> {
    let request = request(cli)?;
    let (net, origin) = cli.network.open(device)?;
    let mut plan = Plan::new(&request, net.scale())?;
    plan.make_folders();
    if cli.json || plan.writes_to_stdout() {
        terminal::keep_stdout_clean();
    }
    ensure!(
        !(cli.json && plan.writes_to_stdout()),
        "--json and a picture cannot both go to stdout; name a file with --output"
    );
    if let Some(page) = &cli.report {
        report::check_writable(page)?;
        ensure!(
            plan.jobs.iter().all(|job| job.output != *page),
            "{} would be both a picture and the report; give one another name",
            shown(page)
        );
    }
    terminal::say(format_args!(
        "weights: {origin}\nadapter: {}",
        device.name()
    ));
    ignored(cli);
    interrupt::watch();
    let settings = Settings {
        read: ReadOptions {
            salvage: cli.salvage,
            ..ReadOptions::default()
        },
        enlarge: EnlargeOptions {
            self_ensemble: cli.network.self_ensemble,
            memory: cli.memory,
            tile: cli.tile.filter(|&side| side > 0),
        },
        write: WriteOptions {
            quality: cli.quality,
            background: cli.background.map(|b| b.0),
        },
        jobs: cli.jobs.unwrap_or_default(),
        page: cli.report.is_some(),
    };
    let outcomes = Outcomes::new(cli.json, &plan);
    cli.adapter
        .profiled(device, || work(&net, &plan.jobs, &settings, &outcomes))?;
    if let Some(path) = &cli.report {
        let page = Page {
            title: format!("Enlarged ×{}", net.scale()),
            facts: made_by(&net, &origin, cli.network.self_ensemble, cli.network.half),
            pictures: outcomes.for_page(),
            ..Page::default()
        };
        page.save(path)?;
        terminal::say(format_args!("report: {}", shown(path)));
    }
    outcomes.finish(&plan)
}

fn request(cli: &Cli) -> Result<Request> {
    let inputs: Vec<_> = cli.pictures.iter().chain(&cli.inputs).cloned().collect();
    for path in inputs.iter().chain(&cli.output).chain(&cli.save) {
        ensure!(
            !path.as_os_str().is_empty(),
            "a path is empty; name a file or a folder"
        );
    }
    Ok(Request {
        inputs,
        output: cli.output.clone(),
        save: cli.save.clone(),
        format: cli.format,
        overwrite: cli.overwrite,
        skip_existing: cli.skip_existing,
        shard: cli.shard.unwrap_or_default(),
        kept: cli.network.file().into_iter().collect(),
    })
}

fn ignored(cli: &Cli) {
    if cli.model_name.is_some() || cli.model_path.is_some() {
        terminal::err(
            "note: there is one network, which the program carries; -n and -m are ignored",
        );
    }
    let list = cli.adapter.adapter.as_deref().unwrap_or_default();
    if list.contains(',') && list.split(',').all(|n| n.trim().parse::<u32>().is_ok()) {
        terminal::err(
            "note: one process computes on one adapter, the first of -g; --shard 1/2, 2/2 and so on spread a batch over several",
        );
    }
}
