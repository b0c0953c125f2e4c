//! The training loop: L1 loss, Adam, a schedule; saved so that no run is lost.
//!
//! A run leaves two files in its folder, under BasicSR's names: `models/net_g_latest.safetensors`,
//! the weights, and `training_states/latest.safetensors`, weights and optimiser together, which
//! [`train`] goes on from to the bit, with the options it was made by. Both are replaced whole,
//! never half-written, and never over another run: one found in the folder is moved aside at the
//! new one's first save, and until then nothing there is touched.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use autograd::Var;
use nn::checkpoint::{Data, Precision, StateDict, load, save_safetensors};
use nn::{Adam, AdamOptions, Schedule, l1_loss, load_state_dict, parameters, state_dict};
use tensor::{Device, Tensor};

use crate::data::{Batch, Loader, LoaderOptions, Source};
use crate::error::{Error, Result};
use crate::model::{CATANet, DIM, GROUPS, MIN_SIDE, MLP_DIM, Mode, RECORD_DIM, WINDOWS};

/// Everything that a run follows from.
#[derive(Debug, Clone)]
pub struct TrainOptions {
    /// The factor to learn.
    pub scale: usize,
    /// Where images come from.
    pub source: Source,
    /// Steps, those of earlier sittings included.
    pub iterations: u64,
    /// Pairs in a step.
    pub batch: usize,
    /// Side of the low-resolution crop, at least [`MIN_SIDE`].
    pub patch: usize,
    /// The learning rate over the steps.
    pub schedule: Schedule,
    /// Weights, order, crops and scenes follow from it.
    pub seed: u64,
    /// The run's folder.
    pub out: PathBuf,
    /// Steps between two reports; only then, and to save, is anything read back.
    pub report_every: u64,
    /// How often the run is saved, after whichever step; it is at its end in any case.
    pub save_every: Duration,
    /// Notes that travel with the weights (what they were trained on, say).
    pub notes: Vec<(String, String)>,
}

impl TrainOptions {
    /// What is kept with the state, for [`Run::stored`].
    fn to_store(&self) -> BTreeMap<String, String> {
        let (schedule, lr) = match self.schedule {
            Schedule::MultiStep { lr, .. } => ("milestones", lr),
            Schedule::Cosine { lr, .. } => ("cosine", lr),
        };
        let data = match self.source {
            Source::Photos(_) => "photographs",
            Source::DeadLeaves => "generated scenes",
        };
        let pairs = [
            ("scale", self.scale.to_string()),
            ("iterations", self.iterations.to_string()),
            ("batch", self.batch.to_string()),
            ("patch", self.patch.to_string()),
            ("schedule", schedule.to_owned()),
            ("lr", lr.to_string()),
            ("seed", self.seed.to_string()),
            ("data", data.to_owned()),
        ];
        pairs.map(|(key, value)| (key.to_owned(), value)).into()
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    /// Steps done.
    pub iteration: u64,
    /// The last step's loss.
    pub loss: f32,
    /// The last step's learning rate.
    pub lr: f64,
    /// Pairs a second since the last report.
    pub images_per_second: f64,
}

/// A run: the network, its optimiser, and how many steps they have seen.
pub struct Run {
    /// The network, trained in place.
    pub net: CATANet,
    adam: Adam,
    iteration: u64,
    stored: BTreeMap<String, String>,
    home: Option<PathBuf>, // the folder whose files are this run's own
}

/// The file in a run's folder that it goes on from.
pub fn state_file(out: &Path) -> PathBuf {
    out.join("training_states").join("latest.safetensors")
}

/// The file in a run's folder that holds its newest weights.
pub fn weights_file(out: &Path) -> PathBuf {
    out.join("models").join("net_g_latest.safetensors")
}

impl Run {
    /// A run at its start, from fresh weights or from those that `net` already has.
    pub fn new(net: CATANet) -> Run {
        let options = AdamOptions {
            lr: 0.0,
            betas: (0.9, 0.99),
            eps: 1e-8,
            weight_decay: 0.0,
        };
        Run {
            adam: Adam::new(parameters(&net), options),
            net,
            iteration: 0,
            stored: BTreeMap::new(),
            home: None,
        }
    }

    /// The run that was saved in the folder `out`.
    ///
    /// # Errors
    /// There is none, it is damaged, or it is of another scale.
    pub fn resume(device: &Device, scale: usize, out: &Path) -> Result<Run> {
        let path = state_file(out);
        if !path.is_file() {
            return Err(Error::NoRun { path });
        }
        let file = load(&path).map_err(nn::Error::from)?;
        let (mut weights, mut optimiser) = (StateDict::default(), StateDict::default());
        optimiser.metadata = file.metadata.clone();
        for (name, array) in file.arrays {
            match name.strip_prefix("net.") {
                Some(name) => weights.arrays.insert(name.to_owned(), array),
                None => optimiser.arrays.insert(name, array),
            };
        }
        let mut run = Run::new(CATANet::new(device, scale, 0));
        let at = |source: nn::Error| Error::WrongRun {
            path: path.clone(),
            source,
        };
        load_state_dict(&run.net, &weights, |_| true).map_err(at)?;
        run.adam.load_state_dict(&optimiser).map_err(at)?;
        run.iteration = run.adam.steps();
        run.stored = file.metadata;
        run.home = Some(out.to_path_buf());
        Ok(run)
    }

