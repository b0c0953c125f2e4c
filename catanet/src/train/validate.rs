//! Validation on the way: the sets and the code of [`evaluate`], on the run's network as it is.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Event, Run};
use crate::data::benchmark::BenchmarkSet;
use crate::error::Result;
use crate::evaluate::{EvaluateOptions, SetScore, evaluate};
use crate::metrics::Metric;

/// What is validated, and when.
#[derive(Debug, Clone, Default)]
pub struct Validate {
    /// Steps between two validations; there is one at the end in any case.
    pub every: Option<u64>,
    /// Whether there is one before the first step, too.
    pub at_start: bool,
    /// What on.
    pub sets: Vec<BenchmarkSet>,
    /// What else is measured, by name.
    pub metrics: Vec<(String, Metric)>,
    /// A folder to save the enlarged images in, as `SET/NAME_STEPS.png`.
    pub save: Option<PathBuf>,
}

/// How a validation came out.
#[derive(Debug)]
pub struct Validation {
    /// Steps done.
    pub iteration: u64,
    /// The sets.
    pub sets: Vec<SetScore>,
    /// The mean PSNR of the sets, raw, in dB; None where no image could be scored.
    pub psnr: Option<f64>,
    /// The best of that so far, and after how many steps.
    pub best: Option<(f64, u64)>,
    /// Whether this is it.
    pub is_best: bool,
    /// How long it took.
    pub time: Duration,
}

impl Validate {
    /// Scores the run's network (its averaged weights, where there is an average). Of the run nothing
    /// changes but what is known of its best. None where it was asked to stop before all images were scored.
    pub(super) fn run(
        &self,
        run: &mut Run,
        stop: fn() -> bool,
        observe: &mut impl FnMut(Event),
    ) -> Result<Option<Validation>> {
        let started = Instant::now();
        let iteration = run.iteration();
        let save_as = format!("{{}}_{iteration}"); // as BasicSR has it
        let options = EvaluateOptions {
            save: self.save.as_deref(),
            save_as: Some(&save_as),
            metrics: &self.metrics,
            stop,
            ..EvaluateOptions::default()
        };
        let score = |set: &BenchmarkSet, run: &mut Run, observe: &mut dyn FnMut(Event)| {
            run.judged(|net| {
                evaluate(net, set, &options, |event| {
                    observe(Event::Validating(iteration, &set.name, &event));
                })
            })
        };
        let sets = self.sets.iter().map(|set| score(set, run, observe));
        let sets = sets.collect::<Result<Vec<_>>>()?;
        if stop() {
            return Ok(None);
        }
        let figures: Vec<f64> = sets
            .iter()
            .filter_map(SetScore::network)
            .map(|q| q.psnr)
            .collect();
        let psnr =
            (!figures.is_empty()).then(|| figures.iter().sum::<f64>() / figures.len() as f64);
        let progress = run.progress();
        let is_best = psnr.is_some_and(|psnr| progress.best.is_none_or(|(best, _)| psnr > best));
        if is_best {
            progress.best = psnr.map(|psnr| (psnr, iteration));
        }
        Ok(Some(Validation {
            iteration,
            sets,
            psnr,
            best: progress.best,
            is_best,
            time: started.elapsed(),
        }))
    }
}
