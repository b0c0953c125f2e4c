//! What GPUs' compilers make of the network's kernels: registers, spills, loads, and a predicted time. It runs
//! on a driver behind a shim, where pipelines are compiled and nothing is executed, and is started by
//! `scripts/gpu-report`.
//!
//!     compilers report TARGET          one target's part of the report
//!     compilers print NAME             machine code of the kernels with NAME in their names
//!     compilers check COMMITTED NOW    what is worse in the second report than in the first

mod check;
mod isa;
mod network;
mod predict;
mod report;
mod spirv;
mod target;
mod vulkan;
mod work;

use std::fs::read_to_string;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use self::target::{TARGETS, Target};

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["report", name] => {
            let names = TARGETS.map(|t| t.name).join(", ");
            let target =
                Target::named(name).with_context(|| format!("{name} is none of {names}"))?;
            print!("{}", report::report(target)?);
        }
        ["print", wanted] => report::print(wanted)?,
        ["check", committed, now] => {
            let read = |path| read_to_string(path).with_context(|| format!("reading {path}"));
            let difference = check::compare(&read(committed)?, &read(now)?);
            for note in &difference.notes {
                println!("note: {note}");
            }
            for fault in &difference.faults {
                println!("fault: {fault}");
            }
            if !difference.faults.is_empty() {
                return Ok(ExitCode::FAILURE);
            }
        }
        _ => bail!("compilers report TARGET | print NAME | check COMMITTED NOW"),
    }
    Ok(ExitCode::SUCCESS)
}
