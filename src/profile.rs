//! `--profile`: where the time on the adapter goes, as a table for people and as a trace for
//! viewers.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use catanet::Error;
use nn::checkpoint::write_atomically;
use serde_json::{Value, json};
use tensor::{Clock, Device, Profile};

use crate::report::{check_writable, thousands};
use crate::terminal;

/// Dispatches that a trace shows, the first of them: viewers hold no more.
const TRACED: usize = 200_000;
/// Width of the longest bar in the table.
const BAR: f64 = 16.0;

/// Runs `f`, and if a profile is asked for, prints it afterwards, and writes its trace where a
/// file is named.
///
/// # Errors
/// Those of `f`; the trace cannot be written (found before `f` runs, if it can be); the device was
/// lost.
pub fn profiled<T>(
    device: &Device,
    wanted: Option<&Option<PathBuf>>,
    f: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let Some(file) = wanted else {
        return f();
    };
    let traced = match file {
        Some(path) => {
            check_writable(path)?;
            TRACED
        }
        None => 0,
    };
    let (result, profile) = device.profile(traced, f)?;
    let result = result?;
    terminal::out(format_args!("\n{}", table(&profile).trim_end()));
    if let Some(path) = file {
        save_trace(&profile, device.name(), path)?;
        terminal::say(format_args!(
            "trace: {} (for ui.perfetto.dev or chrome://tracing)",
            path.display()
        ));
        if profile.events.len() as u64 != profile.stats.dispatches {
            terminal::say(format_args!(
                "it shows the first {} dispatches",
                thousands(TRACED)
            ));
        }
    }
    Ok(result)
}

/// The kernels, the costliest first, and what they add up to.
pub fn table(profile: &Profile) -> String {
    let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1e3;
    let total = milliseconds(profile.kernel_time());
    let names = profile.kernels.iter().map(|k| k.name.chars().count());
    let width = names.chain([6]).max().unwrap_or(0);
    let share = |ms: f64| if total > 0.0 { ms / total } else { 0.0 };
    let longest = profile.kernels.first();
    let longest = longest.map_or(0.0, |k| share(milliseconds(k.time)));

    let mut text = format!(
        "{:width$}  {:>8}  {:>10}  {:>6}  {:>9}\n",
        "kernel", "calls", "total ms", "share", "ms/call"
    );
    for kernel in &profile.kernels {
        let ms = milliseconds(kernel.time);
        let bar = bar(share(ms) / longest.max(1e-9) * BAR);
        let line = format!(
            "{:width$}  {:>8}  {ms:>10.2}  {:>5.1}%  {:>9.4}  {bar}",
            kernel.name,
            thousands(kernel.calls as usize),
            100.0 * share(ms),
            ms / kernel.calls.max(1) as f64,
        );
        text += line.trim_end();
        text.push('\n');
    }
    let stats = &profile.stats;
    let elapsed = milliseconds(profile.elapsed);
    text += &format!(
        "{:width$}  {:>8}  {total:>10.2}  of {elapsed:.2} ms that passed ({:.0}%)\n\n",
        "all",
        thousands(stats.dispatches as usize),
        100.0 * total / elapsed.max(1e-9),
    );
    text += match profile.clock {
        Clock::Timestamps => "times: the adapter's timestamps, around each dispatch\n",
        Clock::Wall => {
            "times: the clock's, each dispatch submitted alone and waited for (this adapter has no \
             timestamps)\n"
        }
    };
    let mib = |bytes: u64| bytes as f64 / (1 << 20) as f64;
    text + &format!(
        "{}, {}, {}\npool: {:.1} MiB in {}, {:.1} MiB at its peak\n",
        count(stats.dispatches, "dispatch", "dispatches"),
        count(stats.submits, "submit", "submits"),
        count(stats.read_backs, "read-back", "read-backs"),
        mib(stats.pool_bytes),
        count(stats.pool_buffers, "buffer", "buffers"),
        mib(stats.peak_pool_bytes),
    )
}

fn count(n: u64, one: &str, many: &str) -> String {
    match n {
        1 => format!("1 {one}"),
        n => format!("{} {many}", thousands(n as usize)),
    }
}

/// A bar of this many cells, drawn to an eighth of one.
fn bar(cells: f64) -> String {
    let eighths = (cells * 8.0).round() as usize;
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    "█".repeat(eighths / 8) + rest
}

/// Writes the events as a Chrome trace, whole or not at all.
fn save_trace(profile: &Profile, adapter: &str, path: &Path) -> Result<()> {
    let json = serde_json::to_vec(&trace(profile, adapter)).context("the trace as JSON")?;
    write_atomically(path, &json).map_err(|source| {
        let path = path.to_owned();
        Error::UnwritableFile { path, source }.into()
    })
}

/// The Trace Event Format: complete events ("X"), times in microseconds.
fn trace(profile: &Profile, adapter: &str) -> Value {
    let named = |what, name: &str| json!({"ph": "M", "pid": 1, "tid": 1, "name": what, "args": {"name": name}});
    let head = [
        named("process_name", adapter),
        named("thread_name", "kernels"),
    ];
    let events = profile.events.iter().map(|event| {
        json!({
            "ph": "X",
            "pid": 1,
            "tid": 1,
            "name": event.kernel.split(' ').next(), // the constants are among the arguments
            "ts": event.start.as_nanos() as f64 / 1e3,
            "dur": event.time.as_nanos() as f64 / 1e3,
            "args": {"kernel": &*event.kernel, "workgroups": event.groups},
        })
    });
    json!({
        "displayTimeUnit": "ms",
        "traceEvents": head.into_iter().chain(events).collect::<Vec<_>>(),
    })
}
