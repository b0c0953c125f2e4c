//! Everything that a run shows: lines on the terminal, its log, TensorBoard's events and its page.
//!
//! Nothing of it can end a run: what cannot be written is told once, and the run goes on.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use catanet::data::Source;
use catanet::data::benchmark::Pair;
use catanet::evaluate::{self, ImageScore, SetScore};
use catanet::image::Image;
use catanet::options::Options;
use catanet::train::{End, Event, Report, Run, TrainOptions, Validation};
use catanet::{CATANet, Error};
use nn::checkpoint::write_atomically;

use super::keep::{Kept, keep};
use super::look::events::EventWriter;
use super::look::lines::{self, Level, RunLog, Statistics, StepLine};
use super::look::run_page;
use super::look::story::{self, Reference, RunStory, State};
use super::plan::OPTIONS;
use crate::progress::Progress;
use crate::terminal;

/// What the page is called, and what it is made from on the next sitting.
const PAGE: &str = "report.html";
const STORY: &str = "report.json";
/// A difference in dB that is told as none: what rounding to two places hides.
const AS_GOOD: f64 = 0.005;
/// How long a look at the images goes on without a line.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a run shows.
pub struct Watch {
    out: PathBuf,
    options: Options,
    statistics: Statistics,
    progress: Progress,
    started: (Instant, u64), // and the steps done then
    reported: u64,           // steps done at the last report
    story: RunStory,
    log: Option<RunLog>,
    events: Option<EventWriter>,
    best: Vec<(String, f64, u64)>, // of each set and metric
    sets: Vec<SetScore>,
    looking: Option<(Progress, Instant)>, // at images, and when that was last told
    /// Where an earlier run moves to, to be told when it does.
    pub aside: Option<PathBuf>,
    faulty: bool, // something could not be written, and that is told
    shows: bool,
}

impl Watch {
    /// Nothing is written before the run begins.
    pub fn new(run: &Run, plan: &TrainOptions, options: &Options, out: &Path) -> Watch {
        let recipe = &plan.recipe;
        let set = options.datasets.train.as_ref();
        let images = match &recipe.source {
            Source::Photos(files) => files.len() as u64,
            Source::DeadLeaves => recipe.iterations * recipe.batch as u64, // each is used once
        };
        Watch {
            out: out.to_owned(),
            options: options.clone(),
            statistics: Statistics {
                images,
                enlarge_ratio: set.map_or(1, |set| set.dataset_enlarge_ratio),
                batch: recipe.share() as u64,
                processes: recipe.processes as u64,
                iterations: recipe.iterations,
            },
            progress: Progress::new(recipe.iterations, run.iteration(), ""),
            started: (Instant::now(), run.iteration()),
            reported: run.iteration(),
            story: RunStory {
                name: options.name.clone(),
                scale: recipe.scale,
                batch: recipe.batch as u64,
                total: recipe.iterations,
                adapter: run.net.device().name().to_owned(),
                options: options.to_yaml(),
                facts: vec![("trained on".to_owned(), super::plan::material(plan))],
                ..RunStory::default()
            },
            log: None,
            events: None,
            best: Vec::new(),
            sets: Vec::new(),
            looking: None,
            aside: None,
            faulty: false,
            shows: plan.processes.is_first(),
        }
    }

    /// Shows what happens, if this process is the one that does.
    pub fn event(&mut self, event: Event) {
        if !self.shows {
            return;
        }
        match event {
            Event::Decoded(done, all) => self.decoded(done, all),
            Event::Begun => self.begin(),
            Event::Report(report) => self.report(&report),
            Event::Validating(step, set, event) => match event {
                evaluate::Event::Scored(score, pair, output) => {
                    self.crop(step, set, score, pair, output);
                }
                evaluate::Event::Failed(failure) => self.warn(&format!(
                    "not validated: {set}/{}: {}",
                    failure.name, failure.error
                )),
                evaluate::Event::Opened(..) => {}
            },
            Event::Validated(validation) => self.validated(validation),
            Event::Saved(_) => self.line(Level::Info, lines::SAVING),
            Event::Note(note) => self.warn(&note),
        }
    }

    /// So many images are looked at: a bar, or a line from time to time.
    fn decoded(&mut self, done: usize, all: usize) {
        const NEWS: &str = "images looked at";
        let new = || (Progress::new(all as u64, 0, NEWS), Instant::now());
        let (bar, told) = self.looking.get_or_insert_with(new);
        bar.show(done as u64, NEWS.to_owned(), |line| {
            if told.elapsed() > PATIENCE {
                terminal::say(line);
                *told = Instant::now();
            }
        });
        if done == all {
            bar.clear();
            self.looking = None;
        }
    }

