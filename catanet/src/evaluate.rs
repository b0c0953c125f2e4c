//! Enlarging images with a network, and scoring what comes out.

use std::fs;
use std::path::Path;
use std::time::Instant;

use crate::data::benchmark::{BenchmarkSet, Pair};
use crate::enlarge::enlarge_whole;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::imresize::upscale;
use crate::metrics::{Metric, Quality};
use crate::model::CATANet;

/// `image` enlarged by `net`: `[H·s, W·s, 3]`, about `[0, 1]`, not clamped.
///
/// With `self_ensemble`, the mean of eight outputs: the image is flipped and transposed in all ways,
/// and what comes out turned back (the papers' †).
///
/// # Errors
/// The image is too large for the adapter (known before any work is done), or the device failed.
pub fn enlarge(net: &CATANet, image: &Image, self_ensemble: bool) -> tensor::Result<Vec<f32>> {
    let size = [image.height, image.width];
    net.check_size(image.height, image.width)?;
    let pixels = image.to_f32();
    let mut go_on = |_| true;
    let output = enlarge_whole(net, &pixels, size, self_ensemble, &mut go_on);
    Ok(pollster::block_on(output)?.unwrap_or_default()) // nobody asks to stop
}

/// [`enlarge`] for an output that is to be kept: errors tell the image's `name`, and an output that is no
/// picture is one.
///
/// # Errors
/// As [`enlarge`], or the output holds NaN or infinity.
pub fn enlarge_named(
    net: &CATANet,
    image: &Image,
    self_ensemble: bool,
    name: &str,
) -> Result<Vec<f32>> {
    let output = enlarge(net, image, self_ensemble).map_err(|source| {
        let name = name.to_owned();
        Error::NotEnlarged { name, source }
    })?;
    if !output.iter().all(|v| v.is_finite()) {
        // As 8 bits, or in a mean, it would pass for a result.
        let name = name.to_owned();
        return Err(Error::NotFinite { name });
    }
    Ok(output)
}

/// How one image of a set came out.
#[derive(Debug, Clone)]
pub struct ImageScore {
    /// Its name.
    pub name: String,
    /// The network's output against the original; `None` where the image is too small for SSIM.
    pub network: Option<Quality>,
    /// The low-resolution image enlarged by [`imresize`](crate::imresize), likewise.
    pub bicubic: Option<Quality>,
    /// The network's output by the metrics that were asked for; None where it is too small.
    pub metrics: Vec<Option<f64>>,
    /// Time in the network: device idle to output read back.
    pub seconds: f64,
}

/// How a set came out.
#[derive(Debug)]
pub struct SetScore {
    /// The set's name.
    pub name: String,
    /// The factor by which its images were enlarged.
    pub scale: usize,
    /// Its images.
    pub images: Vec<ImageScore>,
    /// The metrics that were asked for, by name: means over the images that are large enough.
    pub metrics: Vec<(String, Option<f64>)>,
    /// The images that could not be read or enlarged; no mean counts them.
    pub failed: Vec<Failure>,
    /// What a user should know of its files, a sentence each.
    pub notes: Vec<String>,
}

/// An image without a score.
#[derive(Debug)]
pub struct Failure {
    /// Its name.
    pub name: String,
    /// What is wrong with it.
    pub error: Error,
}

/// What [`evaluate`] tells while it works.
#[derive(Debug)]
pub enum Event<'a> {
    /// The set's files are found: this many images, and notes.
    Opened(usize, &'a [String]),
    /// An image is scored: its figures, its files, and what the network made, rounded to 8 bits.
    Scored(&'a ImageScore, &'a Pair, &'a Image),
    /// An image is passed over.
    Failed(&'a Failure),
}

impl SetScore {
    /// Means of the network's figures over the images that have some.
    pub fn network(&self) -> Option<Quality> {
        self.mean(|image| image.network)
    }

    /// Means of the bicubic figures, likewise.
    pub fn bicubic(&self) -> Option<Quality> {
        self.mean(|image| image.bicubic)
    }

    /// Time in the network over all images.
    pub fn seconds(&self) -> f64 {
        self.images.iter().map(|image| image.seconds).sum()
    }

    fn mean(&self, of: fn(&ImageScore) -> Option<Quality>) -> Option<Quality> {
        Quality::mean(&self.images.iter().filter_map(of).collect::<Vec<_>>())
    }
}

/// What to do with a set.
#[derive(Debug, Clone, Copy)]
pub struct EvaluateOptions<'a> {
    /// Average over the eight symmetries.
    pub self_ensemble: bool,
    /// A folder to save the enlarged images in, as `SET/NAME_x2.png`.
    pub save: Option<&'a Path>,
    /// What these files are called instead, `{}` being an image's name: `{}_x2` without the extension.
    pub save_as: Option<&'a str>,
    /// What else to measure, by name.
    pub metrics: &'a [(String, Metric)],
    /// Asked before each image: whether the rest is to be left out.
    pub stop: fn() -> bool,
}

impl Default for EvaluateOptions<'_> {
    /// All images, once each; nothing is saved.
    fn default() -> Self {
        EvaluateOptions {
            self_ensemble: false,
            save: None,
            save_as: None,
            metrics: &[],
            stop: || false,
        }
    }
}

