//! Who is enlarged, and where to: all of it is known before the first picture is read.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use nn::checkpoint::check_writable;
use picture::Format;
use walkdir::WalkDir;

use super::guard::{Identity, has_content, identity, may_write};
use super::mark::is_marked;
use super::names::{Names, Naming};
use super::options::{Shard, written};
use crate::terminal::shown;

/// What the command line asks for.
pub struct Request {
    /// Files, folders, and `-` for stdin.
    pub inputs: Vec<PathBuf>,
    /// A file, `-`, or a folder.
    pub output: Option<PathBuf>,
    /// A folder.
    pub save: Option<PathBuf>,
    /// The format of all outputs.
    pub format: Option<Format>,
    /// Whether to write over what is there.
    pub overwrite: bool,
    /// Whether to pass over what is there.
    pub skip_existing: bool,
    /// The part of the pictures to enlarge.
    pub shard: Shard,
    /// Files, beside the inputs, that no output may replace.
    pub kept: Vec<PathBuf>,
}

/// A picture to enlarge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The file; `-` is stdin.
    pub input: PathBuf,
    /// The file; `-` is stdout.
    pub output: PathBuf,
    /// The output's format.
    pub format: Format,
}

/// Who is enlarged, who is not, and why.
#[derive(Default)]
pub struct Plan {
    /// What to do, in order.
    pub jobs: Vec<Job>,
    /// Inputs that cannot be enlarged, with the reason.
    pub refused: Vec<(PathBuf, String)>,
    /// Outputs of this program among the inputs.
    pub own: usize,
    /// Files in folders that are no pictures by their name.
    pub strays: usize,
    /// Pictures whose output is there (with `skip_existing`).
    pub existing: usize,
    /// Pictures that other shards enlarge.
    pub others: usize,
    /// Whether the folders of outputs are made where they are missing.
    makes_folders: bool,
}

/// A file to read, and its place below the folder it was found in.
struct Found {
    path: PathBuf,
    below: PathBuf, // the folders between
    walked: bool,   // from a folder, not named itself
}

/// stdin or stdout.
pub fn is_stream(path: &Path) -> bool {
    path == Path::new("-")
}

impl Plan {
    /// Looks for the inputs, and gives each its output.
    ///
    /// # Errors
    /// Options that do not fit together. A single input that is amiss is in `refused`.
    pub fn new(request: &Request, scale: usize) -> Result<Plan> {
        let mut plan = Plan::default();
        let found = plan.find(request);
        let target = Target::of(request, scale, &found)?;
        plan.makes_folders = matches!(target.to, To::Folder(_));
        let kept: HashSet<_> = request
            .kept
            .iter()
            .filter_map(|path| identity(path))
            .collect();
        let mut names = Names::new(target.naming);
        let mut given = Vec::new();
        for file in found {
            match target.place(&mut names, &file) {
                Ok(job) => given.push((job, file.walked)),
                Err(reason) => plan.refused.push((file.path, reason)),
            }
        }
        // Outputs of an earlier run are no inputs: those of this very command line, and in folders those
        // whose source is an input too.
        let outputs: HashSet<_> = given
            .iter()
            .filter_map(|(job, _)| identity(&job.output))
            .collect();
        let names: HashSet<_> = given
            .iter()
            .flat_map(|(job, _)| [job.input.file_name(), job.input.file_stem()])
            .map(|name| name.map(OsStr::to_owned))
            .collect();
        let is_own = |(job, walked): &(Job, bool)| {
            let output = || identity(&job.input).is_some_and(|id| outputs.contains(&id));
            let source = || source_of(&job.input).is_some_and(|name| names.contains(&Some(name)));
            (output() || *walked && source()) && is_marked(&job.input)
        };
        let before = given.len();
        given.retain(|job| !is_own(job));
        plan.own = before - given.len();
        let inputs: HashSet<_> = given
            .iter()
            .filter_map(|(job, _)| identity(&job.input))
            .collect();
        for (number, (job, _)) in given.into_iter().enumerate() {
            if number % request.shard.of != request.shard.first {
                plan.others += 1;
                continue;
            }
            if request.skip_existing && has_content(&job.output) {
                plan.existing += 1;
                continue;
            }
            match may_write(&job.output, request.overwrite, &inputs, &kept) {
                Ok(()) => plan.jobs.push(job),
                Err(reason) => plan.refused.push((job.input, reason)),
            }
        }
        Ok(plan)
    }

