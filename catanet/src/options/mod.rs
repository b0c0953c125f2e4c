//! BasicSR's option files, as types.
//!
//! A file says all that a training or a scoring follows from. Every key of it does what it says, or is told
//! to do nothing here and why, or is refused with its line, together with all else that is wrong in the file.
//! Defaults, in brackets at each field, are those of BasicSR 1.4 (`basicsr/train.py`, `models/sr_model.py`,
//! `models/lr_scheduler.py`, `losses/basic_loss.py`, `data/paired_image_dataset.py`) and, where it hands
//! options on, PyTorch's; where BasicSR has none and stops, those of its example files.
//!
//! ```
//! use std::path::Path;
//! use catanet::options::Options;
//!
//! let text = Options::template(2);
//! let changes = [("train.optim_g.lr".to_owned(), "1e-4".to_owned())];
//! let (options, notes) = Options::parse(&text, Path::new("x2.yml"), &changes)?;
//! assert_eq!(options.train.map(|train| train.optim_g.lr), Some(1e-4));
//! assert!(notes.is_empty());
//! # Ok::<(), catanet::Error>(())
//! ```
//!
//! | | |
//! |---|---|
//! | [`Datasets`], [`Paths`], [`Training`], [`Validation`], [`Logger`] | the sections |
//! | [`Options::parse`], [`Options::to_yaml`] | in and out, through one list of keys each |

mod changes;
mod datasets;
mod keys;
mod paths;
mod reader;
mod template;
mod training;
mod validation;
mod values;
mod writer;
mod yaml;

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use datasets::{Datasets, Images, ScoredSet, TrainSet};
pub use paths::Paths;
pub use training::{
    LossKind, OnNan, Optimizer, OptimizerKind, PixelLoss, Reduction, Scheduler, Training,
};
pub use validation::{Better, Logger, Measured, SaveEvery, Validation};

use crate::config::{BLOCKS, BlockConfig, MIN_SIDE, REFINEMENTS};
use crate::error::{Error, Result};
use keys::{Keys, Section, Want};
use reader::Log;
use values::{Choice, Value};
use yaml::Node;

/// All that an option file says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Options {
    /// What the run, its folder and its log are called.
    pub name: String,
    /// What a file may name here; both are the one model that there is.
    pub model_type: ModelType,
    /// The factor to enlarge by, 1 to 4.
    pub scale: usize,
    /// How many adapters BasicSR would take \[auto\].
    pub num_gpu: NumGpu,
    /// What all that is random follows from; None: BasicSR draws one.
    pub manual_seed: Option<u64>,
    /// What is trained on, and what is scored.
    pub datasets: Datasets,
    /// Weights and folders.
    pub path: Paths,
    /// How it is trained; None where it is not.
    pub train: Option<Training>,
    /// What is measured; None: nothing.
    pub val: Option<Validation>,
    /// What is told and kept.
    pub logger: Logger,
}

/// `model_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ModelType {
    /// That of the published files.
    #[default]
    CATANetModel,
    /// BasicSR's own.
    SRModel,
}

/// `num_gpu`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum NumGpu {
    /// As many as there are.
    #[default]
    Auto,
    /// So many; 0 is the processor.
    Count(u64),
}

impl Choice for ModelType {}

impl Value for NumGpu {
    fn read(node: &Node) -> Option<Self> {
        match String::read(node).as_deref() {
            Some("auto") => Some(NumGpu::Auto),
            _ => u64::read(node).map(NumGpu::Count),
        }
    }

    fn write(&self) -> String {
        match self {
            NumGpu::Auto => "auto".to_owned(),
            NumGpu::Count(count) => count.to_string(),
        }
    }
}

impl Options {
    /// Reads the text of `file` (its name is for messages) with the changes `set`: paths of keys like
    /// `train.optim_g.lr`, and values. With the options come lines on keys that do nothing here.
    ///
    /// # Errors
    /// [`Error::WrongOptions`] with everything that is wrong: what is no YAML or stands twice, unknown keys
    /// (with the likest known one), missing ones, values of a wrong type or out of range.
    pub fn parse(
        text: &str,
        file: &Path,
        set: &[(String, String)],
    ) -> Result<(Options, Vec<String>)> {
        let wrong = |faults| Error::WrongOptions {
            faults: Log::lines(faults, file),
        };
        let mut root = yaml::parse(text).map_err(wrong)?;
        let mut faults = changes::change(&mut root, set);
        let mut options = Options::default();
        let log = reader::read(&root, &mut options);
        faults.extend(log.faults);
        match faults.is_empty() {
            true => Ok((options, Log::lines(log.notes, file))),
            false => Err(wrong(faults)),
        }
    }

    /// [`parse`](Self::parse) of the file at `path`.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), or the file cannot be read.
    pub fn read(path: &Path, set: &[(String, String)]) -> Result<(Options, Vec<String>)> {
        let text = fs::read_to_string(path).map_err(|source| Error::UnreadableOptions {
            path: path.to_owned(),
            source,
        })?;
        Options::parse(&text, path, set)
    }

    /// The text of a file that says the same: every key with its value, defaults too.
    pub fn to_yaml(&self) -> String {
        writer::write(&mut self.clone())
    }

    /// A file to start from, with the published network's recipe for `scale` and a comment at each key.
    pub fn template(scale: usize) -> String {
        template::template(scale)
    }

    /// The folder of a training run: `path.experiments_root`, or `experiments/NAME`.
    pub fn experiments_root(&self) -> PathBuf {
        let root = self.path.experiments_root.clone();
        root.unwrap_or_else(|| Path::new("experiments").join(&self.name))
    }

