//! A device opened as wgpu opens it, and one thing more: what its compiler tells of a pipeline
//! (`VK_KHR_pipeline_executable_properties`).

use std::ffi::{CStr, CString};
use std::ptr;

use anyhow::{Context, Result, bail};
use ash::khr::pipeline_executable_properties as properties;
use ash::vk;
use tensor::KernelUse;
use wgpu::hal::api::Vulkan;

use crate::spirv::Spirv;

/// Bytes of immediates in a layout of tensor's.
const PARAM_BYTES: u32 = 128;

/// What a compiler made of a kernel.
pub struct Compiled {
    /// Its statistics, by the driver's names.
    pub statistics: Vec<(String, f64)>,
    /// Its texts by their names: the machine code, and often what it was made from.
    pub texts: Vec<(String, String)>,
}

impl Compiled {
    /// The statistic that has one of these names.
    pub fn statistic(&self, names: &[&str]) -> Option<f64> {
        let found = |name: &&str| self.statistics.iter().find(|(n, _)| n == *name);
        names.iter().find_map(found).map(|(_, value)| *value)
    }
}

/// An adapter's driver, opened.
pub struct Driver {
    /// The adapter's name.
    pub name: String,
    /// The driver's name and version.
    pub version: String,
    device: ash::Device,
    properties: properties::Device,
    _opened: wgpu::hal::OpenDevice<Vulkan>, // owns the device
    _adapter: wgpu::Adapter,                // and its instance
}

impl Driver {
    /// Opens the first adapter, with the features that kernels may ask for.
    ///
    /// # Errors
    /// There is none, or its driver does not tell what it compiles.
    pub fn open() -> Result<Driver> {
        let backends = wgpu::Backends::VULKAN;
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends,
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        let adapters = pollster::block_on(instance.enumerate_adapters(backends));
        let adapter = adapters.into_iter().next().context("no Vulkan adapter")?;
        let info = adapter.get_info();
        let features = adapter.features()
            & (wgpu::Features::IMMEDIATES | wgpu::Features::SHADER_F16 | wgpu::Features::SUBGROUP);
        // SAFETY: the adapter is wgpu's own, and outlives what is made of it.
        let hal = unsafe { adapter.as_hal::<Vulkan>() }.context("not a Vulkan adapter")?;
        let capabilities = hal.physical_device_capabilities();
        if !capabilities.supports_extension(properties::NAME) {
            bail!("{}: its driver does not tell what it compiles", info.name);
        }
        let mut tells = vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default()
            .pipeline_executable_info(true);
        let limits = adapter.limits();
        let hints = wgpu::MemoryHints::default();
        // SAFETY: the callback adds an extension that the driver has, with its one feature.
        let opened = unsafe {
            hal.open_with_callback(
                features,
                &limits,
                &hints,
                Some(Box::new(|args| {
                    args.extensions.push(properties::NAME);
                    *args.create_info = args.create_info.push_next(&mut tells);
                })),
            )
        }?;
        let device = opened.device.raw_device().clone();
        let instance = opened.device.shared_instance().raw_instance();
        let properties = properties::Device::new(instance, &device);
        drop(hal);
        Ok(Driver {
            name: info.name,
            version: format!("{} {}", info.driver, info.driver_info),
            device,
            properties,
            _opened: opened,
            _adapter: adapter,
        })
    }

