//! `eval`: scores a network on benchmark sets.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use catanet::data::benchmark::{BenchmarkSet, Pair, dead_leaves_set, find_sets};
use catanet::evaluate::{EvaluateOptions, Event, ImageScore, SetScore, enlarge, evaluate};
use catanet::image::Image;
use catanet::metrics::Quality;
use catanet::{CATANet, Error, weights};
use clap::Parser;
use tensor::Device;

use crate::advice::with_options;
use crate::args::AdapterArgs;
use crate::eval_options::{Job, ScoredSet};
use crate::page::{Page, Shown, made_by};
use crate::progress::Progress;
use crate::report::{Report, check_writable};
use crate::terminal::{err, out, say, shown};
use crate::weights::NetworkArgs;

/// Scores CATANet: PSNR and SSIM on Y, beside bicubic interpolation and the paper.
#[derive(Parser, Debug, Clone)]
#[command(name = "eval", version)]
pub struct Cli {
    /// Folder of benchmark sets, DIR/Set5/HR/NAME.png and DIR/Set5/LR_bicubic/X2/NAMEx2.png (made
    /// on the fly where missing) [default: generated scenes, and the sets in ./datasets]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// BasicSR's option file (-opt does, too): its sets, metrics and weights; images that it saves go to
    /// results/NAME/visualization, or where it says
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    pub opt: Option<PathBuf>,
    /// Score this set only; or, with KEY=VALUE, change a key of the option file, as in
    /// val.save_img=false; may be given several times
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
    /// Write a page to look at: every image beside bicubic and the original, with a slider
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
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
    for file in cli.json.iter().chain(&cli.report) {
        check_writable(file)?; // rather now than after the last set
    }
    let job = Job::of(cli)?;
    for note in &job.notes {
        err(format_args!("note: {note}"));
    }
    let (net, origin) = job.network.open(device)?;
    if let Some(note) = job.network.passed_over() {
        err(format_args!("note: {note}"));
    }
    out(format_args!(
        "weights: {origin}\nadapter: {}\n",
        device.name()
    ));
    let options = EvaluateOptions {
        self_ensemble: cli.network.self_ensemble,
        save: job.save.as_deref(),
        metrics: &job.metrics,
        ..EvaluateOptions::default()
    };
    warm_up(&net)?;
    cli.adapter.profiled(device, || {
        let mut page = cli.report.as_ref().map(|_| Page {
            title: format!("CATANet ×{}", net.scale()),
            facts: made_by(&net, &origin, cli.network.self_ensemble, cli.network.half),
            ..Page::default()
        });
        let report = score(&net, &job.sets, &options, page.as_mut())?;
        out(report.table().trim_end());
        for set in report.sets().iter().filter(|set| !set.metrics.is_empty()) {
            out(validation_lines(set));
        }
        if let (Some(path), Some(page)) = (&cli.report, &mut page) {
            page.table = report.rows();
            page.save(path)?;
            say(format_args!("report: {}", shown(path)));
        }
        if let Some(path) = &cli.json {
            report.save_json(path)?;
        }
        report.all_scored()
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
        let sets: Vec<_> = default_sets()?.into_iter().map(ScoredSet::from).collect();
        score(&net, &sets, &EvaluateOptions::default(), None)
    };
    out(format_args!(
        "\n{}",
        report().map_err(with_options)?.table().trim_end()
    ));
    Ok(())
}

/// A fixed generated set (never scenes of a training run: the seed is another), and every set in
/// `./datasets`.
pub(crate) fn default_sets() -> catanet::Result<Vec<BenchmarkSet>> {
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

fn score(
    net: &CATANet,
    sets: &[ScoredSet],
    options: &EvaluateOptions,
    mut page: Option<&mut Page>,
) -> Result<Report> {
    let mut scores = Vec::with_capacity(sets.len());
    let mut failed = Vec::new();
    for ScoredSet { set, save_as } in sets {
        // A set that is not there loses no figures of others.
        if let Err(error) = set.open(net.scale()) {
            err(format_args!("not scored: {}: {error}", set.name));
            failed.push((set.name.clone(), error.to_string()));
            continue;
        }
        let mut progress = Progress::new(0, 0, &set.name);
        let mut done = 0;
        let options = EvaluateOptions {
            save_as: save_as.as_deref(),
            ..*options
        };
        let score = evaluate(net, set, &options, |event| match event {
            Event::Opened(images, notes) => {
                for note in notes {
                    err(format_args!("note: {}: {note}", set.name));
                }
                progress = Progress::new(images as u64, 0, &set.name);
            }
            Event::Scored(image, pair, output) => {
                done += 1;
                show(&progress, &set.name, done, image);
                if let Some(page) = &mut page {
                    page.pictures
                        .extend(on_page(&set.name, image, pair, output));
                }
            }
            Event::Failed(failure) => {
                done += 1;
                err(format_args!(
                    "not scored: {}/{}: {}",
                    set.name, failure.name, failure.error
                ));
            }
        });
        progress.clear();
        scores.push(score?);
    }
    let report = Report::new(net, options.self_ensemble, scores, failed);
    match report.first_failure() {
        Some(failure) if report.is_empty() => Err(anyhow!("{failure}")),
        _ => Ok(report),
    }
}

/// The metrics of an option file as BasicSR's log has them.
fn validation_lines(set: &SetScore) -> String {
    let line = |(name, value): &(String, Option<f64>)| match value {
        Some(value) => format!("\n    # {name}: {value:.4}"),
        None => format!("\n    # {name}: – (no image is large enough)"),
    };
    let lines: String = set.metrics.iter().map(line).collect();
    format!("\nValidation {}{lines}", set.name)
}

/// An image of a set for the page; None where it cannot be shown, which loses no figures.
fn on_page(set: &str, score: &ImageScore, pair: &Pair, output: &Image) -> Option<Shown> {
    let figures = |name: &str, quality: Option<Quality>| {
        quality.map(|q| format!("{name} {:.2} dB / {:.4}", q.psnr, q.ssim))
    };
    let parts = [
        figures("ours", score.network),
        figures("bicubic", score.bicubic),
    ];
    let caption = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let [low, ours, original] = [&pair.lr, output, &pair.hr].map(Image::to_picture);
    let name = format!("{set} / {}", score.name);
    Shown::new(&name, &caption, &low, &ours, Some(&original)).ok()
}

fn show(progress: &Progress, set: &str, done: u64, image: &ImageScore) {
    let ImageScore { name, network, .. } = image;
    let psnr = network.map_or("too small to score".to_owned(), |q| {
        format!("{:.2} dB", q.psnr)
    });
    progress.show(done, format!("{set} {name}  {psnr}"), |line| {
        err(format_args!("{line}  {:.2} s", image.seconds)); // the table's way stays free
    });
}
