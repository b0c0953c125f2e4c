//! The other side of the conversation of `serve.rs`: contestants as child processes.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// What a contestant says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// The work is set up on this adapter, and warm.
    Ready(String),
    /// What one repetition took.
    Seconds(f64),
    /// The most memory the work has needed.
    Bytes(Option<u64>),
    /// It cannot go on.
    Failed(String),
}

/// Compiling a network takes PyTorch minutes; who says nothing for longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(20 * 60);

/// A contestant that is ready, in its own process.
pub struct Contestant {
    child: Child,
    questions: ChildStdin,
    answers: Receiver<Answer>,
    /// From the start of its process until it was ready.
    pub start_up: Duration,
}

impl Contestant {
    /// Starts it and waits until it is ready. What it prints beside goes into `log`.
    ///
    /// # Errors
    /// Why it cannot do the work.
    pub fn start(command: &mut Command, log: &File) -> Result<Contestant> {
        let begin = Instant::now();
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.try_clone().context("cannot share the log")?)
            .spawn();
        let program = command.get_program().to_string_lossy();
        let mut child = child.with_context(|| format!("cannot start {program}"))?;
        let (Some(questions), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both were asked for")
        };
        let (sender, answers) = mpsc::channel();
        thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            // Lines that are no answers are some library's chatter.
            lines
                .filter_map(|line| serde_json::from_str(&line).ok())
                .try_for_each(|answer| sender.send(answer))
        });
        let mut contestant = Contestant {
            child,
            questions,
            answers,
            start_up: Duration::ZERO,
        };
        match contestant.listen()? {
            Answer::Ready(_) => {
                contestant.start_up = begin.elapsed();
                Ok(contestant)
            }
            other => bail!("it began with {other:?}"),
        }
    }

    /// Does the work; seconds a repetition.
    ///
    /// # Errors
    /// Why it failed.
    pub fn run(&mut self) -> Result<f64> {
        match self.ask("run")? {
            Answer::Seconds(seconds) => Ok(seconds),
            other => bail!("asked to run, it said {other:?}"),
        }
    }

    /// The most memory that the runs have needed, in bytes; None where that is not known.
    ///
    /// # Errors
    /// It turns out that they failed.
    pub fn peak(&mut self) -> Result<Option<u64>> {
        match self.ask("peak")? {
            Answer::Bytes(bytes) => Ok(bytes),
            other => bail!("asked for its peak, it said {other:?}"),
        }
    }

    /// Waits until one that takes no questions ends, with what it keeps on disk for the next one written.
    ///
    /// # Errors
    /// It does not end, or not well.
    pub fn see_off(mut self) -> Result<()> {
        match self.answers.recv_timeout(PATIENCE) {
            Err(RecvTimeoutError::Disconnected) => {}
            Err(RecvTimeoutError::Timeout) => bail!("it does not end"),
            Ok(answer) => bail!("at its end it said {answer:?}"),
        }
        let status = self.child.wait().context("it is gone")?;
        match status.success() {
            true => Ok(()),
            false => bail!("it ended with {status}; see target/peers.log"),
        }
    }

    fn ask(&mut self, question: &str) -> Result<Answer> {
        // Where it is gone, what it said last tells why.
        let _ = writeln!(self.questions, "{question}").and_then(|()| self.questions.flush());
        self.listen()
    }

    fn listen(&mut self) -> Result<Answer> {
        match self.answers.recv_timeout(PATIENCE) {
            Ok(Answer::Failed(reason)) => bail!("{reason}"),
            Ok(answer) => Ok(answer),
            Err(RecvTimeoutError::Timeout) => bail!("no answer in {PATIENCE:?}"),
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.child.wait().context("it is gone")?;
                let status = status.to_string();
                let killed = status.contains("SIGKILL"); // by the system, as a rule
                let hint = if killed {
                    "out of memory?"
                } else {
                    "see target/peers.log"
                };
                bail!("it ended with {status}; {hint}")
            }
        }
    }
}

impl Drop for Contestant {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended already
        let _ = self.child.wait();
    }
}
