//! A run and its files.

use std::io;
use std::path::{Path, PathBuf};

use autograd::Var;
use nn::checkpoint::{Data, Precision, StateDict, load, save_safetensors};
use nn::{Adam, AdamOptions, l1_loss, load_state_dict, parameters, state_dict};
use tensor::Device;

use super::{Recipe, TrainOptions};
use crate::data::Batch;
use crate::error::{Error, Result};
use crate::model::{CATANet, Mode};

/// A run: the network, its optimiser, and how many steps they have seen.
pub struct Run {
    /// The network, trained in place.
    pub net: CATANet,
    adam: Adam,
    iteration: u64,
    recipe: Option<Recipe>,
    home: Option<PathBuf>, // the folder whose files are this run's own
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
            recipe: None,
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
        for (name, array) in file.arrays {
            match name.strip_prefix("net.") {
                Some(name) => weights.arrays.insert(name.to_owned(), array),
                None => optimiser.arrays.insert(name, array),
            };
        }
        optimiser.metadata = file.metadata;
        let at = |source: nn::Error| Error::WrongRun {
            path: path.clone(),
            source,
        };
        let mut run = Run::new(CATANet::new(device, scale, 0));
        load_state_dict(&run.net, &weights, |_| true).map_err(at)?;
        run.adam.load_state_dict(&optimiser).map_err(at)?;
        let recipe = Recipe::stored(&optimiser.metadata);
        run.recipe = recipe.map_err(|problem| at(nn::Error::Mismatch(problem)))?;
        run.iteration = run.adam.steps();
        run.home = Some(out.to_path_buf());
        Ok(run)
    }

    /// The recipe that a resumed run was last saved with.
    pub fn recipe(&self) -> Option<&Recipe> {
        self.recipe.as_ref()
    }

    /// Steps done.
    pub fn iteration(&self) -> u64 {
        self.iteration
    }

    /// One step on one batch: forward, loss, backward, Adam. Nothing is read back.
    /// Returns the loss, one number.
    pub fn step(&mut self, batch: &Batch, lr: f64) -> Var {
        let device = self.net.device();
        let [lq, gt] = [&batch.lq, &batch.gt].map(|crops| Var::constant(crops.to_tensor(device)));
        let loss = l1_loss(&self.net.forward(&lq, Mode::Train), &gt);
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
            ("seed", options.recipe.seed.to_string()),
        ];
        let notes = notes.map(|(key, value)| (key.to_owned(), value));
        weights.metadata.extend(notes);
        let mut state = self.adam.state_dict().map_err(nn::Error::from)?;
        options.recipe.store(&mut state.metadata);
        let arrays = weights.arrays.iter();
        let named = arrays.map(|(name, array)| (format!("net.{name}"), array.clone()));
        state.arrays.extend(named);
        let finite = |data: &Data| match data {
            Data::F32(values) => values.iter().all(|v| v.is_finite()),
            _ => true,
        };
        if !state.arrays.values().all(|array| finite(&array.data)) {
            return Err(self.diverged(&options.recipe));
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

    pub(super) fn diverged(&self, recipe: &Recipe) -> Error {
        Error::Diverged {
            iteration: self.iteration,
            lr: recipe.schedule.lr(self.iteration.saturating_sub(1)),
            saved: self.home.is_some(),
        }
    }
}

/// What a run's folder holds of it.
const PARTS: [&str; 2] = ["models", "training_states"];

/// The file in a run's folder that holds its newest weights.
pub fn weights_file(out: &Path) -> PathBuf {
    out.join(PARTS[0]).join("net_g_latest.safetensors")
}

/// The file in a run's folder that it goes on from.
pub fn state_file(out: &Path) -> PathBuf {
    out.join(PARTS[1]).join("latest.safetensors")
}

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

fn create_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|source| Error::UnwritableFile {
        path: path.to_path_buf(),
        source,
    })
}
