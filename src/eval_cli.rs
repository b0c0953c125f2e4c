//! `eval`: scores a network on benchmark sets.

use std::path::{Path, PathBuf};

use anyhow::Result;
use catanet::data::benchmark::{BenchmarkSet, dead_leaves_set, find_sets, select_sets};
use catanet::evaluate::{EvaluateOptions, ImageScore, enlarge, evaluate};
use catanet::image::Image;
use catanet::{CATANet, Error, weights};
use clap::Parser;
use tensor::Device;

use crate::advice::with_options;
use crate::args::AdapterArgs;
use crate::progress::Progress;
use crate::report::{Report, check_writable};
use crate::weights::NetworkArgs;

/// Scores CATANet: PSNR and SSIM on Y, beside bicubic interpolation and the paper.
#[derive(Parser, Debug, Clone)]
#[command(name = "eval", version)]
pub struct Cli {
    /// Folder of benchmark sets, DIR/Set5/HR/NAME.png and DIR/Set5/LR_bicubic/X2/NAMEx2.png (made
    /// on the fly where missing) [default: generated scenes, and the sets in ./datasets]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Score this set only; may be given several times
    #[arg(long, value_name = "NAME")]
    pub set: Vec<String>,
    /// Which network.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Save the enlarged images as DIR/SET/NAME_x2.png
    #[arg(long, value_name = "DIR")]
    pub save: Option<PathBuf>,
    /// Write the results as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Which adapter.
    #[command(flatten)]
    pub adapter: AdapterArgs,
}

/// Does what the command line asks, and prints the table.
///
/// # Errors
/// Whatever the environment does wrong, as one line.
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
    if let Some(json) = &cli.json {
        check_writable(json)?; // rather now than after the last set
    }
    let sets = match &cli.data {
        Some(folder) => find_sets(folder)?,
        None => default_sets()?,
    };
    let sets = select_sets(sets, &cli.set)?;
    let (net, origin) = cli.network.open(device)?;
    println!("weights: {origin}\nadapter: {}\n", device.name());
    let options = EvaluateOptions {
        self_ensemble: cli.network.self_ensemble,
        save: cli.save.as_deref(),
    };
    warm_up(&net)?;
    cli.adapter.profiled(device, || {
        let report = score(&net, &sets, &options)?;
        print!("{}", report.table());
        cli.json
            .as_ref()
            .map_or(Ok(()), |path| report.save_json(path))
    })
}

/// The evaluation that a training run ends with: its weights on the default sets.
///
/// # Errors
/// As [`run`].
pub fn evaluate_run(device: &Device, scale: usize, file: &Path) -> Result<()> {
    let report = || {
        let (net, _) = weights::load(device, file, Some(scale))?;
        warm_up(&net)?;
        score(&net, &default_sets()?, &EvaluateOptions::default())
    };
    print!("\n{}", report().map_err(with_options)?.table());
    Ok(())
}

/// A fixed generated set (never scenes of a training run: the seed is another), and every set in
/// `./datasets`.
fn default_sets() -> catanet::Result<Vec<BenchmarkSet>> {
    let mut sets = vec![dead_leaves_set(8, 192, u64::MAX)];
    let folder = Path::new("datasets");
    if folder.is_dir() {
        match find_sets(folder) {
            Err(Error::NoSets { .. }) => {} // photographs to train on, say
            found => sets.extend(found?),
        }
    }
    Ok(sets)
}

/// Kernels are compiled on first use, which is not to count as time in the network.
fn warm_up(net: &CATANet) -> Result<()> {
    enlarge(net, &Image::new(1, 1, vec![0; 3]), false)?;
    Ok(())
}

fn score(net: &CATANet, sets: &[BenchmarkSet], options: &EvaluateOptions) -> Result<Report> {
    let mut scores = Vec::with_capacity(sets.len());
    for set in sets {
        let progress = Progress::new(set.len() as u64, 0, &set.name);
        let mut done = 0;
        let score = evaluate(net, set, options, |image| {
            done += 1;
            show(&progress, &set.name, done, image);
        })?;
        progress.clear();
        scores.push(score);
    }
    Ok(Report::new(net, options.self_ensemble, scores))
}

fn show(progress: &Progress, set: &str, done: u64, image: &ImageScore) {
    let ImageScore { name, network, .. } = image;
    let psnr = network.map_or("too small to score".to_owned(), |q| {
        format!("{:.2} dB", q.psnr)
    });
    progress.show(done, format!("{set} {name}  {psnr}"), |line| {
        eprintln!("{line}  {:.2} s", image.seconds); // the table's way stays free
    });
}
