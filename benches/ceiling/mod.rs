//! What an adapter can do at best, measured: the ceilings that kernels are held against.

pub mod gpu;

use std::fmt::{Display, Formatter};

use anyhow::Result;
use gpu::{Gpu, best_of};

/// The ceilings of one adapter. Prints as "97 GFLOP/s of multiply-adds and 7.0 GB/s copied".
#[derive(Clone, Copy)]
pub struct Ceiling {
    /// Floating-point operations a second; a multiply-add is two.
    pub flops: f64,
    /// Bytes a second, read and written, of a copy too large for any cache.
    pub bytes: f64,
}

impl Ceiling {
    /// Measures both, each as the best of several shapes of kernel. Takes about two seconds.
    pub fn measure(gpu: &Gpu) -> Result<Ceiling> {
        Ok(Ceiling {
            flops: flops(gpu)?,
            bytes: bytes(gpu)?,
        })
    }
}

impl Display for Ceiling {
    fn fmt(&self, f: &mut Formatter) -> std::fmt::Result {
        let (flops, bytes) = (self.flops / 1e9, self.bytes / 1e9);
        write!(
            f,
            "{flops:.0} GFLOP/s of multiply-adds and {bytes:.1} GB/s copied"
        )
    }
}

fn flops(gpu: &Gpu) -> Result<f64> {
    const ROUNDS: u32 = 256;
    const STEPS: u32 = 16;
    // A processor is filled by few; a GPU wants them by the hundred thousand.
    let invocations: u32 = if gpu.is_software { 1 << 14 } else { 1 << 20 };
    let seed = gpu.buffer(8);
    let y = gpu.buffer(u64::from(invocations) * 4);
    let mut best: f64 = 0.0;
    for (wg, chains) in [(8, 8), (8, 12), (64, 8), (64, 12), (256, 8), (256, 16)] {
        let source = format!(
            "const WG = {wg}u; const CHAINS = {chains}u; const ROUNDS = {ROUNDS}u; \
             const STEPS = {STEPS}u;\n{}",
            include_str!("fma_peak.wgsl")
        );
        let kernel = gpu.kernel(&source, &[&seed, &y]);
        let seconds = gpu.time_kernel(&kernel, [invocations / wg, 1, 1])?;
        let count = f64::from(invocations) * f64::from(chains * ROUNDS * STEPS);
        best = best.max(2.0 * count / seconds);
    }
    Ok(best)
}

fn bytes(gpu: &Gpu) -> Result<f64> {
    const BYTES: u32 = 64 << 20; // of each of the two buffers
    const ITEMS: u32 = 8;
    let [x, y] = [(); 2].map(|()| gpu.buffer(u64::from(BYTES)));
    let mut best = best_of(|count| {
        gpu.time(|encoder| {
            for _ in 0..count {
                encoder.copy_buffer_to_buffer(&x, 0, &y, 0, u64::from(BYTES));
            }
        })
    })?;
    for (element, size) in [("f32", 4), ("vec4f", 16)] {
        for wg in [64, 256] {
            let source = format!(
                "alias T = {element}; const WG = {wg}u; const ITEMS = {ITEMS}u;\n{}",
                include_str!("copy.wgsl")
            );
            let kernel = gpu.kernel(&source, &[&x, &y]);
            let groups = BYTES / (size * ITEMS * wg);
            best = best.min(gpu.time_kernel(&kernel, [groups, 1, 1])?);
        }
    }
    Ok(2.0 * f64::from(BYTES) / best)
}
