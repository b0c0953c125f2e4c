//! `explain`: a page on what the network does with a picture, part by part.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use catanet::MIN_SIDE;
use catanet::attribution::{Patch, PathOptions, attribute};
use catanet::image::Image;
use clap::Parser;
use tensor::Device;

use crate::advice::with_options;
use crate::args::AdapterArgs;
use crate::explain::look;
use crate::interrupt;
use crate::page::made_by;
use crate::progress::Progress;
use crate::terminal::{self, shown};
use crate::weights::NetworkArgs;

/// The largest square that is looked at: its page has some ten megabytes.
const MOST: u32 = 256;

/// Shows on one page what the network does with a square of a picture: which tokens are grouped, who attends
/// to whom, what each part gives, and which pixels an enlarged patch depends on.
#[derive(Parser, Debug, Clone)]
#[command(name = "explain", version)]
pub struct Cli {
    /// The picture
    #[arg(value_name = "PICTURE", required_unless_present = "list_adapters")]
    pub picture: Option<PathBuf>,
    /// Page to write [default: NAME_explained.html beside the picture]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Folder to write the pictures of the page to, too, as PNG
    #[arg(long, value_name = "DIR")]
    pub save: Option<PathBuf>,
    /// Upper left corner of the square, column and row [default: in the middle]
    #[arg(long, value_name = "X,Y", value_parser = pair)]
    pub at: Option<[usize; 2]>,
    /// Side of the square in pixels
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(MIN_SIDE as i64..=MOST as i64))]
    pub side: u32,
    /// The enlarged patch that is attributed to pixels: its upper left corner in the enlarged square [default:
    /// in the middle]
    #[arg(long, value_name = "X,Y", value_parser = pair)]
    pub patch: Option<[usize; 2]>,
    /// Side of that patch
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub patch_side: u32,
    /// Steps of the attribution, each a forward and a backward pass; 0 leaves it out
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub steps: usize,
    /// Which network.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Where it computes, and what is told.
    #[command(flatten)]
    pub adapter: AdapterArgs,
}

/// `64,32`
fn pair(text: &str) -> std::result::Result<[usize; 2], String> {
    let wanted = || "a column and a row, like 64,32, are wanted".to_owned();
    let (x, y) = text.split_once(',').ok_or_else(wanted)?;
    let number = |text: &str| text.trim().parse().map_err(|_| wanted());
    Ok([number(x)?, number(y)?])
}

/// Does what the command line asks.
///
/// # Errors
/// Whatever is wrong with the picture, the weights, the adapter or the output, as one line.
pub fn run(cli: &Cli) -> Result<()> {
    let (Some(device), Some(picture)) = (cli.adapter.open()?, &cli.picture) else {
        return Ok(());
    };
    interrupt::watch();
    let profiled = cli
        .adapter
        .profiled(&device, || explain(cli, &device, picture));
    profiled.map_err(with_options)
}

fn explain(cli: &Cli, device: &Device, picture: &Path) -> Result<()> {
    let page = cli.output.clone().unwrap_or_else(|| beside(picture));
    ensure!(
        !page.exists() || page.extension().is_some_and(|end| end == "html"),
        "{} exists and is no page; name another file with -o",
        shown(&page)
    );
    let whole = Image::load(picture)?;
    let square = square(&whole, cli)?;
    let (net, weights) = cli.network.open(device)?;
    let scale = net.scale();
    let patch = patch(cli, [square.width, square.height].map(|n| n * scale))?;
    terminal::say(format_args!("weights: {weights}"));

    let mut explained = look(&net, &square)?;
    if cli.steps > 0 {
        let options = PathOptions {
            steps: cli.steps,
            ..PathOptions::default()
        };
        let bar = Progress::new(cli.steps as u64, 0, "attribution");
        let size = [square.height, square.width];
        let found = attribute(&net, &square.to_f32(), size, patch, options, &mut |done| {
            bar.show(done as u64, "attribution".to_owned(), |_| ());
            !interrupt::asked()
        })?;
        bar.clear();
        let Some(found) = found else {
            bail!("stopped; nothing was written");
        };
        terminal::say(format_args!(
            "diffusion index of the patch at {},{}: {:.2}",
            patch.x,
            patch.y,
            found.diffusion_index()
        ));
        explained.attribution = Some((patch, found));
    }
    let mut facts = vec![(
        "picture".to_owned(),
        format!(
            "{}, {}×{} of it",
            shown(picture),
            square.width,
            square.height
        ),
    )];
    facts.extend(made_by(&net, &weights, false, false));
    if let Some(folder) = &cli.save {
        explained.save(folder)?;
    }
    let html = explained.html(&facts)?;
    let failed = || format!("cannot write {}", shown(&page));
    nn::checkpoint::write_atomically(&page, html.as_bytes()).with_context(failed)?;
    terminal::say(format_args!("page: {}", shown(&page)));
    Ok(())
}

fn beside(picture: &Path) -> PathBuf {
    let name = picture.file_stem().unwrap_or_default().to_string_lossy();
    picture.with_file_name(format!("{name}_explained.html"))
}

/// The square that is looked at, or as much as a small picture has.
fn square(whole: &Image, cli: &Cli) -> Result<Image> {
    let side = cli.side as usize;
    let (width, height) = (whole.width.min(side), whole.height.min(side));
    ensure!(
        width.min(height) >= MIN_SIDE,
        "the picture has {}×{} pixels; {MIN_SIDE} a side are the least that can be explained",
        whole.width,
        whole.height
    );
    let [x, y] = cli
        .at
        .unwrap_or([(whole.width - width) / 2, (whole.height - height) / 2]);
    ensure!(
        x + width <= whole.width && y + height <= whole.height,
        "a square of {width}×{height} at {x},{y} reaches out of the picture, {}×{}; choose --at and --side within it",
        whole.width,
        whole.height
    );
    Ok(whole.crop(x, y, width, height))
}

/// The patch of the enlarged square that is attributed.
fn patch(cli: &Cli, [width, height]: [usize; 2]) -> Result<Patch> {
    let side = cli.patch_side as usize;
    ensure!(
        side <= width.min(height),
        "a patch of {side}×{side} is larger than the enlarged square, {width}×{height}; choose a smaller --patch-side"
    );
    let [x, y] = cli
        .patch
        .unwrap_or([(width - side) / 2, (height - side) / 2]);
    ensure!(
        x + side <= width && y + side <= height,
        "a patch of {side}×{side} at {x},{y} reaches out of the enlarged square, {width}×{height}; choose another --patch"
    );
    Ok(Patch { x, y, side })
}