    /// The run's files for people, beside those that it goes on from.
    fn begin(&mut self) {
        if let Some(kept) = self.aside.take() {
            terminal::say(format_args!(
                "the earlier run there moved to {} (--resume goes on with one)",
                terminal::shown(&kept)
            ));
        }
        let options = self.out.join(OPTIONS);
        let written = write_atomically(&options, self.options.to_yaml().as_bytes());
        self.told(written);
        let done = self.started.1;
        // What an earlier sitting told of steps that are done again is told anew.
        if done > 0
            && let Ok(Some(mut story)) = RunStory::load(&self.out.join(STORY))
        {
            story.rewind(done);
            story.total = self.story.total;
            story.options.clone_from(&self.story.options);
            self.story = story;
        }
        match RunLog::create(&self.out, &self.options.name) {
            Ok(log) => self.log = Some(log),
            Err(error) => self.fault(&error),
        }
        if self.options.logger.use_tb_logger {
            match EventWriter::create(&self.out.join("tb_logger")) {
                Ok(mut events) => {
                    let resumed = match done {
                        0 => Ok(()),
                        done => events.resumed(done + 1),
                    };
                    self.told(resumed);
                    self.events = Some(events);
                }
                Err(error) => self.fault(&error),
            }
        }
        let epoch = self.epoch(done);
        self.line(Level::Info, &self.statistics.message());
        if done > 0 {
            self.line(Level::Info, &lines::resumes(epoch, done));
        }
        self.line(Level::Info, &lines::begins(epoch, done));
    }

    fn report(&mut self, report: &Report) {
        let Report {
            iteration,
            mean_loss,
            lr,
            images_per_second,
            ..
        } = *report;
        let steps = iteration - self.started.1;
        let left = self.statistics.iterations - iteration;
        let share = left as f64 / steps.max(1) as f64;
        let eta = self.started.0.elapsed().mul_f64(share);
        let memory = report.memory as f64 / 1e6;
        let psnr = self.story.validations().last();
        let psnr = psnr.map_or(String::new(), |v| format!("  PSNR {:.2} dB", v.psnr));
        let news = format!(
            "loss {mean_loss:.5}  lr {lr:.2e}  {images_per_second:.2} images/s{psnr}  {memory:.0} MB"
        );
        self.progress.show(iteration, news, |line| {
            let left = lines::duration(eta);
            terminal::say(format_args!("{line}  {left} left"));
        });
        let loss = f64::from(report.loss);
        let line = StepLine {
            name: &self.options.name,
            epoch: self.epoch(iteration),
            iter: iteration,
            lrs: &[lr],
            eta,
            seconds: [report.step_seconds, report.data_seconds],
            values: &[("l_pix", loss)],
        };
        let message = line.message();
        self.line(Level::Info, &message);
        self.scalars(
            iteration,
            &[
                ("losses/l_pix", loss),
                ("losses/l_pix_mean", f64::from(mean_loss)),
                ("lr", lr),
                ("images_per_second", images_per_second),
                ("memory_mb", memory),
            ],
        );
        let since = (iteration - self.reported) as f64;
        self.reported = iteration;
        self.story.seconds.data += report.data_seconds * since;
        self.story.seconds.step += (report.step_seconds - report.data_seconds).max(0.0) * since;
        self.story.seconds.saving += report.saving_seconds;
        self.story.report(story::Report {
            step: iteration,
            loss: f64::from(mean_loss),
            lr,
            images_per_second,
        });
    }

    /// Keeps the middle of the first images of a validation, and shows the first in TensorBoard.
    fn crop(&mut self, step: u64, set: &str, score: &ImageScore, pair: &Pair, output: &Image) {
        let name = format!("{set} / {}", score.name);
        // A picture that cannot be shown loses no figure.
        let kept = keep(&mut self.story, step, &name, pair, output);
        if let (
            Ok(Some(Kept {
                first: true,
                beside,
            })),
            Some(events),
        ) = (kept, &mut self.events)
        {
            let (width, height, png) = beside;
            let written = events.image(step, &format!("val/{name}"), width, height, &png.0);
            self.told(written);
        }
    }

    fn validated(&mut self, validation: Validation) {
        let step = validation.iteration;
        self.story.seconds.validation += validation.time.as_secs_f64();
        for set in &validation.sets {
            self.set(step, set);
        }
        self.story.done = self.story.done.max(step);
        self.sets = validation.sets;
        self.write_page();
    }

    fn set(&mut self, step: u64, set: &SetScore) {
        let Some(quality) = set.network() else {
            return; // its images are too small, or could not be read, which was told
        };
        let bicubic = set.bicubic().map(|q| [q.psnr, q.ssim]);
        let reference = Reference::new(&set.name, set.scale, bicubic);
        let mut line = format!(
            "{} after {step}: {:.2} dB / {:.4}",
            set.name, quality.psnr, quality.ssim
        );
        for (name, figures) in [("bicubic", reference.bicubic), ("paper", reference.paper)] {
            if let Some([psnr, ssim]) = figures {
                line += &format!(", {name} {psnr:.2} / {ssim:.4}");
            }
        }
        self.progress.aside(|| terminal::say(&line));
        let mut metrics = set.metrics.clone();
        if metrics.is_empty() {
            let own = [("psnr", quality.psnr), ("ssim", quality.ssim)];
            metrics = own.map(|(name, v)| (name.to_owned(), Some(v))).into();
        }
        let figures = metrics.iter().filter_map(|(name, v)| Some((name, (*v)?)));
        let figures: Vec<_> = figures.collect();
        let shown: Vec<_> = figures
            .iter()
            .map(|&(name, value)| lines::Metric {
                name,
                value,
                best: self.best(&set.name, name, value, step),
            })
            .collect();
        self.line(Level::Info, &lines::validation(&set.name, &shown));
        for (name, value) in figures {
            self.scalars(step, &[(&format!("metrics/{}/{name}", set.name), value)]);
        }
        if self.story.reference(&set.name).is_none() {
            self.story.references.push(reference);
        }
        self.story.validation(story::Validation {
            step,
            set: set.name.clone(),
            psnr: quality.psnr,
            ssim: quality.ssim,
        });
    }

