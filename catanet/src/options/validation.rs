//! `val` and `logger`: what is measured, told and kept.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::keys::{Keys, Section, Want};
use super::values::{Choice, Value};
use super::yaml::Node;
use crate::metrics::{Measure, Metric};

/// `val`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Validation {
    /// Steps between validations; None where nothing is trained.
    pub val_freq: Option<u64>,
    /// Whether the enlarged images are saved \[false\].
    pub save_img: bool,
    /// What is put to their names [that of the run, as in BasicSR].
    pub suffix: Option<String>,
    /// Whether a bar shows how far it is [false, as in BasicSR].
    pub pbar: bool,
    /// What is measured, by names that the user chooses, in the order of the file.
    pub metrics: Vec<(String, Measured)>,
}

/// A metric and which way it is better.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Measured {
    /// What is measured.
    pub metric: Metric,
    /// Which of two is better [higher, as in BasicSR].
    pub better: Better,
}

/// Which of two figures is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// The larger one.
    #[default]
    Higher,
    /// The smaller one.
    Lower,
}

/// `logger`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Logger {
    /// Steps between lines [100, as BasicSR's examples have it].
    pub print_freq: u64,
    /// Steps between files of weights that are kept [5000, as BasicSR's examples have it].
    pub save_checkpoint_freq: u64,
    /// Whether event files for TensorBoard are written [false, as in BasicSR].
    pub use_tb_logger: bool,
    /// So many of the kept files at most, the oldest go; None: all; not BasicSR's.
    pub keep: Option<u64>,
    /// How often the state is saved from which the run can go on; not BasicSR's.
    pub save_every: Option<SaveEvery>,
    /// Whether PyTorch's files are written beside the others \[false\]; not BasicSR's.
    pub pth: bool,
}

/// How often a state is saved: `30s` or `500`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum SaveEvery {
    /// After so many seconds.
    Seconds(f64),
    /// After so many steps.
    Steps(u64),
}

impl FromStr for SaveEvery {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unit = |end: char| {
            text.strip_suffix(end)
                .and_then(|n| n.trim().parse::<f64>().ok())
        };
        let units = [('s', 1.0), ('m', 60.0), ('h', 3600.0)];
        let seconds = units
            .iter()
            .find_map(|(end, length)| Some(unit(*end)? * length));
        match (seconds, text.trim().parse()) {
            (Some(seconds), _) if seconds > 0.0 && seconds < 1e9 => Ok(SaveEvery::Seconds(seconds)),
            (None, Ok(steps)) if steps > 0 => Ok(SaveEvery::Steps(steps)),
            _ => Err("a time like 30s, 10m or 1h is wanted, or a number of steps".to_owned()),
        }
    }
}

impl Display for SaveEvery {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            SaveEvery::Seconds(seconds) => write!(f, "{seconds}s"),
            SaveEvery::Steps(steps) => write!(f, "{steps}"),
        }
    }
}

impl Value for SaveEvery {
    fn read(node: &Node) -> Option<Self> {
        String::read(node)?.parse().ok()
    }

    fn write(&self) -> String {
        self.to_string().write()
    }
}

impl Choice for Better {}
impl Choice for Measure {}

const SWITCH: Want<bool> = Want::any("true or false");
const STEPS: Want<u64> = Want {
    text: "a number of steps from 1 on",
    holds: |steps| *steps >= 1,
};

/// The metrics by name.
struct Metrics<'a>(&'a mut Vec<(String, Measured)>);

impl Section for Metrics<'_> {
    fn keys<K: Keys>(&mut self, keys: &mut K) {
        keys.named(self.0, &[]);
    }
}

impl Section for Validation {
    fn keys<K: Keys>(&mut self, keys: &mut K) {
        let steps = Want {
            text: STEPS.text,
            holds: |steps: &Option<u64>| *steps != Some(0),
        };
        keys.key("val_freq", &mut self.val_freq, Some(None), &steps);
        keys.key("save_img", &mut self.save_img, Some(false), &SWITCH);
        let suffixes = Want {
            text: "a part of a file's name, or ~",
            holds: |suffix: &Option<String>| {
                suffix.as_ref().is_none_or(|s| !s.contains(['/', '\\']))
            },
        };
        keys.key("suffix", &mut self.suffix, Some(None), &suffixes);
        keys.key("pbar", &mut self.pbar, Some(false), &SWITCH);
        keys.section("metrics", &mut Metrics(&mut self.metrics));
        let kinds = "the type of a metric says what it is measured on";
        keys.idle("use_image", kinds);
        keys.idle("rgb2bgr", "images are RGB throughout");
        keys.idle("window_size", "the network takes images of any size");
        keys.idle("max_minibatch", "images are scored one at a time");
    }
}

impl Section for Measured {
    fn keys<K: Keys>(&mut self, keys: &mut K) {
        let Metric {
            measure,
            crop_border,
            test_y_channel,
        } = &mut self.metric;
        let kinds = "calculate_psnr, calculate_psnr_pt, calculate_ssim or calculate_ssim_pt";
        keys.key("type", measure, None, &Want::any(kinds));
        let border = Want {
            text: "a number of pixels",
            holds: |border| *border <= 1 << 16,
        };
        keys.key("crop_border", crop_border, None, &border);
        keys.key("test_y_channel", test_y_channel, Some(false), &SWITCH);
        let better = Want::any("higher or lower");
        keys.key("better", &mut self.better, Some(Better::Higher), &better);
        if K::READING {
            let order = Want {
                text: "HWC",
                holds: |order: &String| order == "HWC",
            };
            let usual = || "HWC".to_owned();
            keys.key("input_order", &mut usual(), Some(usual()), &order);
        }
    }
}

impl Section for Logger {
    fn keys<K: Keys>(&mut self, keys: &mut K) {
        keys.key("print_freq", &mut self.print_freq, Some(100), &STEPS);
        let freq = &mut self.save_checkpoint_freq;
        keys.key("save_checkpoint_freq", freq, Some(5000), &STEPS);
        keys.key(
            "use_tb_logger",
            &mut self.use_tb_logger,
            Some(false),
            &SWITCH,
        );
        let files = Want::any("a number of files, or ~ for all");
        keys.key("keep", &mut self.keep, Some(None), &files);
        let times = Want::any("a time like 30s, 10m or 1h, or a number of steps");
        keys.key("save_every", &mut self.save_every, Some(None), &times);
        keys.key("pth", &mut self.pth, Some(false), &SWITCH);
        keys.idle(
            "wandb",
            "nothing is sent to other machines; use_tb_logger writes files",
        );
    }
}
