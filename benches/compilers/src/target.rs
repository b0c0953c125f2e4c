//! The devices that the report predicts for, and how their drivers name what they tell.

use crate::vulkan::Compiled;

/// A device: what its maker says of it.
pub struct Target {
    /// As `scripts/gpu-report` names it.
    pub name: &'static str,
    /// The product that the figures are of.
    pub product: &'static str,
    /// Lanes that begin an instruction each cycle.
    pub lanes: f64,
    /// Cycles a second.
    pub clock: f64,
    /// Bytes of memory a second.
    pub bandwidth: f64,
    /// Bytes that its nearest caches give a cycle and lane.
    pub cache: f64,
    /// Subgroups that fit a scheduler at once, by what the driver tells.
    resident: fn(&Compiled) -> Option<f64>,
    /// Invocations of a subgroup, and lanes of a scheduler.
    pub subgroup: f64,
    pub scheduler: f64,
}

/// Lanes, clocks and bandwidths are those of the makers' data sheets (boost clocks; for the M1 and the
/// Adreno, whose makers tell less, what is commonly measured). The caches': 128 bytes a cycle for each of
/// AMD's compute units and NVIDIA's multiprocessors, by their architecture papers; half of it per
/// core of 128 lanes for the other two, as measured by others.
#[rustfmt::skip] // a table
pub const TARGETS: [Target; 6] = [
    Target { name: "navi21", product: "RX 6800 XT", lanes: 4608.0, clock: 2.25e9, bandwidth: 512e9, cache: 2.0, resident: rdna, subgroup: 64.0, scheduler: 32.0 },
    Target { name: "navi31", product: "RX 7900 XTX", lanes: 6144.0, clock: 2.5e9, bandwidth: 960e9, cache: 2.0, resident: rdna, subgroup: 64.0, scheduler: 32.0 },
    Target { name: "gfx1201", product: "RX 9070 XT", lanes: 4096.0, clock: 2.97e9, bandwidth: 640e9, cache: 2.0, resident: rdna, subgroup: 64.0, scheduler: 32.0 },
    Target { name: "ampere", product: "RTX 3090", lanes: 10496.0, clock: 1.7e9, bandwidth: 936e9, cache: 1.0, resident: nvidia, subgroup: 32.0, scheduler: 32.0 },
    Target { name: "m1", product: "M1, 8 cores", lanes: 1024.0, clock: 1.28e9, bandwidth: 68e9, cache: 0.5, resident: apple, subgroup: 32.0, scheduler: 32.0 },
    Target { name: "adreno740", product: "Adreno 740", lanes: 1536.0, clock: 0.68e9, bandwidth: 67e9, cache: 0.5, resident: adreno, subgroup: 64.0, scheduler: 64.0 },
];

/// A SIMD's waves of 64, of 16 at most: the driver counts halves of them.
fn rdna(compiled: &Compiled) -> Option<f64> {
    let halves = compiled.statistic(&["Subgroups per SIMD"])?;
    Some((halves / 2.0).floor().min(16.0))
}

/// A quarter of a multiprocessor's warps, of 48.
fn nvidia(compiled: &Compiled) -> Option<f64> {
    Some(compiled.statistic(&["Max warps/SM"])? / 4.0)
}

/// A quarter of a core's SIMD groups, of 32 threads each.
fn apple(compiled: &Compiled) -> Option<f64> {
    Some(compiled.statistic(&["Threads"])? / 128.0)
}

/// A half of a core's waves.
fn adreno(compiled: &Compiled) -> Option<f64> {
    Some(compiled.statistic(&["Max Waves Per Core"])? / 2.0)
}

impl Target {
    /// The target of this name.
    pub fn named(name: &str) -> Option<&'static Target> {
        TARGETS.iter().find(|t| t.name == name)
    }

    /// Subgroups that fit a scheduler at once.
    pub fn resident(&self, compiled: &Compiled) -> f64 {
        (self.resident)(compiled).unwrap_or(1.0)
    }

    /// Registers of an invocation (of Adreno's, vectors of four).
    pub fn registers(compiled: &Compiled) -> Option<f64> {
        compiled.statistic(&["VGPRs", "Number of GPRs", "GPRs", "Registers used"])
    }

    /// As drivers say it: waves of 16 on AMD, warps of 48 on NVIDIA, threads on Apple, waves on Adreno.
    pub fn occupancy(compiled: &Compiled) -> Option<f64> {
        let told = ["Max warps/SM", "Threads", "Max Waves Per Core"];
        rdna(compiled).or_else(|| compiled.statistic(&told))
    }

    /// Registers that go to memory.
    pub fn spills(compiled: &Compiled) -> f64 {
        let told = ["Spilled VGPRs", "Spills to memory", "Spills", "STP Count"];
        compiled.statistic(&told).unwrap_or(0.0)
    }

    /// Instructions, by the driver's own count.
    pub fn instructions(compiled: &Compiled) -> Option<f64> {
        compiled.statistic(&["Instructions", "Instruction count", "Instruction Count"])
    }
}
