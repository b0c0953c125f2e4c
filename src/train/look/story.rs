//! What has happened in a run so far: what its page shows, kept as JSON in its folder, so that a run that goes on
//! goes on telling. However long a run is, its story is bounded.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use nn::checkpoint::write_atomically;
use serde::{Deserialize, Serialize};

use super::crops::Crop;
use crate::terminal::shown;

/// The most reports on steps, and the most validations, that are kept.
const MOST_POINTS: usize = 2000;
const MOST_VALIDATIONS: usize = 2000;

/// The story of a run.
///
/// ```
/// use catanet_cli::train::look::run_page;
/// use catanet_cli::train::look::story::{Report, RunStory, State, Validation};
///
/// let mut story = RunStory { name: "train_x2".into(), scale: 2, batch: 16, total: 400, ..RunStory::default() };
/// for step in [100, 200, 300, 400] {
///     story.report(Report { step, loss: 5.0 / step as f64, lr: 1e-3, images_per_second: 20.0 });
/// }
/// story.validation(Validation { step: 400, set: "Set5".into(), psnr: 33.1, ssim: 0.93 });
/// story.state = State::Finished;
/// let html = run_page::page(&story).unwrap().html();
/// assert!(html.contains("400 of 400 steps") && html.contains("Set5"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunStory {
    /// The run's name.
    pub name: String,
    /// The factor that it learns to enlarge by.
    pub scale: usize,
    /// Crops in a step, of all processes together.
    pub batch: u64,
    /// Steps that are done.
    pub done: u64,
    /// Steps that are wanted.
    pub total: u64,
    /// How it is.
    pub state: State,
    /// Where the time went.
    pub seconds: Parts,
    /// What computes.
    pub adapter: String,
    /// More of what is to be known of it, and the values: `("trained on", "photographs")`.
    pub facts: Vec<(String, String)>,
    /// The options that it runs by, as a file says them.
    pub options: String,
    /// What validations are compared with.
    pub references: Vec<Reference>,
    /// Pictures over the course of training.
    pub crops: Vec<Crop>,
    /// What was reported and validated, noted by [`RunStory::report`] and [`RunStory::validation`].
    pub history: History,
}

/// Reports on steps and validations: at most 2000 of either.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    reports: Vec<Mean>,
    each: u64, // reports that one of `reports` is the mean of; 0 counts as 1
    validations: Vec<Validation>,
}

/// How a run is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// At work, when this was written.
    #[default]
    Running,
    /// All steps are done.
    Finished,
    /// Ended before, and why: `Ctrl-C`.
    Stopped(String),
}

/// Seconds of a run, all sittings together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Parts {
    /// Waiting for batches.
    pub data: f64,
    /// Steps.
    pub step: f64,
    /// Validation, and what is made for people to look at.
    pub validation: f64,
    /// Writing states and weights.
    pub saving: f64,
}

impl Parts {
    /// Each with its name.
    pub fn named(&self) -> [(&'static str, f64); 4] {
        [
            ("data", self.data),
            ("steps", self.step),
            ("validation", self.validation),
            ("saving", self.saving),
        ]
    }

    /// All together.
    pub fn total(&self) -> f64 {
        self.named().iter().map(|part| part.1).sum()
    }
}

/// What is told every few steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// After this step, from 1.
    pub step: u64,
    /// The loss.
    pub loss: f64,
    /// The learning rate.
    pub lr: f64,
    /// Crops a second since the report before.
    pub images_per_second: f64,
}

/// The mean of some reports that follow one another, with the last one's step and learning rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Mean {
    #[serde(flatten)]
    report: Report,
    of: u64,
}

impl Mean {
    fn and(self, later: Mean) -> Mean {
        let of = self.of + later.of;
        let mean = |a: f64, b: f64| (a * self.of as f64 + b * later.of as f64) / of as f64;
        let (a, b) = (self.report, later.report);
        let report = Report {
            loss: mean(a.loss, b.loss),
            images_per_second: mean(a.images_per_second, b.images_per_second),
            ..b
        };
        Mean { report, of }
    }
}

/// What a validation found on one set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// After this step.
    pub step: u64,
    /// The set's name.
    pub set: String,
    /// dB, on Y, the mean over the images.
    pub psnr: f64,
    /// The same of SSIM.
    pub ssim: f64,
}

/// What a set's figures are compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// The set's name.
    pub set: String,
    /// PSNR and SSIM of enlarging by bicubic interpolation.
    pub bicubic: Option<[f64; 2]>,
    /// PSNR and SSIM that the paper prints.
    pub paper: Option<[f64; 2]>,
}

