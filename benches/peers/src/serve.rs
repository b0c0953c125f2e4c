//! A contestant's side of the conversation, one JSON object a line on stdout: `{"ready": ADAPTER}`
//! once the work is set up and warm (of a start: done once, and the end), then for every line on stdin
//! `run` → `{"seconds": S}` and `peak` → `{"bytes": N}`; or `{"failed": REASON}`, and the end.

use std::io::{BufRead, Write};
use std::panic::{self, AssertUnwindSafe};
use std::time::Instant;

use anyhow::Result;

use crate::contestant::Answer;
use crate::memory;

/// A kernel is repeated within a run until the run takes this long.
const LONG_ENOUGH: f64 = 0.02;

/// A work that is set up.
pub struct Contestant<'a> {
    /// The adapter that it runs on.
    pub adapter: String,
    /// Whether it is done several times in a run.
    pub repeat: bool,
    /// Whether the first result is all there is to it: no questions are taken.
    pub only_first: bool,
    /// Does the work so many times, and waits for the last result.
    pub run: Box<dyn FnMut(usize) -> Result<()> + 'a>,
    /// Whether all went well up to now: looks at the result.
    pub check: Box<dyn Fn() -> Result<()> + 'a>,
    /// The most bytes that the work has needed, where that is known.
    pub peak: Box<dyn Fn() -> Option<u64> + 'a>,
}

impl Contestant<'_> {
    fn seconds(&mut self, repeats: usize) -> Result<f64> {
        let start = Instant::now();
        (self.run)(repeats)?;
        Ok(start.elapsed().as_secs_f64() / repeats as f64)
    }

    /// Answers until stdin ends.
    ///
    /// # Errors
    /// The work failed, or there is nobody to answer to.
    pub fn serve(mut self) -> Result<()> {
        self.seconds(1)?; // compiles
        if self.only_first {
            answer(&Answer::Ready(self.adapter.clone()))?;
            return (self.check)();
        }
        let mut repeats = 1;
        while self.repeat && self.seconds(repeats)? * (repeats as f64) < LONG_ENOUGH {
            repeats *= 2;
        }
        (self.check)()?;
        memory::forget_peak();
        answer(&Answer::Ready(self.adapter.clone()))?;
        for line in std::io::stdin().lock().lines() {
            if line?.trim() == "run" {
                answer(&Answer::Seconds(self.seconds(repeats)?))?;
            } else {
                let bytes = (self.peak)();
                (self.check)()?;
                answer(&Answer::Bytes(bytes))?;
            }
        }
        Ok(())
    }
}

fn answer(answer: &Answer) -> Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, answer)?;
    writeln!(out)?;
    Ok(out.flush()?)
}

/// Answers why, should `serve` fail or panic.
pub fn or_say_why(serve: impl FnOnce() -> Result<()>) -> Result<()> {
    let reason = match panic::catch_unwind(AssertUnwindSafe(serve)) {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => format!("{error:#}"),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|s| s.to_string());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            text.unwrap_or_else(|| "it panicked".to_owned())
        }
    };
    answer(&Answer::Failed(reason))
}
