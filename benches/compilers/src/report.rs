//! One target's part of the report: a row for every kernel variant.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Result, bail};
use tensor::{Device, KernelUse};

use crate::isa::{self, Code, Dialect};
use crate::network;
use crate::predict::{self, seconds};
use crate::spirv;
use crate::target::Target;
use crate::vulkan::{Compiled, Driver};
use crate::work::Work;

/// Side of the image that is enlarged.
const SIDE: usize = 256;
/// The batch of the training step, and the two that it is reckoned from: a shim's memory is small.
const BATCH: f64 = 16.0;
const BATCHES: [usize; 2] = [2, 4];

/// What stands above the columns of a row.
pub const COLUMNS: &str =
    "  regs   occ spill instr fma%  b32  b64  b96 b128 scal shrd   fwd ms  step ms kernel";

/// A kernel variant, and what the two works ask of it.
struct Variant {
    kernel: KernelUse,
    forward: Vec<Work>,
    step: Vec<Work>,
}

/// The variants of both works, by name.
///
/// # Errors
/// The device failed.
fn variants(device: &Device) -> Result<BTreeMap<String, Variant>> {
    let mut all = BTreeMap::new();
    let works = |kernel: &KernelUse| -> Vec<Work> {
        let launches = kernel.launches.iter();
        launches.map(|launch| Work::of(kernel, launch)).collect()
    };
    for kernel in network::forward(device, SIDE)? {
        let forward = works(&kernel);
        let step = Vec::new();
        all.insert(
            kernel.name.to_string(),
            Variant {
                kernel,
                forward,
                step,
            },
        );
    }
    device.trim();
    let [small, large] = BATCHES;
    let of_small = network::step(device, small)?;
    device.trim();
    let of_large = network::step(device, large)?;
    for kernel in of_large {
        let large_works = works(&kernel);
        let known = of_small.iter().find(|k| k.name == kernel.name);
        let small_works = known.map(works).unwrap_or_default();
        let step = if small_works.len() == large_works.len() {
            let pairs = small_works.iter().zip(&large_works);
            let at = |(a, b)| Work::at(BATCH, (small as f64, a), (large as f64, b));
            pairs.map(at).collect()
        } else {
            // Other launches for another batch, as of sums in stages.
            let times = |work: &Work| work.times(BATCH / large as f64);
            large_works.iter().map(times).collect()
        };
        let name = kernel.name.to_string();
        let forward = Vec::new();
        let entry = all.entry(name);
        let new = || Variant {
            kernel,
            forward,
            step: Vec::new(),
        };
        entry.or_insert_with(new).step = step;
    }
    Ok(all)
}

/// The report of one target, whose driver is the one that Vulkan finds.
///
/// # Errors
/// There is no such target, or its driver does not answer.
pub fn report(target: &Target) -> Result<String> {
    let device = Device::open(None)?;
    let variants = variants(&device)?;
    let driver = Driver::open()?;
    let mut rows = String::new();
    let mut totals = [Some(0.0); 2]; // None where the driver prints no code
    for (name, variant) in &variants {
        let row = match compile(&driver, &variant.kernel) {
            Ok((kernel, compiled)) => {
                let time = |works: &[Work]| {
                    let code = kernel.code?;
                    let kernel = predict::Kernel {
                        workgroup: kernel.workgroup,
                        code,
                        resident: target.resident(&compiled),
                    };
                    let each = works.iter().map(|work| seconds(target, &kernel, work));
                    Some(each.sum::<f64>())
                };
                let times = [time(&variant.forward), time(&variant.step)];
                for (sum, time) in totals.iter_mut().zip(times) {
                    *sum = sum.zip(time).map(|(sum, time)| sum + time);
                }
                row(&compiled, kernel.code, times)
            }
            Err(reason) => {
                let reason = reason.to_string();
                eprintln!("{}: {name}: {reason}", target.name);
                failed()
            }
        };
        let _ = writeln!(rows, "{row} {name}");
    }
    let [forward, step] =
        totals.map(|time| time.map_or("-".to_owned(), |t| format!("{:.1} ms", 1e3 * t)));
    Ok(format!(
        "== {} | {} | {} | {} | forward {} | step {}\n{COLUMNS}\n{rows}",
        target.name,
        target.product,
        driver.name.trim(),
        driver.version.trim(),
        forward,
        step,
    ))
}

/// The compiled forms of the kernels that have `wanted` in their names, as the driver prints them.
///
/// # Errors
/// No kernel has, or a driver does not answer.
pub fn print(wanted: &str) -> Result<()> {
    let device = Device::open(None)?;
    let variants = variants(&device)?;
    let driver = Driver::open()?;
    let found: Vec<_> = variants
        .iter()
        .filter(|(name, _)| name.contains(wanted))
        .collect();
    if found.is_empty() {
        bail!("no kernel has {wanted} in its name");
    }
    for (name, variant) in found {
        println!("== {name}");
        let (_, compiled) = compile(&driver, &variant.kernel)?;
        for (work, of) in [("forward", &variant.forward), ("step", &variant.step)] {
            for launches in of {
                println!("{work}: {launches:?}");
            }
        }
        for (name, value) in &compiled.statistics {
            println!("{name}: {value}");
        }
        for (name, text) in &compiled.texts {
            if Dialect::of(name).is_some() {
                println!("{text}");
            }
        }
    }
    Ok(())
}

struct Made {
    workgroup: f64,
    code: Option<Code>, // where the driver prints it
}

fn compile(driver: &Driver, kernel: &KernelUse) -> Result<(Made, Compiled)> {
    let spirv = spirv::translate(&kernel.source, kernel.entry)?;
    let compiled = driver.compile(kernel, &spirv)?;
    let mut texts = compiled.texts.iter();
    let code = texts.find_map(|(name, text)| Some(isa::count(text, Dialect::of(name)?)));
    let workgroup = spirv.workgroup as f64;
    Ok((Made { workgroup, code }, compiled))
}

fn row(compiled: &Compiled, code: Option<Code>, times: [Option<f64>; 2]) -> String {
    let whole = |n: Option<f64>| n.map_or("-".to_owned(), |n| format!("{n:.0}"));
    let all = code.map(|code| code.all());
    let share = code.filter(|code| code.hot.fma > 0.0);
    let share = share.map(|code| 100.0 * code.hot.fma / code.hot.instructions);
    let mut row = format!(
        "{:>6} {:>5} {:>5} {:>5} {:>4}",
        whole(Target::registers(compiled)),
        whole(Target::occupancy(compiled)),
        whole(Some(Target::spills(compiled))),
        whole(Target::instructions(compiled)),
        whole(share),
    );
    let loads = (0..4).map(|i| all.map(|all| all.loads[i]));
    let others = [all.map(|all| all.scalar), all.map(|all| all.shared)];
    for n in loads.chain(others) {
        let _ = write!(row, " {:>4}", whole(n));
    }
    for time in times {
        let ran = time.filter(|&t| t > 0.0); // the other work may not ask for it
        let time = ran.map_or("-".to_owned(), |t| format!("{:.3}", 1e3 * t));
        let _ = write!(row, " {time:>8}");
    }
    row
}

/// The row of what does not compile.
fn failed() -> String {
    let mut row = format!("{:>6}", "fails");
    for width in [5, 5, 5, 4, 4, 4, 4, 4, 4, 4, 8, 8] {
        let _ = write!(row, " {:>width$}", "-");
    }
    row
}
