//! Facts about a device that decide how kernels are made and which tiles they take.
//!
//! This is the only file that decides anything by a driver's name. Everything else asks for a fact.

use crate::gpu::pipeline::PARAM_BYTES;
use crate::settings::is_set;
use crate::{Kernels, Overrides, Result};

/// What kind of device it is: the column of the table in `tiles/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// A software driver. The few cores of a processor want much work in each invocation, and
    /// `lanes` invocations run as the lanes of one vector.
    Software,
    /// A GPU, which wants many invocations and few registers in each.
    Gpu,
    /// What says nothing of itself: it takes what is safe everywhere.
    Unknown,
}

/// The facts.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// What kind of device it is.
    pub class: Class,
    /// Invocations that share their loads: those of a subgroup on a software driver, which runs
    /// them as the lanes of one vector. 1 elsewhere: a GPU's caches do it.
    pub lanes: usize,
    /// Where a load from a storage buffer is dear and one from a uniform is not: how many bytes of
    /// an input a kernel can take as a uniform.
    pub uniform_bytes: Option<u64>,
    /// How many bytes of an input that all invocations of a workgroup load alike a kernel can take as a
    /// uniform: some GPUs have registers for what is loaded from there. 0 where it would bring nothing.
    pub scalar_bytes: u64,
    /// Whether parameters are immediates. If not, they are a uniform behind the last output.
    pub immediates: bool,
    /// Whether loops get a round to spare: see `spare_rounds.rs`.
    pub spare_rounds: bool,
    /// Whether kernels keep naga's bounds checks.
    pub checked: bool,
    /// Tuned kernels, or plain ones alone.
    pub kernels: Kernels,
    /// Kernels that are taken as not compiling, for tests.
    pub broken: &'static [&'static str],
}

impl Target {
    /// The facts of an adapter, with what tests override.
    ///
    /// # Errors
    /// The environment asks for what there is not.
    pub fn of(adapter: &wgpu::Adapter, overrides: &Overrides) -> Result<Target> {
        let info = adapter.get_info();
        let features = adapter.features();
        let class = match info.device_type {
            // A browser checks kernels by WebGPU's own rules, and tells little of the device.
            _ if info.backend == wgpu::Backend::BrowserWebGpu => Class::Unknown,
            wgpu::DeviceType::Cpu if is_set("GPU_TILES") => Class::Gpu,
            wgpu::DeviceType::Cpu => Class::Software,
            wgpu::DeviceType::Other => Class::Unknown,
            _ => Class::Gpu,
        };
        let class = match overrides {
            Overrides {
                safe_tiles: true, ..
            } => Class::Unknown,
            Overrides {
                gpu_tiles: true, ..
            } => Class::Gpu,
            _ => class,
        };
        let kernels = overrides.kernels.map_or_else(Kernels::from_env, Ok)?;
        let lanes = match info.subgroup_min_size {
            n if class == Class::Software
                && kernels == Kernels::Tuned
                && [4, 8, 16].contains(&n) // vectors of 128, 256 and 512 bits
                && n == info.subgroup_max_size // or a kernel could not know
                && features.contains(wgpu::Features::SUBGROUP) =>
            {
                n as usize
            }
            _ => 1,
        };
        let lanes = if overrides.one_lane { 1 } else { lanes };
        let dear = overrides.uniforms.unwrap_or_else(|| loads_are_dear(&info));
        let limits = adapter.limits();
        Ok(Target {
            class,
            lanes,
            uniform_bytes: (lanes > 1 && dear).then_some(limits.max_uniform_buffer_binding_size),
            scalar_bytes: match class {
                Class::Gpu => limits.max_uniform_buffer_binding_size.min(64 << 10),
                _ => 0,
            },
            immediates: overrides
                .immediates
                .unwrap_or(features.contains(wgpu::Features::IMMEDIATES))
                && limits.max_immediate_size >= PARAM_BYTES,
            spare_rounds: overrides
                .spare_rounds
                .unwrap_or_else(|| moves_loop_tests(&info)),
            checked: is_set("CHECKED"),
            kernels,
            broken: overrides.broken,
        })
    }

    /// The features that the device is opened with, of those that the adapter has.
    pub fn features(&self, adapter: &wgpu::Adapter) -> wgpu::Features {
        // Timestamps serve profiles, the cache serves the compiler, f16 half precision.
        let wanted = wgpu::Features::TIMESTAMP_QUERY
            | wgpu::Features::PIPELINE_CACHE
            | wgpu::Features::SHADER_F16;
        let mut features = adapter.features() & wanted;
        features.set(wgpu::Features::IMMEDIATES, self.immediates);
        features.set(wgpu::Features::SUBGROUP, self.lanes > 1);
        features
    }

    /// Whether it is a software driver.
    pub fn is_software(&self) -> bool {
        self.class == Class::Software
    }
}

/// Whether a load from a storage buffer takes ten times what one from a uniform takes: before 24.1,
/// Mesa's software driver puts the loaded numbers into a vector one by one, in a loop, and a processor
/// without AVX-512 has each of them wait for the one before to have gone through memory. (93 and 9.5 ns
/// for eight numbers on an AMD EPYC of the third generation with Mesa 22.3; both 10 with Mesa 25.0.
/// Between them, 24.1 is where Mesa's source changes; those releases were not tried.)
fn loads_are_dear(info: &wgpu::AdapterInfo) -> bool {
    #[cfg(target_arch = "x86_64")]
    let inserts_in_registers = std::arch::is_x86_feature_detected!("avx512f");
    #[cfg(not(target_arch = "x86_64"))]
    let inserts_in_registers = true; // nobody has measured
    software_mesa(info).is_some_and(|version| version < (24, 1)) && !inserts_in_registers
}

/// Whether loops need a round to spare to be unrolled: see `spare_rounds.rs`. Mesa unrolls a loop of any
/// size if it has as many rounds as an array has elements that it indexes, at most 32, and any other
/// only if it is small. Since 24.2 a loop's test is first moved from its head to its end, and then Mesa
/// counts one round fewer than there are: the rule, which looks for an array of that length, finds none.
/// (`opt_loop_peel_initial_break` in Mesa's nir_opt_loop.c, `force_unroll_array_access` in its
/// nir_loop_analyze.c. With 26.2 loops are unrolled either way: 25.0 and 26.2 are those that were tried.)
fn moves_loop_tests(info: &wgpu::AdapterInfo) -> bool {
    software_mesa(info).is_some_and(|version| version >= (24, 2))
}

/// Year and number of Mesa's release, where the adapter is its software driver.
fn software_mesa(info: &wgpu::AdapterInfo) -> Option<(u32, u32)> {
    let version = info.driver_info.strip_prefix("Mesa ")?;
    let mut numbers = version.split(['.', '-']).map(str::parse);
    if info.device_type != wgpu::DeviceType::Cpu {
        return None;
    }
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}
