//! How fast training crops come from whole images, from sub-images and from a database, with and without a
//! cache: `cargo bench --bench loading`, optionally with a folder: `-- DIV2K_train_HR`. See docs/prepare.md.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use catanet::data::dead_leaves::scene;
use catanet::data::{Cut, Loader, LoaderOptions, Source};
use catanet::image::Image;
use catanet::imresize::downscale;

type Outcome<T> = Result<T, Box<dyn Error>>;

const SCALE: usize = 2;
/// As DIV2K's.
const SIZE: (usize, usize) = (2040, 1356);
const IMAGES: usize = 12;

fn main() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let given = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let whole = folder.path().join("whole");
    make(&whole, given.as_deref().map(Path::new))?;
    let parts = folder.path().join("parts");
    let source = Source::open(&whole, SCALE)?;
    let Source::Photos(pairs) = &source else {
        return Err("no photographs".into());
    };
    let cut = Cut {
        scale: SCALE,
        crop: 480,
        step: 240,
        thresh: 0,
    };
    let sides = ["HR", "LR_bicubic/X2"].map(|side| parts.join(side));
    for side in &sides {
        fs::create_dir_all(side)?;
    }
    let started = Instant::now();
    let done = cut.all(pairs, &sides[0], &sides[1], |_| true)?;
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{} images cut into {} sub-images in {seconds:.1} s; {} MB became {} MB",
        pairs.len(),
        done.hr.len(),
        megabytes(&whole)?,
        megabytes(&parts)?
    );
    println!(
        "pairs of 64×64 and 128×128 a second, {} thread(s)",
        LoaderOptions::spare_threads()
    );
    rate("whole images", &source, 0)?;
    let cut = Source::open(&parts, SCALE)?;
    rate("sub-images", &cut, 0)?;
    rate_of_database(folder.path(), &done.hr, &done.lr)?;
    rate(
        "whole images, in the cache",
        &source,
        LoaderOptions::CACHE_BYTES,
    )?;
    rate(
        "sub-images, in the cache",
        &cut,
        LoaderOptions::CACHE_BYTES * 4,
    )?;
    let made = pairs.iter().map(|(hr, _)| (hr.clone(), None)).collect();
    rate(
        "whole images, in the cache, bicubic made on the way",
        &Source::Photos(made),
        LoaderOptions::CACHE_BYTES,
    )
}

/// Pairs of images: those in the folder, or generated ones.
fn make(folder: &Path, given: Option<&Path>) -> Outcome<()> {
    let sides = ["HR", "LR_bicubic/X2"].map(|side| folder.join(side));
    for side in &sides {
        fs::create_dir_all(side)?;
    }
    let images: Vec<PathBuf> = match given {
        Some(given) => fs::read_dir(given)?
            .map(|entry| Ok(entry?.path()))
            .collect::<Outcome<_>>()?,
        None => Vec::new(),
    };
    for i in 0..IMAGES {
        let image = match given {
            None => scene(1, i as u64, SIZE.0, SIZE.1),
            Some(_) => match images.get(i) {
                Some(file) => Image::load(file)?,
                None => break,
            },
        };
        image.save_png(sides[0].join(format!("{i}.png")))?;
        downscale(&image.modcrop(SCALE), SCALE).save_png(sides[1].join(format!("{i}x2.png")))?;
    }
    Ok(())
}

fn megabytes(folder: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for side in ["HR", "LR_bicubic/X2"] {
        for entry in fs::read_dir(folder.join(side))? {
            bytes += entry?.metadata()?.len();
        }
    }
    Ok(bytes / 1_000_000)
}

#[cfg(feature = "lmdb")]
fn rate_of_database(folder: &Path, hr: &[PathBuf], lr: &[PathBuf]) -> Outcome<()> {
    use catanet::data::{Backend, LmdbRecord, Paired, write_lmdb};
    let [gt, lq] = ["HR.lmdb", "LR.lmdb"].map(|name| folder.join(name));
    for (path, files) in [(&gt, hr), (&lq, lr)] {
        write_lmdb(
            path,
            &files.iter().map(LmdbRecord::from).collect::<Vec<_>>(),
            |_| true,
        )?;
    }
    let paired = Paired {
        gt,
        lq: Some(lq),
        template: "{}".to_owned(),
        meta_info: None,
        backend: Backend::Lmdb,
    };
    rate("sub-images in LMDB", &Source::paired(&paired, SCALE)?.0, 0)
}

#[cfg(not(feature = "lmdb"))]
fn rate_of_database(_: &Path, _: &[PathBuf], _: &[PathBuf]) -> Outcome<()> {
    Ok(())
}

/// Prints how many pairs come in a second, once what fits is in the cache.
fn rate(name: &str, source: &Source, cache_bytes: usize) -> Outcome<()> {
    let options = LoaderOptions {
        cache_bytes,
        ..LoaderOptions::default()
    };
    let batch = options.batch;
    let started = Instant::now();
    let mut loader = Loader::new(source.clone(), options, 0)?;
    if cache_bytes > 0 {
        loader.decode_all(&mut |_, _| true)?; // which fills the cache
    }
    let looked = started.elapsed().as_secs_f64();
    for batch in loader.by_ref().take(4) {
        batch?; // those that were made ahead
    }
    let (started, mut batches) = (Instant::now(), 0);
    while started.elapsed() < Duration::from_secs(8) {
        loader.next().ok_or("the loader ended")??;
        batches += 1;
    }
    let rate = (batches * batch) as f64 / started.elapsed().as_secs_f64();
    println!("{name:<52} {rate:>8.0}   (looked at in {looked:.2} s)");
    Ok(())
}
