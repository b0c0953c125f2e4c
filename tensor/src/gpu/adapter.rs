//! Which adapter to use: discrete, then integrated, then software, unless another is named.

use crate::settings::from_env;
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

/// All adapters, the one chosen by default first; none in a browser, which can only be asked and awaited.
pub fn list_adapters() -> Vec<AdapterSummary> {
    #[cfg(target_arch = "wasm32")]
    let adapters: Vec<wgpu::Adapter> = Vec::new();
    #[cfg(not(target_arch = "wasm32"))]
    let adapters = pollster::block_on(enumerate());
    adapters.iter().map(|a| summary(&a.get_info())).collect()
}

/// The adapter that `wanted` names by number or part of its name (case ignored), or else the one
/// named by the environment variable `CATANET_ADAPTER`, or else the best.
pub(crate) async fn choose(wanted: Option<&str>) -> Result<wgpu::Adapter> {
    let wanted = wanted.map(str::to_owned).or_else(|| from_env("ADAPTER"));
    let wanted = wanted.filter(|w| !w.is_empty());
    let mut adapters = enumerate().await;
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

#[cfg(not(target_arch = "wasm32"))]
async fn enumerate() -> Vec<wgpu::Adapter> {
    // PRIMARY leaves OpenGL out: its EGL probing is noisy.
    let backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let mut adapters = instance.enumerate_adapters(backends).await;
    adapters.sort_by_key(|a| match a.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu | wgpu::DeviceType::Other => 2,
        wgpu::DeviceType::Cpu => 3,
    });
    adapters
}

/// In a browser: the one there is.
#[cfg(target_arch = "wasm32")]
async fn enumerate() -> Vec<wgpu::Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: wgpu::Backends::BROWSER_WEBGPU,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let adapter = instance.request_adapter(&Default::default()).await;
    adapter.into_iter().collect()
}