impl Reference {
    /// A set's, with the paper's figures where it has any for this set and scale.
    pub fn new(set: &str, scale: usize, bicubic: Option<[f64; 2]>) -> Reference {
        Reference {
            set: set.to_owned(),
            bicubic,
            paper: crate::report::printed(set, scale, false),
        }
    }
}

impl RunStory {
    /// Notes what was reported. What is no number is left out.
    pub fn report(&mut self, report: Report) {
        self.done = self.done.max(report.step);
        if !(report.loss.is_finite()
            && report.lr.is_finite()
            && report.images_per_second.is_finite())
        {
            return;
        }
        let each = self.history.each.max(1);
        let new = Mean { report, of: 1 };
        match self.history.reports.last_mut() {
            Some(last) if last.of < each => *last = last.and(new),
            _ => self.history.reports.push(new),
        }
        if self.history.reports.len() > MOST_POINTS {
            let pairs = self.history.reports.chunks(2).map(|pair| match pair {
                [a, b] => a.and(*b),
                rest => rest[0],
            });
            self.history.reports = pairs.collect();
            self.history.each = each * 2;
        }
    }

    /// Notes what a validation found, instead of what is there of this step and set. What is no number is left out.
    pub fn validation(&mut self, validation: Validation) {
        self.done = self.done.max(validation.step);
        if !(validation.psnr.is_finite() && validation.ssim.is_finite()) {
            return;
        }
        let same = |v: &Validation| v.step == validation.step && v.set == validation.set;
        self.history.validations.retain(|v| !same(v));
        self.history.validations.push(validation);
        if self.history.validations.len() > MOST_VALIDATIONS {
            // Every other step goes, but the last one and each set's best.
            let last = self.done;
            let best: Vec<_> = self
                .sets()
                .into_iter()
                .filter_map(|set| self.best(&set))
                .cloned()
                .collect();
            let mut steps: Vec<_> = self.history.validations.iter().map(|v| v.step).collect();
            steps.dedup();
            let kept: Vec<_> = steps.into_iter().step_by(2).chain([last]).collect();
            self.history
                .validations
                .retain(|v| kept.contains(&v.step) || best.contains(v));
        }
    }

    /// The reports from the first on; each the mean of as many as it needs to be at most 2000.
    pub fn reports(&self) -> impl Iterator<Item = Report> {
        self.history.reports.iter().map(|mean| mean.report)
    }

    /// The validations in their order.
    pub fn validations(&self) -> &[Validation] {
        &self.history.validations
    }

    /// The names of the validated sets, in the order of their first appearance.
    pub fn sets(&self) -> Vec<String> {
        let mut sets: Vec<String> = Vec::new();
        for validation in &self.history.validations {
            if !sets.contains(&validation.set) {
                sets.push(validation.set.clone());
            }
        }
        sets
    }

    /// The validation of the highest PSNR on a set, the first of several.
    pub fn best(&self, set: &str) -> Option<&Validation> {
        let of_set = self.history.validations.iter().filter(|v| v.set == set);
        of_set.reduce(|best, v| if v.psnr > best.psnr { v } else { best })
    }

    /// What the set is compared with.
    pub fn reference(&self, set: &str) -> Option<&Reference> {
        self.references
            .iter()
            .find(|reference| reference.set == set)
    }

    /// Forgets what came after `step`: a run goes on from there.
    pub fn rewind(&mut self, step: u64) {
        self.history.reports.retain(|mean| mean.report.step <= step);
        self.history.validations.retain(|v| v.step <= step);
        for crop in &mut self.crops {
            crop.rewind(step);
        }
        self.done = step;
        self.state = State::Running;
    }

    /// Writes it as JSON, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let failed = || format!("cannot write {}", shown(path));
        let json = serde_json::to_vec(self).with_context(failed)?;
        write_atomically(path, &json).with_context(failed)
    }

    /// Reads what [`RunStory::save`] has written; None where there is no file.
    ///
    /// # Errors
    /// It cannot be read, or is no such file. A run can go on without: only its page begins anew.
    pub fn load(path: &Path) -> Result<Option<RunStory>> {
        let read = match fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read,
        };
        let story = read.and_then(|json| serde_json::from_slice(&json).map_err(io::Error::from));
        let failed = || {
            format!(
                "cannot read {}; move it away, and the run's page begins anew",
                shown(path)
            )
        };
        story.map(Some).with_context(failed)
    }
}

/// Now, in local time, as people write it.
pub(crate) fn now() -> String {
    let now = SystemTime::now().max(UNIX_EPOCH);
    super::lines::local(now)
        .strftime("%Y-%m-%d %H:%M")
        .to_string()
}

#[cfg(test)]
mod tests;
