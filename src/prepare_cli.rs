//! Cuts training images into sub-images, as BasicSR's data preparation does, and stores them in its LMDB layout.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use catanet::Error;
use catanet::data::{Backend, Cut, CutDone, LoaderOptions, Paired, Source};
use clap::Parser;
use nn::checkpoint::write_atomically;
use serde::{Deserialize, Serialize};

use crate::progress::Progress;
use crate::terminal::{self, shown};
use crate::{interrupt, report};

/// Cuts training images into sub-images, as BasicSR's data preparation does. (Training here needs none of it:
/// see docs/prepare.md.)
#[derive(Parser, Debug)]
#[command(name = "prepare", version)]
pub struct Cli {
    /// Folder of high-resolution images
    #[arg(long, value_name = "DIR")]
    pub hr: PathBuf,
    /// Folder of their low-resolution images, called NAMEx2.png and the like
    #[arg(long, value_name = "DIR", requires = "scale")]
    pub lr: Option<PathBuf>,
    /// Folder to write to: HR/ and LR_bicubic/X2/ in it, as train --data reads them
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Factor between the two sides
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u8).range(2..=4))]
    pub scale: Option<u8>,
    /// Side of a high-resolution sub-image
    #[arg(long, value_name = "N", default_value_t = 480, value_parser = clap::value_parser!(u32).range(1..=65535))]
    pub crop_size: u32,
    /// Pixels from one sub-image to the next
    #[arg(long, value_name = "N", default_value_t = 240, value_parser = clap::value_parser!(u32).range(1..=65535))]
    pub step: u32,
    /// A rest of more pixels than this gets a sub-image at the edge
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub thresh: u32,
    /// Also write the sub-images into databases, HR.lmdb and LR_bicubic_X2.lmdb
    #[arg(long)]
    pub lmdb: bool,
}

/// What the files in an output folder were made from, so that what is there whole may be kept.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Origin {
    hr: PathBuf,
    lr: Option<PathBuf>,
    scale: usize,
    crop_size: usize,
    step: usize,
    thresh: usize,
}

const ORIGIN: &str = "prepare.json";

/// Does what the command line asks, and tells the exit status: 0, 1 where something failed, 130 where it was
/// stopped.
pub fn main(cli: &Cli) -> ExitCode {
    match run(cli) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            terminal::err("stopped; what is written is whole, and the same command goes on");
            ExitCode::from(interrupt::status())
        }
        Err(error) => report::exit(Err(error)),
    }
}

