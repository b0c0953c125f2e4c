//! What launches have to do: multiply-adds and bytes.

use tensor::{KernelUse, LaunchUse};

/// Launches that are alike, by what they have to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Work {
    /// How many launches.
    pub count: f64,
    /// Workgroups of one.
    pub workgroups: f64,
    /// Bytes it cannot do without: every bound buffer once.
    pub bytes: f64,
    /// Its multiply-adds, for kernels whose time they are.
    pub multiply_adds: Option<f64>,
}

impl Work {
    /// Of a kernel's launch.
    pub fn of(kernel: &KernelUse, launch: &LaunchUse) -> Work {
        Work {
            count: launch.count as f64,
            workgroups: launch.workgroups() as f64,
            bytes: launch.bytes.iter().sum::<u64>() as f64,
            multiply_adds: multiply_adds(kernel, launch),
        }
    }

    /// As many launches, each of so many times as much.
    pub fn times(&self, factor: f64) -> Work {
        Work {
            count: self.count,
            workgroups: factor * self.workgroups,
            bytes: factor * self.bytes,
            multiply_adds: self.multiply_adds.map(|n| factor * n),
        }
    }

    /// What it would be with a batch of `wanted`, of what it is with two batches: all is in proportion to
    /// the batch, or the same for any.
    pub fn at(
        wanted: f64,
        (small, of_small): (f64, &Work),
        (large, of_large): (f64, &Work),
    ) -> Work {
        let part = (wanted - small) / (large - small);
        let line = |a: f64, b: f64| (a + part * (b - a)).max(0.0);
        let both = of_small.multiply_adds.zip(of_large.multiply_adds);
        Work {
            count: line(of_small.count, of_large.count),
            workgroups: line(of_small.workgroups, of_large.workgroups),
            bytes: line(of_small.bytes, of_large.bytes),
            multiply_adds: both.map(|(a, b)| line(a, b)),
        }
    }
}

/// A kernel's constant, as its name tells it.
fn constant(kernel: &KernelUse, name: &str) -> Option<f64> {
    let mut words = kernel
        .name
        .split(' ')
        .filter_map(|word| word.split_once('='));
    words.find(|(n, _)| *n == name)?.1.parse().ok()
}

/// A field of the kernel's `Params`, by its name in the source.
fn param(kernel: &KernelUse, launch: &LaunchUse, name: &str) -> Option<f64> {
    let (_, fields) = kernel.source.split_once("struct Params {")?;
    let (fields, _) = fields.split_once('}')?;
    let lines = fields
        .lines()
        .map(|l| l.split("//").next().unwrap_or_default());
    let fields: String = lines.collect();
    let mut names = fields.split(',').filter_map(|f| f.split_once(':'));
    let at = names.position(|(n, _)| n.trim() == name)?;
    launch.params.get(at).map(|&value| f64::from(value))
}

/// From the sizes of what is bound, as op and formula have them, so that no tile matters.
fn multiply_adds(kernel: &KernelUse, launch: &LaunchUse) -> Option<f64> {
    let number = |at: usize| launch.bytes.get(at).map(|&bytes| bytes as f64 / 4.0);
    let output = |at: usize| number(kernel.inputs + at);
    match kernel.entry {
        // x [N, Ci], w [Co, Ci], y [N, Co]: the root of the product of their sizes is N·Ci·Co.
        "linear" | "linear_backward_x" => Some((number(0)? * number(1)? * output(0)?).sqrt()),
        // x [B, H, W, Ci] with 9·Co weights each. (The weights themselves may be padded to fours.)
        "conv3x3" | "conv3x3_backward_x" => Some(9.0 * number(0)? * param(kernel, launch, "co")?),
        "depthwise5x5" | "depthwise5x5_backward_x" => Some(25.0 * output(0)?),
        // Every dy with the inputs that have its weights: as many as there are weights for a bias.
        "linear_backward_w" | "conv3x3_backward_w" | "depthwise5x5_backward_w" => {
            Some(number(1)? * output(0)? / output(1)?)
        }
        // y or dq [B, S, HEADS·D] with every key of its list.
        "attention" | "attention_backward_q" => {
            let (dk, dv) = (constant(kernel, "DK")?, constant(kernel, "DV")?);
            let keys = param(kernel, launch, "keys")?;
            let (d, each) = match kernel.entry {
                "attention" => (dv, dk + dv),
                _ => (dk, 2.0 * dk + dv),
            };
            Some(output(0)? / d * keys * each)
        }
        // dk [B, G·K, HEADS·DK] with every query of its list.
        "attention_backward_kv" => {
            let (dk, dv) = (constant(kernel, "DK")?, constant(kernel, "DV")?);
            let queries = param(kernel, launch, "queries")?;
            Some(output(0)? / dk * queries * 2.0 * (dk + dv))
        }
        // x [N, C], centres [M, C]: N·M·C.
        "nearest_centre" => Some(number(0)? * number(1)? / constant(kernel, "C")?),
        _ => None,
    }
}
