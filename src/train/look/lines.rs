//! Log lines as BasicSR writes them, for the plotters and scripts that read its logs.
//!
//! The form is that of BasicSR 1.4.2: `MessageLogger` and `get_root_logger` in `basicsr/utils/logger.py`,
//! `_log_validation_metric_values` in `basicsr/models/sr_model.py`, and `basicsr/train.py`.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Zoned;
use jiff::tz::TimeZone;

/// What BasicSR says when it writes a checkpoint.
pub const SAVING: &str = "Saving models and training states.";
/// What BasicSR says before it writes `net_g_latest`.
pub const STOPPED: &str = "Stopped as it was asked to; all steps are saved.";

/// How serious a line is, by the names of Python's `logging`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// What is done.
    Info,
    /// What is not as it should be, without harm.
    Warning,
    /// What ends the run.
    Error,
}

/// One line about a step.
#[derive(Debug, Clone)]
pub struct StepLine<'a> {
    /// The run's name, of which the first five characters are shown.
    pub name: &'a str,
    /// How often all images have been seen, from 0.
    pub epoch: u64,
    /// The step, from 1.
    pub iter: u64,
    /// The learning rate of each group of parameters.
    pub lrs: &'a [f64],
    /// The time left.
    pub eta: Duration,
    /// Seconds for one step, and of them those that it waited for data.
    pub seconds: [f64; 2],
    /// Losses by name: `l_pix`.
    pub values: &'a [(&'a str, f64)],
}

impl StepLine<'_> {
    /// `[train..][epoch:  0, iter:     200, lr:(2.000e-04,)] [eta: 0:00:10, time (data): 0.100 (0.001)] l_pix: 1.2345e-02 `,
    /// with the blank at its end, as there.
    pub fn message(&self) -> String {
        let short: String = self.name.chars().take(5).collect();
        let lrs: String = self
            .lrs
            .iter()
            .map(|lr| exponential(*lr, 3) + ",")
            .collect();
        let iter = crate::report::thousands(usize::try_from(self.iter).unwrap_or(usize::MAX));
        let [time, data] = self.seconds;
        let mut text = format!(
            "[{short}..][epoch:{:3}, iter:{iter:>8}, lr:({lrs})] [eta: {}, time (data): {time:.3} ({data:.3})] ",
            self.epoch,
            duration(self.eta),
        );
        for (name, value) in self.values {
            // Writing to a String cannot fail.
            let _ = write!(text, "{name}: {} ", exponential(*value, 4));
        }
        text
    }
}

/// A metric on a validation set.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric<'a> {
    /// `psnr`, as the option file names it.
    pub name: &'a str,
    /// Its mean over the set's images.
    pub value: f64,
    /// The best so far, this one included, and its step.
    pub best: (f64, u64),
}

/// `Validation Set5`, and a line for each metric: `\t # psnr: 37.1234\tBest: 37.2000 @ 5000 iter`. As there, the
/// last one ends with a line end of its own.
pub fn validation(set: &str, metrics: &[Metric]) -> String {
    let mut text = format!("Validation {set}\n");
    for metric in metrics {
        let (best, iter) = metric.best;
        let [value, best] = [metric.value, best].map(|v| python(v, format!("{v:.4}")));
        let _ = writeln!(
            text,
            "\t # {}: {value}\tBest: {best} @ {iter} iter",
            metric.name
        );
    }
    text
}

/// What is known of a training before its first step.
#[derive(Debug, Clone, Copy)]
pub struct Statistics {
    /// Images to train on.
    pub images: u64,
    /// How often each counts in an epoch.
    pub enlarge_ratio: u64,
    /// Crops in a step of one process.
    pub batch: u64,
    /// Processes.
    pub processes: u64,
    /// Steps of the whole training.
    pub iterations: u64,
}

impl Statistics {
    /// Steps of an epoch, at least 1.
    pub fn steps_an_epoch(&self) -> u64 {
        let batch = self.batch.saturating_mul(self.processes).max(1);
        let shown = self.images.saturating_mul(self.enlarge_ratio);
        shown.div_ceil(batch).max(1)
    }

