//! The work: threads decode ahead of the adapter and encode behind it.
//!
//! Decoded pictures come in the order of the jobs, each thread having every n-th; so the adapter sees the
//! same pictures in the same order on any number of threads.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use catanet::CATANet;
use catanet::enlarge::{EnlargeOptions, Enlarged, enlarge_picture};
use nn::checkpoint::write_atomically;
use parking_lot::Mutex;
use picture::{Picture, ReadError, ReadOptions, Reading, WriteOptions, read, write};

use super::mark::mark;
use super::options::Jobs;
use super::outcome::{Done, Outcomes};
use super::plan::{Job, is_stream};
use super::room;
use crate::interrupt;
use crate::page::Shown;
use crate::terminal::shown;

/// How pictures are read, enlarged and written.
pub struct Settings {
    /// How they are read.
    pub read: ReadOptions,
    /// How they are enlarged.
    pub enlarge: EnlargeOptions,
    /// How they are written.
    pub write: WriteOptions,
    /// On how many threads.
    pub jobs: Jobs,
    /// Whether a page shows them.
    pub page: bool,
}

/// Pictures that wait behind each thread: one to bridge a slow file, in little memory.
const AHEAD: usize = 1;
/// The most that a file may have: more than any picture that is read.
const MAX_FILE_BYTES: u64 = 2 << 30;

/// An enlarged picture on its way to a file.
struct Finished<'a> {
    job: &'a Job,
    before: Option<Picture>, // for the page
    enlarged: Enlarged,
    seconds: f64, // in the network
}

/// Enlarges the pictures of all jobs. What fails is told to `outcomes`, and the rest goes on; when it is
/// asked to stop, what is enlarged is written still.
///
/// # Errors
/// The device is lost.
pub fn work(net: &CATANet, jobs: &[Job], settings: &Settings, outcomes: &Outcomes) -> Result<()> {
    let Jobs { decode, encode } = settings.jobs;
    let (finished, waiting) = sync_channel(encode);
    let waiting = &Mutex::new(waiting);
    let stop = &AtomicBool::new(false);
    thread::scope(|scope| {
        let start = |first: usize| {
            let (sender, decoded) = sync_channel(AHEAD);
            let own = jobs.iter().skip(first).step_by(decode);
            scope.spawn(move || decode_all(own, &settings.read, &sender, stop));
            decoded
        };
        let decoded: Vec<Receiver<_>> = (0..decode.min(jobs.len())).map(start).collect();
        for _ in 0..encode.min(jobs.len()) {
            scope.spawn(|| encode_all(waiting, settings, outcomes));
        }
        let result = enlarge_all(net, jobs, settings, outcomes, &decoded, &finished);
        stop.store(true, Ordering::Relaxed);
        drop(decoded); // threads that wait for room go
        drop(finished); // and those that wait for pictures
        result
    })
}

fn decode_all<'a>(
    jobs: impl Iterator<Item = &'a Job>,
    options: &ReadOptions,
    sender: &SyncSender<Result<Reading>>,
    stop: &AtomicBool,
) {
    for job in jobs {
        if stop.load(Ordering::Relaxed) || sender.send(decode(&job.input, options)).is_err() {
            return;
        }
    }
}

fn decode(path: &Path, options: &ReadOptions) -> Result<Reading> {
    let failed = || format!("cannot read {}", shown(path));
    let bytes = bytes_of(path).with_context(failed)?;
    let reading = read(&bytes, options);
    reading.map_err(|error| {
        let advice = match &error {
            ReadError::Damaged {
                salvageable: true, ..
            } => "; --salvage takes what is there",
            _ => "",
        };
        anyhow!("cannot read {}: {error}{advice}", shown(path))
    })
}

/// What a file, a pipe or stdin holds, if it is no more than a picture may be.
fn bytes_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut take = |from: &mut dyn Read| from.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes);
    let length = match is_stream(path) {
        true => take(&mut io::stdin().lock())?,
        false => {
            let mut file = File::open(path)?;
            let length = file.metadata()?.len();
            match length > MAX_FILE_BYTES {
                true => usize::MAX, // not even begun
                false => take(&mut file)?,
            }
        }
    };
    match length as u64 > MAX_FILE_BYTES {
        true => Err(io::Error::other(format!(
            "it is larger than {MAX_FILE_BYTES} bytes, more than is read"
        ))),
        false => Ok(bytes),
    }
}

