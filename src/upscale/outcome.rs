//! What became of each picture: a line or JSON at once, a summary at the end.

use std::mem;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, bail};
use parking_lot::Mutex;
use serde::Serialize;

use super::plan::{Job, Plan, is_stream};
use crate::advice::with_options;
use crate::page::Shown;
use crate::progress::Progress;
use crate::report::one_line;
use crate::terminal::{self, shown};

/// Parts of a picture that the bar counts.
const PARTS: u64 = 1000;

/// A picture that is enlarged and written.
pub struct Done {
    /// Width and height of the output.
    pub size: [usize; 2],
    /// Time in the network.
    pub seconds: f64,
    /// What was lost or changed on the way.
    pub notes: Vec<String>,
}

/// All outcomes so far. Threads add to it as they finish.
pub struct Outcomes {
    json: bool,
    /// Whether there is one picture, whose failure is the program's.
    alone: bool,
    progress: Progress,
    /// Pictures that are through, well or not.
    through: AtomicUsize,
    done: AtomicUsize,
    failures: Mutex<Vec<String>>,
    page: Mutex<Vec<(PathBuf, Shown)>>,
}

#[derive(Serialize)]
struct Line<'a> {
    input: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    notes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl Outcomes {
    /// The outcomes of a plan, of which those inputs that are refused are told now.
    pub fn new(json: bool, plan: &Plan) -> Outcomes {
        let outcomes = Outcomes {
            json,
            alone: plan.jobs.len() + plan.refused.len() == 1,
            progress: Progress::new(plan.jobs.len() as u64 * PARTS, 0, ""),
            through: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            failures: Mutex::default(),
            page: Mutex::default(),
        };
        for (input, reason) in &plan.refused {
            outcomes.tell_failure(input, reason);
        }
        outcomes
    }

    /// So much of a picture, 0 to 1, is through the network.
    pub fn show_share(&self, job: &Job, share: f64) {
        let through = self.through.load(Ordering::Relaxed) as u64 * PARTS;
        let now = through + (share.clamp(0.0, 1.0) * PARTS as f64) as u64;
        // Elsewhere than on a terminal the line at a picture's end is news enough.
        self.progress.show(now, shown(&job.input), |_| {});
    }

    /// A picture is written.
    pub fn add(&self, job: &Job, done: &Done, shown_on_page: Option<Shown>) {
        self.through.fetch_add(1, Ordering::Relaxed);
        self.done.fetch_add(1, Ordering::Relaxed);
        self.page
            .lock()
            .extend(shown_on_page.map(|picture| (job.input.clone(), picture)));
        let [width, height] = done.size;
        let (from, to) = (label(&job.input, "stdin"), label(&job.output, "stdout"));
        self.progress.aside(|| {
            if self.json {
                print_json(&Line {
                    input: data(&job.input),
                    output: Some(data(&job.output)),
                    width: Some(width),
                    height: Some(height),
                    seconds: Some(done.seconds),
                    notes: &done.notes,
                    error: None,
                });
                return;
            }
            terminal::say(format_args!(
                "{from} -> {to}  {width}×{height}  {:.2} s",
                done.seconds
            ));
            for note in &done.notes {
                terminal::err(format_args!("note: {from}: {note}"));
            }
        });
    }

    /// A picture is not written.
    pub fn fail(&self, job: &Job, error: anyhow::Error) {
        self.through.fetch_add(1, Ordering::Relaxed);
        let error = one_line(&with_options(error));
        self.tell_failure(&job.input, &error);
    }

    fn tell_failure(&self, input: &Path, error: &str) {
        let name = label(input, "stdin");
        let line = match error.contains(&name) {
            true => error.to_owned(),
            false => format!("{name}: {error}"),
        };
        self.progress.aside(|| {
            if !self.alone {
                terminal::err(format_args!("failed: {line}"));
            }
            if self.json {
                print_json(&Line {
                    input: data(input),
                    output: None,
                    width: None,
                    height: None,
                    seconds: None,
                    notes: &[],
                    error: Some(error),
                });
            }
        });
        self.failures.lock().push(line);
    }

    /// The pictures for a page, in the order of their names.
    pub fn for_page(&self) -> Vec<Shown> {
        let mut pictures = mem::take(&mut *self.page.lock());
        pictures.sort_by(|(a, _), (b, _)| a.cmp(b));
        pictures.into_iter().map(|(_, picture)| picture).collect()
    }

    /// The summary.
    ///
    /// # Errors
    /// What failed, as one line; or that there was nothing to do.
    pub fn finish(&self, plan: &Plan) -> Result<()> {
        self.progress.clear();
        let failures = self.failures.lock();
        let done = self.done.load(Ordering::Relaxed);
        let failed = failures.len();
        let Plan {
            own,
            strays,
            existing,
            others,
            ..
        } = *plan;
        let passed = own + strays + existing + others;
        if done + failed + passed == 0 {
            bail!("there is no picture to enlarge; name some, or a folder that holds some");
        }
        if self.alone && failed == 1 {
            bail!("{}", failures[0]);
        }
        let left = plan.jobs.len() + plan.refused.len() - done - failed;
        let mut parts = vec![format!("{done} enlarged")];
        let counts = [
            (failed, "failed"),
            (existing, "there already"),
            (others, "left to other shards"),
            (own, "passed over as outputs of this program"),
            (strays, "passed over as no pictures"),
            (left, "not reached"),
        ];
        parts.extend(
            counts
                .into_iter()
                .filter(|(n, _)| *n > 0)
                .map(|(n, what)| format!("{n} {what}")),
        );
        let summary = parts.join(", ");
        if plan.jobs.len() + plan.refused.len() > 1 || passed > 0 {
            terminal::say(&summary);
        }
        if left > 0 {
            bail!("stopped: {summary}");
        }
        if failed > 0 {
            terminal::err("these failed:");
            failures
                .iter()
                .for_each(|line| terminal::err(format_args!("  {line}")));
            bail!("{failed} of {} pictures failed", done + failed);
        }
        Ok(())
    }
}

/// A path for a program: as it is, as far as it is text.
fn data(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A file's name, or that of a stream.
fn label(path: &Path, stream: &str) -> String {
    match is_stream(path) {
        true => stream.to_owned(),
        false => shown(path),
    }
}

fn print_json(line: &Line) {
    // The fields are text and numbers, which JSON can hold.
    if let Ok(text) = serde_json::to_string(line) {
        terminal::out(text);
    }
}