    /// `Training statistics:` and a line for each.
    pub fn message(&self) -> String {
        let epoch = self.steps_an_epoch();
        format!(
            "Training statistics:\n\tNumber of train images: {}\n\tDataset enlarge ratio: {}\n\tBatch size per gpu: {}\
             \n\tWorld size (gpu number): {}\n\tRequire iter number per epoch: {epoch}\n\tTotal epochs: {}; iters: {}.",
            self.images,
            self.enlarge_ratio,
            self.batch,
            self.processes,
            self.iterations.div_ceil(epoch),
            self.iterations
        )
    }
}

/// What is said before the first step, and after step `iter` of a run that goes on.
pub fn begins(epoch: u64, iter: u64) -> String {
    format!("Start training from epoch: {epoch}, iter: {iter}")
}

/// What is said before [`begins`] where a run goes on.
pub fn resumes(epoch: u64, iter: u64) -> String {
    format!("Resuming training from epoch: {epoch}, iter: {iter}.")
}

/// What is said after the last step.
pub fn ends(consumed: Duration) -> String {
    format!("End of training. Time consumed: {}", duration(consumed))
}

/// A time as Python's `timedelta` prints it, whole seconds: `0:00:10`, `1 day, 2:03:04`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let days = match seconds / 86_400 {
        0 => String::new(),
        1 => "1 day, ".to_owned(),
        n => format!("{n} days, "),
    };
    let clock = seconds % 86_400;
    format!(
        "{days}{}:{:02}:{:02}",
        clock / 3600,
        clock / 60 % 60,
        clock % 60
    )
}

/// `2026-11-27 07:00:00,123 INFO: message`, the time local.
pub fn stamped(time: SystemTime, level: Level, message: &str) -> String {
    let level = match level {
        Level::Info => "INFO",
        Level::Warning => "WARNING",
        Level::Error => "ERROR",
    };
    let time = local(time).strftime("%Y-%m-%d %H:%M:%S,%3f").to_string();
    format!("{time} {level}: {}", harmless(message))
}

/// A moment in this machine's time zone.
pub(crate) fn local(time: SystemTime) -> Zoned {
    // A clock beyond year 9999 has no date.
    let time = jiff::Timestamp::try_from(time).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.to_zoned(TimeZone::system())
}

/// Control characters written out, but for line ends and tabs, which the form has.
fn harmless(message: &str) -> String {
    let parts: Vec<_> = message.split('\t').map(crate::terminal::escaped).collect();
    parts.join("\t")
}

/// 2e-4 → `2.000e-04`: Rust writes neither the sign nor two digits.
fn exponential(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$e}");
    let text = match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = match exponent.strip_prefix('-') {
                Some(digits) => ('-', digits),
                None => ('+', exponent),
            };
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => text,
    };
    python(value, text)
}

/// What is no number as Python writes it.
fn python(value: f64, text: String) -> String {
    if value.is_nan() {
        "nan".to_owned()
    } else {
        text
    }
}

/// A run's log file.
pub struct RunLog {
    path: PathBuf,
    file: File,
    whole: u64, // bytes up to the end of the last whole line
}

impl RunLog {
    /// A new `train_NAME_TIME.log` in `folder`; where one of this second exists, it is continued.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn create(folder: &Path, name: &str) -> io::Result<RunLog> {
        let time = local(SystemTime::now())
            .strftime("%Y%m%d_%H%M%S")
            .to_string();
        let path = folder.join(format!("train_{name}_{time}.log"));
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        let whole = file.seek(SeekFrom::End(0))?;
        Ok(RunLog { path, file, whole })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a line, with the time, in one write: what a killed process had said is in the file.
    ///
    /// # Errors
    /// It cannot be written, since the disk is full, say. Nothing of the line is in the file then, and the next
    /// may be tried.
    pub fn line(&mut self, level: Level, message: &str) -> io::Result<()> {
        let line = stamped(SystemTime::now(), level, message) + "\n";
        self.file.write_all(line.as_bytes()).inspect_err(|_| {
            // A part of a line would stand before the next one; where it cannot be taken back, it does.
            let _ = self.file.set_len(self.whole);
        })?;
        self.whole += line.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