fn enlarge_all<'a>(
    net: &CATANet,
    jobs: &'a [Job],
    settings: &Settings,
    outcomes: &Outcomes,
    decoded: &[Receiver<Result<Reading>>],
    finished: &SyncSender<Finished<'a>>,
) -> Result<()> {
    let mut size = None;
    for (job, decoded) in jobs.iter().zip(decoded.iter().cycle()) {
        let Ok(reading) = decoded.recv() else {
            bail!("the thread that reads pictures has ended");
        };
        if interrupt::asked() {
            return Ok(());
        }
        let enlarged = reading.and_then(|reading| {
            let Reading {
                picture,
                notes,
                missing,
                ..
            } = reading;
            room::check(&picture, net.scale())?;
            let now = Some([picture.width, picture.height]);
            if size != now {
                net.device().trim(); // buffers of the last size would only be in the way
                size = now;
            }
            let before = settings.page.then(|| picture.clone());
            let mut progress = |share: f64| {
                outcomes.show_share(job, share);
                !interrupt::asked()
            };
            let name = shown(&job.input);
            let started = Instant::now();
            let mut enlarged =
                enlarge_picture(net, picture, &name, &settings.enlarge, &mut progress)?;
            let seconds = started.elapsed().as_secs_f64();
            if missing > 0.0 {
                let percent = 100.0 * missing;
                enlarged.notes.push(format!(
                    "{percent:.1} % of the picture is missing and was filled"
                ));
            }
            enlarged.notes.splice(0..0, notes);
            Ok(Finished {
                job,
                before,
                enlarged,
                seconds,
            })
        });
        match enlarged {
            Ok(picture) => {
                if finished.send(picture).is_err() {
                    bail!("the threads that write pictures have ended");
                }
            }
            Err(_) if interrupt::asked() => return Ok(()),
            Err(error) => {
                let lost = net.device().wait_idle().is_err();
                outcomes.fail(job, error);
                if lost {
                    bail!("the adapter is lost; start again with --skip-existing");
                }
            }
        }
    }
    Ok(())
}

fn encode_all(waiting: &Mutex<Receiver<Finished>>, settings: &Settings, outcomes: &Outcomes) {
    loop {
        // The lock is held while this thread waits, and no longer.
        let next = waiting.lock().recv();
        let Ok(finished) = next else {
            return;
        };
        match keep(&finished, &settings.write) {
            Ok(done) => outcomes.add(finished.job, &done, on_page(&finished, &done)),
            Err(error) => outcomes.fail(finished.job, error),
        }
    }
}

/// A picture for the page, if there is to be one; a picture that cannot be shown is written all the same.
fn on_page(finished: &Finished, done: &Done) -> Option<Shown> {
    let before = finished.before.as_ref()?;
    let [width, height] = done.size;
    let caption = format!(
        "{}×{} → {width}×{height}, {:.2} s",
        before.width, before.height, done.seconds
    );
    let name = shown(&finished.job.input);
    Shown::new(&name, &caption, before, &finished.enlarged.picture, None).ok()
}

/// Writes an enlarged picture.
fn keep(finished: &Finished, options: &WriteOptions) -> Result<Done> {
    let Finished { job, enlarged, .. } = finished;
    let Enlarged { picture, notes } = enlarged;
    let written = write(picture, job.format, options);
    let mut written = written.with_context(|| format!("cannot write {}", shown(&job.output)))?;
    mark(&mut written.bytes, job.format);
    save(&job.output, &written.bytes)
        .with_context(|| format!("cannot write {}", shown(&job.output)))?;
    Ok(Done {
        size: [picture.width, picture.height],
        seconds: finished.seconds,
        notes: notes.iter().chain(&written.notes).cloned().collect(),
    })
}

fn save(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if !is_stream(path) {
        return write_atomically(path, bytes);
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}
