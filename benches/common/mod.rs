//! What the benchmarks share: criterion's clock, and a table of how near the ceiling each work is.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use anyhow::Result;
use criterion::Criterion;
use tensor::{Device, Tensor};

use crate::ceiling::Ceiling;
use crate::ceiling::gpu::Gpu;

/// Work that takes longer is timed by hand: ten samples of it would take minutes.
const SLOW: Duration = Duration::from_secs(3);

/// What a work cannot do without.
#[derive(Clone, Copy)]
pub struct Cost {
    /// Floating-point operations: two for a multiply-add, none for exponentials and comparisons.
    pub flops: f64,
    /// Bytes: every input read once, every output written once.
    pub bytes: f64,
}

impl Cost {
    /// Of so many multiply-adds, on inputs and outputs of so many elements of four bytes.
    pub fn new(multiply_adds: usize, elements: &[usize]) -> Cost {
        Cost {
            flops: 2.0 * multiply_adds as f64,
            bytes: 4.0 * elements.iter().sum::<usize>() as f64,
        }
    }

    /// The seconds it takes at the least, and which ceiling says so.
    fn least_time(&self, ceiling: &Ceiling) -> (f64, &'static str) {
        let (multiply_adds, copy) = (self.flops / ceiling.flops, self.bytes / ceiling.bytes);
        match multiply_adds >= copy {
            true => (multiply_adds, "FMA"),
            false => (copy, "copy"),
        }
    }
}

/// Numbers in [0, 1), the same in every run.
pub fn noise(device: &Device, shape: &[usize]) -> Tensor {
    Tensor::new(device, &noise_vec(shape.iter().product()), shape)
}

/// The numbers of [`noise`].
pub fn noise_vec(len: usize) -> Vec<f32> {
    let scrambled = |i: usize| (i as u32).wrapping_mul(0x9E37_79B9) >> 8; // golden ratio · 2³²
    (0..len)
        .map(|i| scrambled(i) as f32 / (1 << 24) as f32)
        .collect()
}

/// A run of benchmarks on one device.
pub struct Bench {
    device: Device,
    criterion: Criterion,
    rows: Vec<(String, Cost, Outcome)>,
}

enum Outcome {
    Took(f64), // seconds
    Failed(tensor::Error),
}

/// What unwinds out of criterion: it offers no other way to leave a benchmark that was begun.
struct Left;

impl Bench {
    /// Ten samples in about `seconds`, unless the command line says otherwise.
    pub fn new(device: &Device, seconds: u64) -> Bench {
        Bench {
            device: device.clone(),
            criterion: Criterion::default()
                .sample_size(10)
                .warm_up_time(Duration::from_millis(200))
                .measurement_time(Duration::from_secs(seconds))
                .configure_from_args(),
            rows: Vec::new(),
        }
    }

    /// Times `run`, if the command line's filter lets it. What the adapter cannot do, as `run` says
    /// or `check` finds in its first result, goes into the table with the reason.
    pub fn work<R>(
        &mut self,
        name: &str,
        cost: Cost,
        mut run: impl FnMut() -> tensor::Result<R>,
        check: impl Fn(&R) -> tensor::Result<()>,
    ) {
        let device = self.device.clone();
        let mut time = |count: u64, check: &dyn Fn(&R) -> tensor::Result<()>| {
            let start = Instant::now();
            for _ in 0..count {
                check(&run()?)?;
            }
            device.wait_idle()?;
            Ok(start.elapsed())
        };
        let mut samples: Vec<(u64, Duration)> = Vec::new();
        let mut outcome = None;
        let done = catch_unwind(AssertUnwindSafe(|| {
            self.criterion.bench_function(name, |bencher| {
                let mut leave = |early: Outcome| -> ! {
                    outcome = Some(early);
                    resume_unwind(Box::new(Left))
                };
                if samples.is_empty() {
                    // The first run compiles, and may fail; the second is what the others will be.
                    let warm = time(1, &check).and_then(|_| time(1, &|_| Ok(())));
                    match warm {
                        Ok(warm) if warm < SLOW => {}
                        Ok(warm) => {
                            println!("{name}: {warm:.1?}, too slow for ten samples");
                            leave(Outcome::Took(warm.as_secs_f64()))
                        }
                        Err(e) => leave(Outcome::Failed(e)),
                    }
                }
                bencher.iter_custom(|count| match time(count, &|_| Ok(())) {
                    Ok(elapsed) => {
                        samples.push((count, elapsed));
                        elapsed
                    }
                    Err(e) => leave(Outcome::Failed(e)),
                });
            });
        }));
        if let Err(panic) = done
            && !panic.is::<Left>()
        {
            resume_unwind(panic);
        }
        let outcome = outcome.or_else(|| median(&samples).map(Outcome::Took));
        let row = outcome.map(|o| (name.to_owned(), cost, o));
        self.rows.extend(row);
    }

    /// Prints the table of what has run.
    pub fn finish(self) -> Result<()> {
        self.criterion.final_summary();
        if self.rows.is_empty() {
            return Ok(());
        }
        let ceiling = Ceiling::measure(&Gpu::open(self.device.name())?)?;
        let width = self.rows.iter().map(|(name, ..)| name.len()).max();
        let width = width.unwrap_or(0).max("work".len());
        println!("{}, {ceiling}, measured in this run.", self.device.name());
        println!(
            "GB/s counts every input and output once; what caches hold may go above the copy.\n"
        );
        println!(
            "{:width$}  {:>9}  {:>8}  {:>7}  {:>7}",
            "work", "time", "GFLOP/s", "GB/s", "of ceiling"
        );
        for (name, cost, outcome) in &self.rows {
            match outcome {
                Outcome::Failed(reason) => println!("{name:width$}  skipped: {reason}"),
                Outcome::Took(seconds) => {
                    let (least, which) = cost.least_time(&ceiling);
                    println!(
                        "{name:width$}  {:>9}  {:>8}  {:>7.2}  {:>5.0} %  {which}",
                        readable(*seconds),
                        rate(cost.flops / seconds),
                        cost.bytes / seconds / 1e9,
                        100.0 * least / seconds,
                    );
                }
            }
        }
        Ok(())
    }
}

/// The median time of one iteration, of the samples that are long: criterion's first are not.
fn median(samples: &[(u64, Duration)]) -> Option<f64> {
    let longest = samples.iter().map(|(count, _)| *count).max()?;
    let long = samples.iter().filter(|(count, _)| 2 * count >= longest);
    let mut each: Vec<f64> = long
        .map(|&(count, elapsed)| elapsed.as_secs_f64() / count as f64)
        .collect();
    each.sort_by(f64::total_cmp);
    Some(each[each.len() / 2])
}

/// FLOP/s in GFLOP/s; nothing for work that only moves data.
fn rate(flops: f64) -> String {
    if flops == 0.0 {
        return String::new();
    }
    format!("{:.1}", flops / 1e9)
}

/// Seconds in a unit that suits them.
fn readable(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.1} µs", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}