    /// An option that the run was last saved with: `scale`, `iterations`, `batch`, `patch`,
    /// `schedule` ("milestones" or "cosine"), `lr`, `seed` or `data` ("photographs" or "generated
    /// scenes"). None in a run that is new.
    pub fn stored(&self, option: &str) -> Option<&str> {
        self.stored.get(option).map(String::as_str)
    }

    /// Steps done.
    pub fn iteration(&self) -> u64 {
        self.iteration
    }

    /// One step on one batch: forward, loss, backward, Adam. Nothing is read back.
    /// Returns the loss, one number.
    pub fn step(&mut self, device: &Device, batch: &Batch, patch: usize, lr: f64) -> Var {
        let s = self.net.scale();
        let count = batch.lq.len() / (patch * patch * 3);
        let image =
            |data: &[f32], side| Var::constant(Tensor::new(device, data, &[count, side, side, 3]));
        let output = self.net.forward(&image(&batch.lq, patch), Mode::Train);
        let loss = l1_loss(&output, &image(&batch.gt, patch * s));
        loss.backward();
        self.adam.set_lr(lr);
        self.adam.step();
        self.iteration += 1;
        loss
    }

    /// Writes the run into the folder of `options`, the weights last. Another run's files there
    /// are moved to [`archive`] first.
    ///
    /// # Errors
    /// The device failed, a number is no longer finite (then nothing is written or moved), or a
    /// file cannot be written.
    pub fn save(&mut self, options: &TrainOptions) -> Result<()> {
        let mut weights = state_dict(&self.net)?;
        weights.metadata = options.notes.iter().cloned().collect();
        let notes = [
            ("scale", self.net.scale().to_string()),
            ("iterations", self.iteration.to_string()),
            ("seed", options.seed.to_string()),
        ];
        let notes = notes.map(|(key, value)| (key.to_owned(), value));
        weights.metadata.extend(notes);
        let mut state = self.adam.state_dict().map_err(nn::Error::from)?;
        state.metadata.extend(options.to_store());
        let named = weights
            .arrays
            .iter()
            .map(|(name, array)| (format!("net.{name}"), array.clone()));
        state.arrays.extend(named);
        let finite = |data: &Data| match data {
            Data::F32(values) => values.iter().all(|v| v.is_finite()),
            _ => true,
        };
        if !state.arrays.values().all(|array| finite(&array.data)) {
            return Err(self.diverged(options));
        }
        if self.home.as_ref() != Some(&options.out) {
            set_aside(&options.out)?;
            self.home = Some(options.out.clone());
        }
        for (path, dict) in [
            (state_file(&options.out), &state),
            (weights_file(&options.out), &weights),
        ] {
            create_folder(path.parent().unwrap_or(Path::new(".")))?;
            save_safetensors(&path, dict, Precision::F32).map_err(nn::Error::from)?;
        }
        Ok(())
    }

    fn diverged(&self, options: &TrainOptions) -> Error {
        Error::Diverged {
            iteration: self.iteration,
            lr: options.schedule.lr(self.iteration.saturating_sub(1)),
            advice: match self.home {
                Some(_) => "go on from the last saved state with --resume and a smaller --lr",
                None => "nothing was saved yet; start again with a smaller --lr",
            },
        }
    }
}

fn create_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|source| Error::UnwritableFile {
        path: path.to_path_buf(),
        source,
    })
}

/// What a run's folder holds of it.
const PARTS: [&str; 2] = ["models", "training_states"];

/// Where the run that is in the folder `out` is moved to when another is saved there; None if
/// there is no run.
pub fn archive(out: &Path) -> Option<PathBuf> {
    // Inside: that is the same disk, and works for `.` too.
    let mut free = (1..).map(|i| out.join(format!("archived_{i}")));
    match PARTS.iter().any(|part| out.join(part).exists()) {
        true => free.find(|path| !path.exists()),
        false => None,
    }
}

fn set_aside(out: &Path) -> Result<()> {
    let Some(kept) = archive(out) else {
        return Ok(());
    };
    create_folder(&kept)?;
    for part in PARTS {
        match std::fs::rename(out.join(part), kept.join(part)) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                let _ = std::fs::remove_dir(&kept); // stays where one part is in it already
                return Err(Error::NotSetAside {
                    from: out.join(part),
                    to: kept.join(part),
                    source,
                });
            }
            _ => {} // a run may lack one of them
        }
    }
    Ok(())
}

