//! `upscale`: enlarges image files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use catanet::evaluate::enlarge_named;
use catanet::image::Image;
use catanet::{CATANet, Error};
use clap::Parser;
use tensor::Device;

use crate::advice::with_options;
use crate::args::AdapterArgs;
use crate::report::check_writable;
use crate::weights::NetworkArgs;

/// Enlarges images (PNG, JPEG, WebP, BMP, TIFF) with CATANet, and writes PNGs.
#[derive(Parser, Debug, Clone)]
#[command(name = "upscale", version)]
pub struct Cli {
    /// Images to enlarge
    #[arg(required_unless_present = "list_adapters")]
    pub input: Vec<PathBuf>,
    /// Which network.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Folder to write NAME_x2.png to [default: beside each input]
    #[arg(long, value_name = "DIR")]
    pub save: Option<PathBuf>,
    /// File to write the one input's enlargement to
    #[arg(short, long, value_name = "FILE", conflicts_with = "save")]
    pub output: Option<PathBuf>,
    /// Which adapter.
    #[command(flatten)]
    pub adapter: AdapterArgs,
}

/// Does what the command line asks. Nothing is written unless all inputs look sound.
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
    let (net, origin) = cli.network.open(device)?;
    let outputs = outputs(cli, net.scale())?;
    for input in &cli.input {
        let (width, height) = Image::size_on_disk(input)?;
        net.check_size(height, width).map_err(|source| {
            let name = input.display().to_string();
            Error::NotEnlarged { name, source }
        })?;
    }
    if let Some(folder) = &cli.save {
        fs::create_dir_all(folder).map_err(|source| Error::UnwritableFile {
            path: folder.clone(),
            source,
        })?;
    }
    for output in &outputs {
        check_writable(output)?;
    }
    println!("weights: {origin}\nadapter: {}", device.name());
    let work = || {
        let mut files = cli.input.iter().zip(&outputs);
        files.try_for_each(|(input, output)| upscale(&net, cli, input, output))
    };
    cli.adapter.profiled(device, work)
}

fn upscale(net: &CATANet, cli: &Cli, input: &Path, output: &Path) -> Result<()> {
    let scale = net.scale();
    let image = Image::load(input)?;
    net.device().trim(); // the next image may have another size
    let start = Instant::now();
    let (from, to) = (input.display().to_string(), output.display());
    let pixels = enlarge_named(net, &image, cli.network.self_ensemble, &from)?;
    let seconds = start.elapsed().as_secs_f64();
    let (width, height) = (image.width * scale, image.height * scale);
    Image::from_f32(&pixels, width, height).save_png(output)?;
    println!("{from} -> {to}  {width}×{height}  {seconds:.2} s");
    Ok(())
}

/// A file for each input, none of them an input itself or another's.
fn outputs(cli: &Cli, scale: usize) -> Result<Vec<PathBuf>> {
    if cli.output.is_some() {
        let n = cli.input.len();
        ensure!(
            n == 1,
            "--output names one file, but there are {n} inputs; use --save DIR"
        );
    }
    // Not by name alone: `./a.png` and a link may be `a.png` too.
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let inputs: Vec<_> = cli.input.iter().map(|input| real(input)).collect();
    let mut taken = BTreeMap::new();
    let mut outputs = Vec::with_capacity(cli.input.len());
    for input in &cli.input {
        let stem = input.file_stem().unwrap_or_default().to_string_lossy();
        let name = format!("{stem}_x{scale}.png");
        let output = match (&cli.output, &cli.save) {
            (Some(file), _) => file.clone(),
            (None, Some(folder)) => folder.join(name),
            (None, None) => input.with_file_name(name),
        };
        if inputs.contains(&real(&output)) {
            bail!(
                "{} would be written over an input; choose another place with --save or --output",
                output.display()
            );
        }
        if let Some(other) = taken.insert(output.clone(), input) {
            bail!(
                "{} and {} would both be written to {}; enlarge them one by one with --output",
                other.display(),
                input.display(),
                output.display()
            );
        }
        outputs.push(output);
    }
    Ok(outputs)
}
