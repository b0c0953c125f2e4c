//! Options that several commands take, with the same names everywhere.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use tensor::Device;

use crate::profile::profiled;
use crate::terminal::{self, Level};

/// Which adapter computes, whether its time is accounted for, and how much is told.
#[derive(Args, Debug, Clone)]
pub struct AdapterArgs {
    /// Adapter to compute on, by number or part of its name; -1 is the processor [default: the best
    /// there is]
    #[arg(
        short = 'g',
        long,
        value_name = "NAME",
        env = "CATANET_ADAPTER",
        allow_negative_numbers = true
    )]
    pub adapter: Option<String>,
    /// List the adapters of this machine and stop
    #[arg(long)]
    pub list_adapters: bool,
    /// Tell at the end where the adapter's time went, kernel by kernel; with a name, write every
    /// dispatch into that file too (JSON, for ui.perfetto.dev or chrome://tracing)
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    pub profile: Option<Option<PathBuf>>,
    /// Tell results and errors only
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Tell more
    #[arg(short, long)]
    pub verbose: bool,
}

impl AdapterArgs {
    /// Opens the adapter; None where the adapters were to be listed only, which is done then.
    ///
    /// # Errors
    /// There is no adapter, or none of that name.
    pub fn open(&self) -> Result<Option<Device>> {
        terminal::set_level(match (self.quiet, self.verbose) {
            (true, _) => Level::Quiet,
            (_, true) => Level::Verbose,
            _ => Level::Normal,
        });
        if self.list_adapters {
            list_adapters()?;
            return Ok(None);
        }
        let name = match self.adapter.as_deref() {
            // As the ncnn upscalers have it: `auto`, -1 for the processor, a list of which the first
            // is taken (one process computes on one adapter; --shard spreads a batch over several).
            None | Some("auto") => None,
            Some("-1") => Some(processor()?),
            Some(list) => Some(first_of(list).to_owned()),
        };
        Ok(Some(Device::open(name.as_deref())?))
    }

    /// Runs `f`, which computes on `device`, with the profile that is asked for, if one is.
    ///
    /// # Errors
    /// Those of [`profiled`].
    pub fn profiled<T>(&self, device: &Device, f: impl FnOnce() -> Result<T>) -> Result<T> {
        profiled(device, self.profile.as_ref(), f)
    }
}

/// The first of a list of numbers; a name stays whole.
fn first_of(list: &str) -> &str {
    let numbers = || list.split(',').all(|n| n.trim().parse::<u32>().is_ok());
    match list.split_once(',') {
        Some((first, _)) if numbers() => first.trim(),
        _ => list,
    }
}

/// The number of the adapter that is the processor itself.
fn processor() -> Result<String> {
    let adapters = tensor::list_adapters();
    match adapters.iter().position(|a| a.kind == "software") {
        Some(i) => Ok(i.to_string()),
        None => bail!(
            "there is no software adapter for -g -1; install Mesa's lavapipe, or choose one that \
             `catanet adapters` lists"
        ),
    }
}

/// Prints the adapters of this machine, numbered as `--adapter` takes them.
///
/// # Errors
/// There is none.
pub fn list_adapters() -> Result<()> {
    let adapters = tensor::list_adapters();
    if adapters.is_empty() {
        return Err(tensor::Error::NoAdapter.into());
    }
    for (i, a) in adapters.iter().enumerate() {
        terminal::out(format!("{i}: {} ({}, {})", a.name, a.kind, a.backend));
    }
    Ok(())
}

/// The arguments of this process, with `-opt FILE` as `--opt FILE`: people type it as BasicSR has it, and
/// to clap it would be `-o pt`.
pub fn command_line() -> Vec<OsString> {
    with_opt(std::env::args_os().collect())
}

fn with_opt(mut arguments: Vec<OsString>) -> Vec<OsString> {
    // Those that have an `-o`, or no option file.
    let others = ["upscale", "convert", "adapters", "completions"];
    let other = |command: &OsString| others.iter().any(|name| command == name);
    if !arguments.get(1).is_some_and(other) {
        for argument in arguments.iter_mut().skip(1) {
            let text = argument.to_string_lossy();
            if text == "-opt" || text.starts_with("-opt=") {
                *argument = format!("-{text}").into();
            }
        }
    }
    arguments
}

/// The default output folder of a scale, with BasicSR's names inside.
pub fn experiment(scale: usize) -> PathBuf {
    PathBuf::from(format!("experiments/train_catanet_x{scale}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_file_may_be_named_as_basicsr_has_it() {
        let read = |line: &str| {
            let line = with_opt(line.split(' ').map(OsString::from).collect());
            line.join(" ".as_ref()).into_string().expect("text")
        };
        assert_eq!(read("catanet eval -opt a.yml"), "catanet eval --opt a.yml");
        assert_eq!(read("train_x2 -v -opt=a.yml"), "train_x2 -v --opt=a.yml");
        assert_eq!(read("catanet upscale a -opt"), "catanet upscale a -opt");
    }

    #[test]
    fn of_a_list_of_adapters_the_first_is_taken_and_a_name_stays_whole() {
        assert_eq!(first_of("1,2"), "1");
        assert_eq!(first_of("1"), "1");
        assert_eq!(first_of("Radeon, big"), "Radeon, big");
    }
}
