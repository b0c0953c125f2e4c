//! Which adapter to use: discrete, then integrated, then software, unless another is named.

use crate::{Error, Result};

/// One adapter of this machine, as `--list-adapters` prints it.
#[derive(Debug, Clone)]
pub struct AdapterSummary {
    /// The driver's name for it.
    pub name: String,
    /// "discrete", "integrated", "virtual", "software" or "other".
    pub kind: &'static str,
    /// "vulkan", "metal" or "dx12".
    pub backend: String,
}

/// All adapters, the one chosen by default first.
pub fn list_adapters() -> Vec<AdapterSummary> {
    let adapters = enumerate();
    adapters.iter().map(|a| summary(&a.get_info())).collect()
}

/// The adapter that `wanted` names by number or part of its name (case ignored), or else the one
/// named by the environment variable `CATANET_ADAPTER`, or else the best.
pub(crate) fn choose(wanted: Option<&str>) -> Result<wgpu::Adapter> {
    let from_env = std::env::var("CATANET_ADAPTER").ok();
    let wanted = wanted
        .map(str::to_owned)
        .or(from_env)
        .filter(|w| !w.is_empty());
    let mut adapters = enumerate();
    if adapters.is_empty() {
        return Err(Error::NoAdapter);
    }
    let Some(wanted) = wanted else {
        return Ok(adapters.swap_remove(0));
    };
    let number = wanted.parse::<usize>().ok().filter(|&n| n < adapters.len());
    let found = number.or_else(|| {
        let lower = wanted.to_lowercase(); // "4090" is a name, too
        adapters
            .iter()
            .position(|a| a.get_info().name.to_lowercase().contains(&lower))
    });
    match found {
        Some(i) => Ok(adapters.swap_remove(i)),
        None => {
            let names = adapters.iter().enumerate();
            let names = names.map(|(i, a)| format!("{i}: {}", a.get_info().name));
            Err(Error::UnknownAdapter {
                wanted,
                available: names.collect::<Vec<_>>().join(", "),
            })
        }
    }
}

fn summary(info: &wgpu::AdapterInfo) -> AdapterSummary {
    AdapterSummary {
        name: info.name.clone(),
        kind: match info.device_type {
            wgpu::DeviceType::DiscreteGpu => "discrete",
            wgpu::DeviceType::IntegratedGpu => "integrated",
            wgpu::DeviceType::VirtualGpu => "virtual",
            wgpu::DeviceType::Cpu => "software",
            wgpu::DeviceType::Other => "other",
        },
        backend: info.backend.to_string(),
    }
}

/// Whether a load from a storage buffer takes ten times what one from a uniform takes: before 24.1,
/// Mesa's software driver puts the loaded numbers into a vector one by one, in a loop, and a processor
/// without AVX-512 has each of them wait for the one before to have gone through memory. (93 and 9.5 ns
/// for eight numbers on an AMD EPYC of the third generation with Mesa 22.3; both 10 with Mesa 25.0.
/// Between them, 24.1 is where Mesa's source changes; those releases were not tried.)
pub(crate) fn loads_are_dear(info: &wgpu::AdapterInfo) -> bool {
    #[cfg(target_arch = "x86_64")]
    let inserts_in_registers = std::arch::is_x86_feature_detected!("avx512f");
    #[cfg(not(target_arch = "x86_64"))]
    let inserts_in_registers = true; // nobody has measured
    software_mesa(info).is_some_and(|version| version < (24, 1)) && !inserts_in_registers
}

/// Whether loops need a round to spare to be unrolled: see unroll.rs.
pub(crate) fn moves_loop_tests(info: &wgpu::AdapterInfo) -> bool {
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

fn enumerate() -> Vec<wgpu::Adapter> {
    // PRIMARY leaves OpenGL out: it lacks immediates, and its EGL probing is noisy.
    let backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let mut adapters = pollster::block_on(instance.enumerate_adapters(backends));
    adapters.retain(|a| a.features().contains(wgpu::Features::IMMEDIATES));
    adapters.sort_by_key(|a| match a.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu | wgpu::DeviceType::Other => 2,
        wgpu::DeviceType::Cpu => 3,
    });
    adapters
}