    /// The best of a metric on a set so far, and its step.
    fn best(&mut self, set: &str, metric: &str, value: f64, step: u64) -> (f64, u64) {
        let better = |better: catanet::options::Better, a: f64, b: f64| match better {
            catanet::options::Better::Higher => a > b,
            catanet::options::Better::Lower => a < b,
        };
        let val = self.options.val.as_ref();
        let measured = val.and_then(|val| val.metrics.iter().find(|(name, _)| name == metric));
        let way = measured.map(|(_, m)| m.better).unwrap_or_default();
        let key = format!("{set}/{metric}");
        match self.best.iter_mut().find(|(name, ..)| *name == key) {
            Some((_, best, at)) => {
                if better(way, value, *best) {
                    (*best, *at) = (value, step);
                }
                (*best, *at)
            }
            None => {
                self.best.push((key, value, step));
                (value, step)
            }
        }
    }

    /// The run ended so.
    pub fn end(&mut self, end: &Result<End, Error>) {
        if let Some((bar, _)) = self.looking.take() {
            bar.clear(); // an image is faulty
        }
        self.progress.finish();
        self.story.state = match end {
            Ok(End::Done) => State::Finished,
            Ok(End::Stopped) => State::Stopped("it was asked to stop".to_owned()),
            Err(error) => State::Stopped(error.to_string()),
        };
        if self.log.is_none() {
            return; // it never began
        }
        match end {
            Ok(End::Done) => {
                let took = self.started.0.elapsed();
                self.line(Level::Info, &lines::ends(took));
            }
            Ok(End::Stopped) => self.line(Level::Info, lines::STOPPED),
            Err(error) => self.line(Level::Error, &error.to_string()),
        }
        self.write_page();
        if matches!(end, Ok(End::Done)) {
            terminal::say(format_args!(
                "report: {}",
                terminal::shown(&self.out.join(PAGE))
            ));
        }
    }

    /// Prints the table of the last validation.
    pub fn table(&mut self, net: &CATANet) {
        let sets = std::mem::take(&mut self.sets);
        if !sets.is_empty() {
            let report = crate::report::Report::new(net, false, sets, Vec::new());
            terminal::out(format_args!("\n{}", report.table().trim_end()));
        }
    }

    /// Says whether the images that were held out, and the other sets, come out better than before the first
    /// step.
    pub fn verdict(&self) {
        for set in self.story.sets() {
            let of_set = |v: &&story::Validation| v.set == set;
            let mut all = self.story.validations().iter().filter(of_set);
            let (Some(before), Some(after)) = (all.next(), all.next_back()) else {
                continue;
            };
            if before.step > 0 {
                continue; // what an earlier sitting told is lost
            }
            let by = after.psnr - before.psnr;
            let word = match by {
                by if by > AS_GOOD => "better",
                by if by < -AS_GOOD => "worse",
                _ => "as good",
            };
            terminal::out(format_args!(
                "{set}: {word}, {:.2} dB before, {:.2} dB now ({by:+.2})",
                before.psnr, after.psnr
            ));
        }
    }

    /// How often all images had been seen before the last of so many steps, as BasicSR counts.
    fn epoch(&self, steps: u64) -> u64 {
        steps.saturating_sub(1) / self.statistics.steps_an_epoch()
    }

    fn line(&mut self, level: Level, message: &str) {
        if let Some(log) = &mut self.log {
            let written = log.line(level, message);
            self.told(written);
        }
    }

    fn scalars(&mut self, step: u64, figures: &[(&str, f64)]) {
        for (tag, value) in figures {
            if let Some(events) = &mut self.events {
                let written = events.scalar(step, tag, *value);
                self.told(written);
            }
        }
    }

    fn write_page(&mut self) {
        let page = run_page::save(&self.story, &self.out.join(PAGE));
        let written = page.and_then(|()| self.story.save(&self.out.join(STORY)));
        if let Err(error) = written {
            self.fault(&error);
        }
    }

    fn warn(&mut self, text: &str) {
        self.progress.aside(|| terminal::err(text));
        self.line(Level::Warning, text);
    }

    fn told(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            self.fault(&error);
        }
    }

    /// Says that something cannot be shown: once, as the next time it is the same.
    fn fault(&mut self, error: &impl std::fmt::Display) {
        if !std::mem::replace(&mut self.faulty, true) {
            self.progress.aside(|| {
                terminal::err(format_args!(
                    "the run goes on, but its log, events or page cannot be written in {}: {error}",
                    terminal::shown(&self.out)
                ));
            });
        }
    }
}