    /// All files to read, in the order of the inputs, those of a folder by name.
    fn find(&mut self, request: &Request) -> Vec<Found> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let results = [&request.save, &request.output].into_iter().flatten();
        let results: Vec<_> = results.filter_map(|path| identity(path)).collect();
        for input in &request.inputs {
            let walked = input.is_dir();
            let files = match walked {
                true => self.walk(input, &results),
                false => vec![Found {
                    path: input.clone(),
                    below: PathBuf::new(),
                    walked,
                }],
            };
            for file in files {
                let path = file.path.as_path();
                // The same file by the same name twice is one picture.
                let place = path.parent().and_then(identity);
                let name = path.file_name().map(ToOwned::to_owned);
                if place.is_none() || seen.insert((place, name)) || is_stream(path) {
                    found.push(file);
                }
            }
        }
        found
    }

    /// The pictures in a folder and below. Links are followed, in no circles; folders of results are not.
    fn walk(&mut self, folder: &Path, results: &[Identity]) -> Vec<Found> {
        let mut found = Vec::new();
        let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name();
        let inside = |entry: &walkdir::DirEntry| {
            let hidden =
                entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".");
            let of_results = entry.depth() > 0
                && entry.file_type().is_dir()
                && identity(entry.path()).is_some_and(|id| results.contains(&id));
            !hidden && !of_results
        };
        for entry in walk.into_iter().filter_entry(inside) {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {}
                Ok(entry) if is_picture(entry.path()) => {
                    let below = entry
                        .path()
                        .parent()
                        .and_then(|p| p.strip_prefix(folder).ok());
                    found.push(Found {
                        below: below.unwrap_or(Path::new("")).to_owned(),
                        path: entry.into_path(),
                        walked: true,
                    });
                }
                Ok(_) => self.strays += 1,
                // A link back to a folder that is searched already: its pictures are found there.
                Err(error) if error.loop_ancestor().is_some() => self.strays += 1,
                Err(error) => {
                    let path = error.path().unwrap_or(folder).to_owned();
                    let reason = error
                        .into_io_error()
                        .map_or_else(String::new, |e| e.to_string());
                    self.refused
                        .push((path, format!("cannot be searched: {reason}")));
                }
            }
        }
        found
    }

    /// Whether a picture goes to stdout.
    pub fn writes_to_stdout(&self) -> bool {
        self.jobs.iter().any(|job| is_stream(&job.output))
    }

    /// Makes the folders that outputs go to, and tries whether they can be written: to know before
    /// hours of work. Pictures whose folder cannot are refused.
    pub fn make_folders(&mut self) {
        let mut tried: HashMap<PathBuf, Option<String>> = HashMap::new();
        for job in std::mem::take(&mut self.jobs) {
            let folder = job.output.parent().unwrap_or(Path::new("")).to_owned();
            let reason = match is_stream(&job.output) {
                true => None,
                false => {
                    let test = || self.try_folder(&folder, &job.output);
                    tried.entry(folder.clone()).or_insert_with(test).clone()
                }
            };
            match reason {
                None => self.jobs.push(job),
                Some(reason) => {
                    let output = shown(&job.output);
                    let reason = format!(
                        "cannot write {output}: {reason}; check its folder, or choose another"
                    );
                    self.refused.push((job.input, reason));
                }
            }
        }
    }

    /// Why nothing can be written to a folder, if that is so.
    fn try_folder(&self, folder: &Path, output: &Path) -> Option<String> {
        let make = || match self.makes_folders {
            true => fs::create_dir_all(folder),
            false => Ok(()),
        };
        // (The kind alone: the text of an error names the file that was tried.)
        let tried = make().and_then(|()| check_writable(output));
        tried.err().map(|error| error.kind().to_string())
    }
}