    /// Compiles a kernel.
    ///
    /// # Errors
    /// The driver does not.
    pub fn compile(&self, kernel: &KernelUse, spirv: &Spirv) -> Result<Compiled> {
        let bindings: Vec<_> = bindings(kernel).collect();
        let set_info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
        let range = vk::PushConstantRange::default()
            .stage_flags(vk::ShaderStageFlags::COMPUTE)
            .size(PARAM_BYTES);
        let ranges = [range];
        let ranges = if kernel.params.is_some() {
            &[][..]
        } else {
            &ranges
        };
        let module_info = vk::ShaderModuleCreateInfo::default().code(&spirv.words);
        let entry = CString::new(kernel.entry)?;
        // As wgpu does where subgroups are asked for.
        let varying = kernel.source.contains("subgroup");
        let flags = if varying {
            vk::PipelineShaderStageCreateFlags::ALLOW_VARYING_SUBGROUP_SIZE
        } else {
            vk::PipelineShaderStageCreateFlags::empty()
        };
        // SAFETY: all handles are of this device, all pointers live until the calls return, and what is
        // made is destroyed once, after its last use.
        unsafe {
            let set = self.device.create_descriptor_set_layout(&set_info, None)?;
            let sets = [set];
            let layout_info = vk::PipelineLayoutCreateInfo::default()
                .set_layouts(&sets)
                .push_constant_ranges(ranges);
            let layout = self.device.create_pipeline_layout(&layout_info, None)?;
            let module = self.device.create_shader_module(&module_info, None)?;
            let stage = vk::PipelineShaderStageCreateInfo::default()
                .flags(flags)
                .stage(vk::ShaderStageFlags::COMPUTE)
                .module(module)
                .name(&entry);
            let info = vk::ComputePipelineCreateInfo::default()
                .flags(
                    vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR
                        | vk::PipelineCreateFlags::CAPTURE_INTERNAL_REPRESENTATIONS_KHR,
                )
                .layout(layout)
                .stage(stage);
            let cache = vk::PipelineCache::null();
            let made = self.device.create_compute_pipelines(cache, &[info], None);
            let told = match &made {
                Ok(pipelines) => self.told(pipelines[0]),
                Err((_, error)) => Err((*error).into()),
            };
            let pipelines = made.unwrap_or_else(|(pipelines, _)| pipelines);
            for pipeline in pipelines {
                self.device.destroy_pipeline(pipeline, None);
            }
            self.device.destroy_shader_module(module, None);
            self.device.destroy_pipeline_layout(layout, None);
            self.device.destroy_descriptor_set_layout(set, None);
            told
        }
    }

    /// What the driver tells of a pipeline's one executable.
    fn told(&self, pipeline: vk::Pipeline) -> Result<Compiled> {
        let info = vk::PipelineExecutableInfoKHR::default().pipeline(pipeline);
        // SAFETY: the pipeline is alive and was made to tell; it has one stage, whose executable is the
        // first; the second call fills what the first one counted.
        unsafe {
            let statistics = self.properties.get_pipeline_executable_statistics(&info)?;
            let get = self
                .properties
                .fp()
                .get_pipeline_executable_internal_representations_khr;
            let handle = self.device.handle();
            let mut count = 0;
            get(handle, &info, &mut count, ptr::null_mut()).result()?;
            let default = vk::PipelineExecutableInternalRepresentationKHR::default();
            let mut texts = vec![default; count as usize];
            get(handle, &info, &mut count, texts.as_mut_ptr()).result()?;
            let mut bytes: Vec<_> = texts.iter().map(|t| vec![0u8; t.data_size]).collect();
            for (text, bytes) in texts.iter_mut().zip(&mut bytes) {
                text.p_data = bytes.as_mut_ptr().cast();
            }
            get(handle, &info, &mut count, texts.as_mut_ptr()).result()?;
            let texts = texts.iter().zip(bytes).map(|(text, bytes)| {
                let content = String::from_utf8_lossy(&bytes);
                let content = content.trim_end_matches('\0').to_owned();
                (words(text.name_as_c_str()), content)
            });
            Ok(Compiled {
                statistics: statistics.iter().map(statistic).collect(),
                texts: texts.collect(),
            })
        }
    }
}

fn words<E>(name: Result<&CStr, E>) -> String {
    name.unwrap_or_default().to_string_lossy().into_owned()
}

fn statistic(told: &vk::PipelineExecutableStatisticKHR) -> (String, f64) {
    use vk::PipelineExecutableStatisticFormatKHR as Format;
    // SAFETY: the format says which of them is there.
    let value = unsafe {
        match told.format {
            Format::BOOL32 => f64::from(told.value.b32),
            Format::INT64 => told.value.i64 as f64,
            Format::FLOAT64 => told.value.f64,
            _ => told.value.u64 as f64,
        }
    };
    (words(told.name_as_c_str()), value)
}

/// The bindings as tensor lays them out.
fn bindings(kernel: &KernelUse) -> impl Iterator<Item = vk::DescriptorSetLayoutBinding<'static>> {
    let buffers = (0..kernel.inputs + kernel.outputs).map(|i| {
        let ty = match kernel.uniforms.contains(&i) {
            true => vk::DescriptorType::UNIFORM_BUFFER,
            false => vk::DescriptorType::STORAGE_BUFFER,
        };
        (i, ty)
    });
    let params = kernel
        .params
        .map(|i| (i, vk::DescriptorType::UNIFORM_BUFFER_DYNAMIC));
    buffers.chain(params).map(|(i, ty)| {
        vk::DescriptorSetLayoutBinding::default()
            .binding(i as u32)
            .descriptor_type(ty)
            .descriptor_count(1)
            .stage_flags(vk::ShaderStageFlags::COMPUTE)
    })
}
