//! A compiled kernel, and how its buffers are bound.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// What every adapter offers for parameters (DX12's limit).
pub(crate) const PARAM_BYTES: u32 = 128;

/// A pipeline, there or to come, and the layout of its one bind group, which is there at once.
pub(crate) struct Pipeline {
    pub name: Arc<str>, // the entry point and the constants, as a profile shows them
    pub layout: wgpu::BindGroupLayout,
    pub raw: OnceLock<Result<wgpu::ComputePipeline, String>>, // or why it does not compile
    told: AtomicBool,
}

impl Pipeline {
    pub fn new(name: String, layout: wgpu::BindGroupLayout) -> Pipeline {
        Pipeline {
            name: name.into(),
            layout,
            raw: OnceLock::new(),
            told: AtomicBool::new(false),
        }
    }

    /// Whether it has been compiled, or found not to.
    pub fn is_ready(&self) -> bool {
        self.raw.get().is_some()
    }

    /// Waits until it is compiled; why it does not, if so.
    pub fn wait(&self) -> Result<&wgpu::ComputePipeline, &str> {
        self.raw.wait().as_ref().map_err(String::as_str)
    }

    /// True at the first call, false from then on: for what is to be said once.
    pub fn tells_first(&self) -> bool {
        !self.told.swap(true, Ordering::Relaxed)
    }
}

/// The binding of the parameters where they are a uniform: behind those of all kernels of a file.
pub(crate) const PARAMS_BINDING: usize = 12;

/// How a kernel's buffers are bound: the inputs from binding 0 on, then the outputs.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Bindings {
    pub inputs: usize,
    pub outputs: usize,
    pub uniforms: Vec<(usize, u32)>, // of the inputs, and their lengths in fours; the others are storage
    pub params: bool,                // are a uniform, for want of immediates
}

impl Bindings {
    /// Every binding of a buffer.
    pub fn all(&self) -> impl Iterator<Item = usize> + use<> {
        let params = self.params.then_some(PARAMS_BINDING);
        (0..self.inputs + self.outputs).chain(params)
    }

    fn is_uniform(&self, binding: usize) -> bool {
        self.uniforms.iter().any(|&(i, _)| i == binding)
    }

    /// The layouts of the bind group and of the pipeline.
    pub fn layouts(&self, device: &wgpu::Device) -> (wgpu::BindGroupLayout, wgpu::PipelineLayout) {
        let entry = |binding: usize, ty, has_dynamic_offset| wgpu::BindGroupLayoutEntry {
            binding: binding as u32,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty,
                has_dynamic_offset,
                min_binding_size: None,
            },
            count: None,
        };
        let buffer = |i| match (i, self.is_uniform(i)) {
            (PARAMS_BINDING, _) => entry(i, wgpu::BufferBindingType::Uniform, true),
            (_, true) => entry(i, wgpu::BufferBindingType::Uniform, false),
            (_, false) => {
                let read_only = i < self.inputs;
                entry(i, wgpu::BufferBindingType::Storage { read_only }, false)
            }
        };
        let entries: Vec<_> = self.all().map(buffer).collect();
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: None,
            entries: &entries,
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: if self.params { 0 } else { PARAM_BYTES },
        });
        (layout, pipeline_layout)
    }

    /// Buffers for all bindings, to run a kernel over no workgroups.
    pub fn stand_ins(&self, device: &wgpu::Device) -> Vec<(usize, wgpu::Buffer)> {
        let most = device.limits().max_uniform_buffer_binding_size;
        let buffer = |i| {
            let buffer = device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: if self.is_uniform(i) { most } else { 256 },
                usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::UNIFORM,
                mapped_at_creation: false,
            });
            (i, buffer)
        };
        self.all().map(buffer).collect()
    }
}

/// Compiles an entry point of WGSL, with naga's bounds checks if `checked`.
///
/// # Errors
/// It does not compile: the compiler's words. (A browser tells later only, where the device is lost.)
pub(crate) fn compile(
    device: &wgpu::Device,
    (source, entry): (&str, &str),
    layout: &wgpu::PipelineLayout,
    checked: bool,
    cache: Option<&wgpu::PipelineCache>,
) -> Result<wgpu::ComputePipeline, String> {
    #[cfg(not(target_arch = "wasm32"))]
    let scopes = [
        wgpu::ErrorFilter::Validation,
        wgpu::ErrorFilter::Internal,
        wgpu::ErrorFilter::OutOfMemory,
    ]
    .map(|filter| device.push_error_scope(filter));
    let checks = match checked {
        // Not the loop counters that naga can add: with them, one software driver gave
        // wrong convolutions of many channels. The likely reason is its own cap on the iterations
        // of an invocation, which loops that are no longer unrolled reach. Ours all end anyway.
        true => wgpu::ShaderRuntimeChecks {
            force_loop_bounding: false,
            ..wgpu::ShaderRuntimeChecks::checked()
        },
        false => wgpu::ShaderRuntimeChecks::unchecked(),
    };
    let descriptor = wgpu::ShaderModuleDescriptor {
        label: Some(entry),
        source: wgpu::ShaderSource::Wgsl(source.into()),
    };
    // SAFETY: the sources are this crate's own. Their loops end, and every index is below the
    // length of what it indexes, for the shapes that the dispatching functions let through; the
    // tests run them with the checks on as well, and must pass.
    let module = unsafe { device.create_shader_module_trusted(descriptor, checks) };
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(entry),
        layout: Some(layout),
        module: &module,
        entry_point: Some(entry),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants: &[],
            zero_initialize_workgroup_memory: false, // every kernel writes before it reads
        },
        cache,
    });
    #[cfg(not(target_arch = "wasm32"))]
    for scope in scopes.into_iter().rev() {
        if let Some(error) = pollster::block_on(scope.pop()) {
            return Err(error.to_string());
        }
    }
    Ok(pipeline)
}