/// Enlarges and scores every image of `set`, telling `observe` of each. An image that cannot be read, that
/// does not fit its low-resolution file, or that is too small or too large, loses no figures but its own.
///
/// # Errors
/// A set that cannot be opened; a folder or image that cannot be written; an output that is NaN or infinite;
/// a device that failed.
pub fn evaluate(
    net: &CATANet,
    set: &BenchmarkSet,
    options: &EvaluateOptions,
    mut observe: impl FnMut(Event),
) -> Result<SetScore> {
    let pairs = set.open(net.scale())?;
    observe(Event::Opened(pairs.len(), pairs.notes()));
    let folder = options.save.map(|folder| folder.join(&set.name));
    if let Some(path) = &folder {
        fs::create_dir_all(path).map_err(|source| Error::UnwritableFile {
            path: path.clone(),
            source,
        })?;
    }
    let (mut images, mut failed) = (Vec::with_capacity(pairs.len()), Vec::new());
    let mut size = None;
    for (i, name) in pairs.names().iter().enumerate() {
        if (options.stop)() {
            break;
        }
        let pair = match readable(net, &set.name, pairs.get(i)) {
            Ok(pair) => pair,
            Err(error) => {
                let name = name.clone();
                let failure = Failure { name, error };
                observe(Event::Failed(&failure));
                failed.push(failure);
                continue;
            }
        };
        if size.replace((pair.lr.height, pair.lr.width)) != Some((pair.lr.height, pair.lr.width)) {
            net.device().trim(); // buffers of the last size would only be in the way
        }
        let (image, output) = score(net, &set.name, &pair, options, folder.as_deref())?;
        observe(Event::Scored(&image, &pair, &output));
        images.push(image);
    }
    let means = options.metrics.iter().enumerate();
    let means = means.map(|(i, (name, _))| (name.clone(), mean(images.iter(), i)));
    Ok(SetScore {
        name: set.name.clone(),
        scale: net.scale(),
        metrics: means.collect(),
        images,
        failed,
        notes: pairs.notes().to_vec(),
    })
}

/// The mean of metric `i` over the images that have it.
fn mean<'a>(images: impl Iterator<Item = &'a ImageScore>, i: usize) -> Option<f64> {
    let values: Vec<f64> = images.filter_map(|image| image.metrics[i]).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// A pair that was read, unless it is too large for the adapter.
fn readable(net: &CATANet, set: &str, pair: Result<Pair>) -> Result<Pair> {
    let pair = pair?;
    match net.check_size(pair.lr.height, pair.lr.width) {
        Ok(_) => Ok(pair),
        Err(source) => {
            let name = format!("{set}/{}", pair.name);
            Err(Error::NotEnlarged { name, source })
        }
    }
}

fn score(
    net: &CATANet,
    set: &str,
    pair: &Pair,
    options: &EvaluateOptions,
    folder: Option<&Path>,
) -> Result<(ImageScore, Image)> {
    let Pair { name, lr, hr } = pair;
    let scale = net.scale();
    net.device().wait_idle().map_err(nn::Error::from)?;
    let start = Instant::now();
    let output = enlarge_named(net, lr, options.self_ensemble, &format!("{set}/{name}"))?;
    let seconds = start.elapsed().as_secs_f64();
    let image = Image::from_f32(&output, hr.width, hr.height);
    if let Some(folder) = folder {
        let usual = format!("{{}}_x{scale}");
        let file = options.save_as.unwrap_or(&usual).replace("{}", name);
        image.save_png(folder.join(file + ".png"))?;
    }
    let reference = hr.to_f32();
    let quality = |output: &[f32]| Quality::of(output, &reference, hr.height, hr.width, scale);
    // After the network, not beside it: on a software driver they would share its processor.
    let (network, bicubic) = rayon::join(
        || quality(&output),
        || quality(&upscale(lr, scale).to_f32()),
    );
    let metric = |(_, metric): &(String, Metric)| {
        let known = network.and_then(|quality| metric.among(&quality, scale));
        known.or_else(|| metric.of(&output, &reference, hr.height, hr.width))
    };
    let score = ImageScore {
        name: name.clone(),
        network,
        bicubic,
        metrics: options.metrics.iter().map(metric).collect(),
        seconds,
    };
    Ok((score, image))
}