/// Where outputs go.
struct Target<'a> {
    request: &'a Request,
    naming: Naming,
    to: To,
}

enum To {
    File(PathBuf),
    Folder(PathBuf),
    Beside,
}

impl Target<'_> {
    fn of<'a>(request: &'a Request, scale: usize, found: &[Found]) -> Result<Target<'a>> {
        let with_scale = Naming::WithScale(scale);
        let target = |to, naming| {
            Ok(Target {
                request,
                naming,
                to,
            })
        };
        let Some(output) = &request.output else {
            return match &request.save {
                Some(folder) => target(To::Folder(folder.clone()), with_scale),
                None => target(To::Beside, with_scale),
            };
        };
        let walked = found.iter().any(|f| f.walked) || request.inputs.iter().any(|i| i.is_dir());
        let slash = output.as_os_str().as_encoded_bytes().ends_with(b"/");
        let named = output
            .extension()
            .and_then(Format::from_extension)
            .is_some();
        ensure!(
            !walked || slash || output.is_dir() || !(named || is_stream(output)),
            "{} names a picture and the input is a folder; name a folder for its pictures",
            shown(output)
        );
        if !is_stream(output) && (walked || slash || output.is_dir()) {
            return target(To::Folder(output.clone()), Naming::Plain);
        }
        let n = found.len();
        ensure!(
            n <= 1,
            "--output names one file, but there are {n} inputs; name a folder, or use --save DIR"
        );
        target(To::File(output.clone()), with_scale)
    }

    /// The job of one file, or why there is none, as a clause.
    fn place(&self, names: &mut Names, file: &Found) -> std::result::Result<Job, String> {
        let job = |output: PathBuf, format| Job {
            input: file.path.clone(),
            output,
            format,
        };
        let format = self.request.format.unwrap_or(Format::Png);
        let folder = match &self.to {
            To::File(output) => {
                let format = format_of(output, self.request.format)?;
                return Ok(job(output.clone(), format));
            }
            To::Beside if is_stream(&file.path) => return Ok(job(PathBuf::from("-"), format)),
            To::Folder(folder) => folder.join(&file.below),
            To::Beside => file.path.parent().unwrap_or(Path::new("")).to_owned(),
        };
        let name = match is_stream(&file.path) {
            true => Some(OsStr::new("stdin")),
            false => file.path.file_name(),
        };
        let Some(name) = name else {
            return Err("it is no file; name a picture or a folder of pictures".to_owned());
        };
        let output = names.give(&folder, name, format.extensions()[0])?;
        Ok(job(output, format))
    }
}

/// The format that an output's name asks for, or `--format`.
fn format_of(output: &Path, wanted: Option<Format>) -> std::result::Result<Format, String> {
    // A device or a pipe may be called anything.
    let is_special = output.exists() && !output.is_file();
    let extension = output
        .extension()
        .filter(|_| !is_stream(output) && !is_special);
    let Some(extension) = extension else {
        return Ok(wanted.unwrap_or(Format::Png));
    };
    let named = Format::from_extension(extension).filter(|f| Format::WRITTEN.contains(f));
    match (named, wanted) {
        (Some(named), Some(wanted)) if named != wanted => Err(format!(
            "the output's name says {named} and --format says {wanted}; leave one out"
        )),
        (Some(format), _) => Ok(format),
        (None, _) => Err(format!(
            "{} is no format that is written; call the output {}",
            shown(Path::new(extension)),
            written()
        )),
    }
}

/// Pictures that are not read, which a folder's owner wants to know of.
const UNREAD: [&str; 6] = ["heic", "heif", "avif", "jxl", "jp2", "psd"];

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    let unread = || {
        UNREAD
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    };
    path.is_file() && (Format::from_extension(extension).is_some() || unread())
}

/// What an output of this name was made of, by name: `b` of `a/b_x2.png`, `b.jpg` of `a/b.jpg_x2.png`.
fn source_of(output: &Path) -> Option<OsString> {
    let stem = output.file_stem()?.to_str()?;
    let (source, scale) = stem.rsplit_once("_x")?;
    scale.starts_with(['2', '3', '4']).then(|| source.into())
}