/// Returns whether all was done: not, where it was stopped.
fn run(cli: &Cli) -> Result<bool> {
    let cut = cut(cli)?;
    let (source, notes) = source(cli, cut.scale)?;
    for note in notes {
        terminal::err(format_args!("note: {note}"));
    }
    // Every image must hold a sub-image, and fit its partner.
    let options = LoaderOptions {
        scale: cut.scale,
        patch: cut.crop / cut.scale,
        ..LoaderOptions::default()
    };
    source.check(&options)?;
    let Source::Photos(pairs) = source else {
        return Ok(true);
    };
    let lr_name = format!("LR_bicubic/X{}", cut.scale);
    let (hr, lr) = (cli.out.join("HR"), cli.out.join(&lr_name));
    apart(cli, [&hr, &lr])?;
    for folder in [Some(&hr), cli.lr.as_ref().map(|_| &lr)] {
        let make = |folder: &PathBuf| fs::create_dir_all(folder);
        folder.map_or(Ok(()), make).with_context(|| {
            format!(
                "cannot make a folder in {}; choose another --out",
                shown(&cli.out)
            )
        })?;
    }
    let _lock = lock(&cli.out)?;
    agree(cli, &cut)?;
    interrupt::watch();
    let progress = Progress::new(pairs.len() as u64, 0, "images");
    let every = pairs.len().div_ceil(20);
    let done = cut.all(&pairs, &hr, &lr, |done| {
        progress.show(done as u64, "images".to_owned(), |line| {
            if done.is_multiple_of(every) {
                terminal::say(line);
            }
        });
        !interrupt::asked()
    })?;
    progress.finish();
    if !done.whole {
        return Ok(false);
    }
    told(cli, &done, pairs.len());
    if !cli.lmdb {
        return Ok(true);
    }
    let databases = [
        ("HR".to_owned(), &done.hr),
        (lr_name.replace('/', "_"), &done.lr),
    ];
    for (name, files) in databases.iter().filter(|(_, files)| !files.is_empty()) {
        if !store(&cli.out.join(format!("{name}.lmdb")), files)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What is to be cut, where it is possible.
fn cut(cli: &Cli) -> Result<Cut> {
    let scale = usize::from(cli.scale.unwrap_or(1));
    let cut = Cut {
        scale,
        crop: cli.crop_size as usize,
        step: cli.step as usize,
        thresh: cli.thresh as usize,
    };
    for (option, n) in [("--crop-size", cut.crop), ("--step", cut.step)] {
        ensure!(
            n.is_multiple_of(scale),
            "{option} {n} is no multiple of the scale; choose {}",
            n.next_multiple_of(scale)
        );
    }
    ensure!(
        cfg!(feature = "lmdb") || !cli.lmdb,
        "this program was built without LMDB; leave out --lmdb"
    );
    Ok(cut)
}

/// The images, paired by whichever of the usual names fits.
fn source(cli: &Cli, scale: usize) -> Result<(Source, Vec<String>)> {
    let mut paired = Paired {
        gt: cli.hr.clone(),
        lq: cli.lr.clone(),
        template: format!("{{}}x{scale}"),
        meta_info: None,
        backend: Backend::Disk,
    };
    match Source::paired(&paired, scale) {
        Err(Error::NoPartners {
            fitting: Some(template),
            ..
        }) => {
            paired.template = template;
            Ok(Source::paired(&paired, scale)?)
        }
        found => Ok(found?),
    }
}

/// Refuses to cut the folders' own images into them.
fn apart(cli: &Cli, made: [&PathBuf; 2]) -> Result<()> {
    let full = |path: &PathBuf| fs::canonicalize(path).ok();
    for read in [Some(&cli.hr), cli.lr.as_ref()].into_iter().flatten() {
        ensure!(
            !made
                .iter()
                .any(|made| full(made).is_some_and(|made| full(read) == Some(made))),
            "the sub-images would go among the images that they are cut from, in {}; choose another --out",
            shown(read)
        );
    }
    Ok(())
}

/// Holds the output folder for this process, until it ends.
fn lock(out: &Path) -> Result<File> {
    let path = out.join(".lock");
    let file = File::options().create(true).append(true).open(&path);
    let file = file.with_context(|| format!("cannot write {}", shown(&path)))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => bail!(
            "{} is in use: another process prepares images there; wait for it, or choose another --out",
            shown(out)
        ),
        _ => Ok(file), // some file systems have no locks
    }
}

/// Makes sure that what the output folder holds was made as it would be now, and notes how it is made.
fn agree(cli: &Cli, cut: &Cut) -> Result<()> {
    let full = |path: &PathBuf| fs::canonicalize(path).unwrap_or_else(|_| path.clone());
    let origin = Origin {
        hr: full(&cli.hr),
        lr: cli.lr.as_ref().map(full),
        scale: cut.scale,
        crop_size: cut.crop,
        step: cut.step,
        thresh: cut.thresh,
    };
    let path = cli.out.join(ORIGIN);
    if let Ok(text) = fs::read(&path) {
        let before = serde_json::from_slice::<Origin>(&text);
        ensure!(
            before.is_ok_and(|before| before == origin),
            "{} was prepared from other folders or with other options ({}); choose another --out, or remove it",
            shown(&cli.out),
            shown(&path)
        );
        return Ok(());
    }
    let text = serde_json::to_vec_pretty(&origin)?;
    write_atomically(&path, &text).with_context(|| format!("cannot write {}", shown(&path)))
}

fn told(cli: &Cli, done: &CutDone, images: usize) {
    let (crop, out) = (cli.crop_size, shown(&cli.out));
    let kept = match done.kept {
        0 => String::new(),
        n => format!("; {n} files were there already and are kept"),
    };
    let sides = match done.lr.len() {
        0 => String::new(),
        n => format!(" and {n} low-resolution ones"),
    };
    terminal::say(format_args!(
        "{images} images: {} sub-images of {crop}×{crop}{sides} in {out}{kept}",
        done.hr.len()
    ));
}

/// Writes the database, or keeps the one that is there.
#[cfg(feature = "lmdb")]
fn store(path: &Path, files: &[PathBuf]) -> Result<bool> {
    use catanet::data::{LmdbRecord, lmdb_keys, write_lmdb};
    let records: Vec<_> = files.iter().map(LmdbRecord::from).collect();
    if path.exists() {
        let keys = records.iter().map(|record| &record.key);
        if !lmdb_keys(path)?.iter().eq(keys) {
            bail!("{} holds other images; remove it", shown(path));
        }
        terminal::say(format_args!(
            "{} was there already and is kept",
            shown(path)
        ));
        return Ok(true);
    }
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let progress = Progress::new(records.len() as u64, 0, &name);
    let every = records.len().div_ceil(20);
    let whole = write_lmdb(path, &records, |done| {
        progress.show(done as u64, name.clone(), |line| {
            if done.is_multiple_of(every) {
                terminal::say(line);
            }
        });
        !interrupt::asked()
    })?;
    progress.finish();
    if whole {
        terminal::say(format_args!("{}: {} records", shown(path), records.len()));
    }
    Ok(whole)
}

#[cfg(not(feature = "lmdb"))]
fn store(path: &Path, _files: &[PathBuf]) -> Result<bool> {
    bail!("{}: this program was built without LMDB", shown(path))
}