/// The rows and channels of the largest tensor that a training step makes of one crop. (Partial sums
/// of weight gradients are bounded: below 64 MiB, which every adapter binds.)
fn largest_tensor(scale: usize, patch: usize) -> [usize; 2] {
    let pixels = patch * patch;
    // Windows overlap: a token has a slot in each of its own.
    let windows = WINDOWS.map(|side| {
        let per_axis = 1 + (patch - side).div_ceil(side - 2);
        [(per_axis * side).pow(2), RECORD_DIM]
    });
    let all = windows.into_iter().chain([[pixels, MLP_DIM]]);
    let larger = |a: [usize; 2], b: [usize; 2]| if a[0] * a[1] >= b[0] * b[1] { a } else { b };
    all.fold([pixels, DIM * scale * scale], larger) // from the last upconv's
}

/// Whether a training step of `batch` crops of side `patch` fits what the adapter binds. Token centres
/// are of all tokens of the batch, so a step's tokens cannot be split as the rest is.
///
/// # Errors
/// [`Error::SmallPatch`], or [`Error::LargeStep`], which tells the batch that would fit.
pub fn check_size(device: &Device, scale: usize, batch: usize, patch: usize) -> Result<()> {
    if patch < MIN_SIDE {
        return Err(Error::SmallPatch {
            patch,
            needed: MIN_SIDE,
        });
    }
    let crop = largest_tensor(scale, patch);
    let slots = GROUPS.map(|group| (patch * patch).next_multiple_of(group));
    let tokens = [slots.into_iter().max().unwrap_or(0), RECORD_DIM];
    let limit = device.max_tensor_bytes();
    let bytes = |count: usize, [rows, channels]: [usize; 2]| (count * rows * channels) as u64 * 4;
    let smaller = || "choose a smaller --patch".to_owned();
    let (count, [rows, channels], advice) = match limit / bytes(1, tokens) {
        _ if bytes(1, crop) > limit => (1, crop, smaller()),
        0 => (1, tokens, smaller()),
        fits if fits < batch as u64 => {
            let advice = format!(
                "token centres need all of it at once: choose --batch {fits} or less, or a smaller --patch"
            );
            (batch, tokens, advice)
        }
        _ => return Ok(()),
    };
    Err(Error::LargeStep {
        batch,
        patch,
        advice,
        source: tensor::Error::TooLarge {
            shape: vec![count, rows, channels],
            bytes: bytes(count, [rows, channels]),
            limit,
            adapter: device.name().to_owned(),
        },
    })
}

/// Trains `run` up to `options.iterations`, reporting on the way, and saves it.
///
/// The same options give the same bits, in one sitting or several.
///
/// # Errors
/// A step that does not fit the adapter, images that cannot be read, files that cannot be written,
/// a device that fails, or numbers that are none any more; the last saved state stays as it was.
pub fn train(
    device: &Device,
    run: &mut Run,
    options: &TrainOptions,
    mut observe: impl FnMut(&Report),
) -> Result<()> {
    check_size(device, options.scale, options.batch, options.patch)?;
    // Rather told now than at the first save, though nothing is made before.
    if let Some(path) = options.out.ancestors().find(|path| path.exists()) {
        std::fs::read_dir(path).map_err(|source| Error::UnreadableFolder {
            path: path.to_path_buf(),
            source,
        })?;
    }
    let loader = LoaderOptions {
        scale: options.scale,
        patch: options.patch,
        batch: options.batch,
        seed: options.seed,
        workers: LoaderOptions::spare_threads(),
        cache_bytes: LoaderOptions::CACHE_BYTES,
    };
    let mut batches = Loader::new(options.source.clone(), loader, run.iteration)?;
    let mut saved = Instant::now();
    let mut reported = (Instant::now(), run.iteration);
    while run.iteration < options.iterations {
        let batch = batches.next().ok_or(Error::LoaderEnded {
            iteration: run.iteration,
            iterations: options.iterations,
        })??;
        let lr = options.schedule.lr(run.iteration);
        let loss = run.step(device, &batch, options.patch, lr);
        let done = run.iteration == options.iterations;
        if done || run.iteration.is_multiple_of(options.report_every) {
            let loss = loss.item().map_err(nn::Error::from)?;
            if !loss.is_finite() {
                return Err(run.diverged(options));
            }
            let images = (run.iteration - reported.1) * options.batch as u64;
            let images_per_second = images as f64 / reported.0.elapsed().as_secs_f64();
            observe(&Report {
                iteration: run.iteration,
                loss,
                lr,
                images_per_second,
            });
            reported = (Instant::now(), run.iteration);
        }
        // The loss is of before the update: what is saved is looked at itself.
        if done || saved.elapsed() >= options.save_every {
            run.save(options)?;
            saved = Instant::now();
        }
    }
    Ok(())
}
