//! Enlarging images with a network, and scoring what comes out.

use std::fs;
use std::path::Path;
use std::time::Instant;

use tensor::Tensor;

use crate::data::benchmark::{BenchmarkSet, Pair};
use crate::error::{Error, Result};
use crate::image::{Image, Symmetry};
use crate::imresize::upscale;
use crate::metrics::Quality;
use crate::model::CATANet;

/// `image` enlarged by `net`: `[H·s, W·s, 3]`, about `[0, 1]`, not clamped.
///
/// With `self_ensemble`, the mean of eight outputs: the image is flipped and transposed in all ways,
/// and what comes out turned back (the papers' †).
///
/// # Errors
/// The image is too large for the adapter (known before any work is done), or the device failed.
pub fn enlarge(net: &CATANet, image: &Image, self_ensemble: bool) -> tensor::Result<Vec<f32>> {
    net.check_size(image.height, image.width)?;
    let run = |image: &Image| {
        let shape = [1, image.height, image.width, 3];
        let lr = Tensor::new(net.device(), &image.to_f32(), &shape);
        net.upscale(&lr).to_vec() // [H·s, W·s, 3]
    };
    if !self_ensemble {
        return run(image);
    }
    let (height, width) = (image.height * net.scale(), image.width * net.scale());
    let mut mean = vec![0.0; height * width * 3];
    for symmetry in Symmetry::ALL {
        let turned = run(&image.transformed(symmetry))?;
        let (rows, columns) = symmetry.size(height, width);
        let output = symmetry.inverse().apply(&turned, rows, columns, 3);
        mean.iter_mut().zip(output).for_each(|(m, v)| *m += v / 8.0); // exact but for the sum
    }
    Ok(mean)
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
    /// Time in the network: device idle to output read back.
    pub seconds: f64,
}

/// How a set came out.
#[derive(Debug, Clone)]
pub struct SetScore {
    /// The set's name.
    pub name: String,
    /// The factor by which its images were enlarged.
    pub scale: usize,
    /// Its images.
    pub images: Vec<ImageScore>,
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
#[derive(Debug, Clone, Copy, Default)]
pub struct EvaluateOptions<'a> {
    /// Average over the eight symmetries.
    pub self_ensemble: bool,
    /// A folder to save the enlarged images in, as `SET/NAME_x2.png`.
    pub save: Option<&'a Path>,
}

/// Enlarges and scores every image of `set`, calling `observe` after each.
///
/// # Errors
/// An image that cannot be read, is too large for the adapter or cannot be saved; an output that is
/// NaN or infinite; a device that failed.
pub fn evaluate(
    net: &CATANet,
    set: &BenchmarkSet,
    options: &EvaluateOptions,
    mut observe: impl FnMut(&ImageScore),
) -> Result<SetScore> {
    let (scale, device) = (net.scale(), net.device());
    let folder = options.save.map(|folder| folder.join(&set.name));
    if let Some(path) = &folder {
        fs::create_dir_all(path).map_err(|source| Error::UnwritableFile {
            path: path.clone(),
            source,
        })?;
    }
    let mut images: Vec<ImageScore> = Vec::with_capacity(set.len());
    let mut size = None;
    for pair in set.pairs(scale) {
        let Pair { name, lr, hr } = pair?;
        if size.replace((lr.height, lr.width)) != Some((lr.height, lr.width)) {
            device.trim(); // buffers of the last size would only be in the way
        }
        device.wait_idle().map_err(nn::Error::from)?;
        let start = Instant::now();
        let full_name = format!("{}/{name}", set.name);
        let output = enlarge_named(net, &lr, options.self_ensemble, &full_name)?;
        let seconds = start.elapsed().as_secs_f64();
        if let Some(folder) = &folder {
            let image = Image::from_f32(&output, hr.width, hr.height);
            image.save_png(folder.join(format!("{name}_x{scale}.png")))?;
        }
        let reference = hr.to_f32();
        let quality = |output: &[f32]| Quality::of(output, &reference, hr.height, hr.width, scale);
        // After the network, not beside it: on a software driver they would share its processor.
        let (network, bicubic) = rayon::join(
            || quality(&output),
            || quality(&upscale(&lr, scale).to_f32()),
        );
        let image = ImageScore {
            name,
            network,
            bicubic,
            seconds,
        };
        observe(&image);
        images.push(image);
    }
    Ok(SetScore {
        name: set.name.clone(),
        scale,
        images,
    })
}