    /// The folder of what a scoring saves: `path.results_root`, or `results/NAME`.
    pub fn results_root(&self) -> PathBuf {
        let root = self.path.results_root.clone();
        root.unwrap_or_else(|| Path::new("results").join(&self.name))
    }
}

/// `network_g`: what BasicSR would make the network with. Here it has its published sizes.
struct Network {
    upscale: usize,
}

const SCALE: Want<usize> = Want {
    text: "1, 2, 3 or 4",
    holds: |scale| (1..=4).contains(scale),
};

impl Section for Network {
    fn keys<K: Keys>(&mut self, keys: &mut K) {
        let kinds = Want {
            text: "CATANet",
            holds: |kind: &String| kind == "CATANet",
        };
        keys.key("type", &mut "CATANet".to_owned(), None, &kinds);
        // The network's own default is 4.
        keys.key("upscale", &mut self.upscale, Some(4), &SCALE);
        if K::READING {
            let channels = Want {
                text: "3, as published",
                holds: |channels: &usize| *channels == 3,
            };
            keys.key("in_chans", &mut 3, Some(3), &channels);
            let iterations = Want {
                text: "[5, 5, 5, 5, 5, 5, 5, 5], as published",
                holds: |list: &Vec<usize>| *list == [REFINEMENTS; BLOCKS.len()],
            };
            keys.key("n_iters", &mut Vec::new(), Some(Vec::new()), &iterations);
            let tokens = Want {
                text: "[16, 32, 64, 128, 16, 32, 64, 128], as published",
                holds: |list: &Vec<usize>| *list == of_blocks(|block| block.centres),
            };
            keys.key("num_tokens", &mut Vec::new(), Some(Vec::new()), &tokens);
            let groups = Want {
                text: "[256, 128, 64, 32, 256, 128, 64, 32], as published",
                holds: |list: &Vec<usize>| *list == of_blocks(|block| block.group),
            };
            keys.key("group_size", &mut Vec::new(), Some(Vec::new()), &groups);
        }
    }
}

fn of_blocks(size: fn(&BlockConfig) -> usize) -> [usize; BLOCKS.len()] {
    BLOCKS.each_ref().map(size)
}

impl Section for Options {
    fn keys<K: Keys>(&mut self, keys: &mut K) {
        let names = Want {
            text: "the name of a folder",
            holds: |name: &String| {
                !name.contains(['/', '\\']) && !["", ".", ".."].contains(&name.as_str())
            },
        };
        keys.key("name", &mut self.name, None, &names);
        if self.name.contains("debug") {
            keys.remark(
                "name",
                "changes nothing here, though BasicSR looks for debug in it",
            );
        }
        let models = Want::any("CATANetModel or SRModel");
        let model = Some(ModelType::CATANetModel);
        keys.key("model_type", &mut self.model_type, model, &models);
        keys.key("scale", &mut self.scale, None, &SCALE);
        let counts = Want::any("auto, or a number of adapters");
        keys.key("num_gpu", &mut self.num_gpu, Some(NumGpu::Auto), &counts);
        match self.num_gpu {
            NumGpu::Count(1) => {}
            NumGpu::Count(0) => keys.remark("num_gpu", "does nothing here: -g -1 is the processor"),
            _ => keys.remark(
                "num_gpu",
                "does nothing here: one process computes on one adapter, and mpirun starts several",
            ),
        }
        let seeds = Want::any("a whole number, or ~");
        keys.key("manual_seed", &mut self.manual_seed, Some(None), &seeds);
        keys.section("datasets", &mut self.datasets);
        let mut network = Network {
            upscale: self.scale,
        };
        keys.section("network_g", &mut network);
        keys.section("path", &mut self.path);
        keys.optional("train", &mut self.train);
        keys.optional("val", &mut self.val);
        keys.section("logger", &mut self.logger);
        others(keys);
        if network.upscale != self.scale && keys.sound("scale") {
            let (upscale, scale) = (network.upscale, self.scale);
            let text = format!("is {upscale}, and scale is {scale}; the two are to be equal");
            keys.fault("network_g.upscale", &text);
        }
    }

    fn check<K: Keys>(&self, keys: &mut K) {
        let scale = self.scale;
        if let Some(set) = self.datasets.train.as_ref().filter(|_| keys.sound("scale")) {
            let (size, least) = (set.gt_size, MIN_SIDE * scale);
            if size % scale != 0 || size < least {
                let text = format!(
                    "is {size}; a multiple of the scale {scale} from {least} on is wanted, as the \
                     network's windows need {MIN_SIDE} low-resolution pixels"
                );
                keys.fault("datasets.train.gt_size", &text);
            }
            if scale == 1 {
                keys.fault(
                    "scale",
                    "is 1; 2, 3 or 4 is wanted where something is trained",
                );
            }
        }
        match (&self.datasets.train, &self.train) {
            (Some(_), None) => keys.fault("train", "is missing, and datasets.train is there"),
            (None, Some(_)) => keys.fault("datasets.train", "is missing, and train is there"),
            _ => {}
        }
    }
}

/// Keys of BasicSR and its like that have nothing to do here.
fn others<K: Keys>(keys: &mut K) {
    keys.idle(
        "dist_params",
        "processes are started by mpirun, which connects them",
    );
    for name in ["find_unused_parameters", "use_static_graph"] {
        keys.idle(name, "all gradients are exchanged as one");
    }
    keys.idle("gpu_ids", "-g chooses the adapter");
    for name in ["use_amp", "bfloat16", "fast_matmul"] {
        keys.idle(name, "training computes in 32 bits");
    }
    keys.idle("compile", "kernels are compiled in any case");
    keys.idle(
        "deterministic",
        "the same options give the same bits in any case",
    );
    keys.foreign(
        "network_d",
        "there is one network here, and no discriminator",
    );
}

#[cfg(test)]
mod tests;
