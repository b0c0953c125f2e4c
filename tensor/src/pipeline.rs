//! Compiled kernels, each made once.

use std::collections::HashMap;
use std::sync::Arc;

/// A kernel: an entry point of a WGSL file, specialised by constants.
///
/// The file sees `const NAME: u32 = value;` for every constant, before its first line. With a
/// constant LANES, it sees [`spread_source`]'s function, too. Its bindings are numbered: the inputs
/// first, then the outputs, in the order of the dispatch.
pub(crate) struct Kernel<'a> {
    pub source: &'static str,
    pub entry: &'static str,
    pub constants: &'a [(&'static str, u32)],
}

/// A pipeline and the layout of its one bind group.
pub(crate) struct Pipeline {
    pub raw: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

type Key = (&'static str, Vec<u32>, usize, usize); // entry, constants, inputs, outputs

pub(crate) struct Pipelines {
    made: HashMap<Key, Arc<Pipeline>>,
    checked: bool,
}

/// What every adapter offers for parameters (DX12's limit).
const IMMEDIATE_BYTES: u32 = 128;

impl Pipelines {
    pub fn new(checked: bool) -> Self {
        Pipelines {
            made: HashMap::new(),
            checked,
        }
    }

    pub fn get(
        &mut self,
        device: &wgpu::Device,
        kernel: &Kernel,
        inputs: usize,
        outputs: usize,
    ) -> Arc<Pipeline> {
        let values = kernel.constants.iter().map(|c| c.1).collect();
        let key = (kernel.entry, values, inputs, outputs);
        let made = self.made.get(&key).cloned();
        made.unwrap_or_else(|| {
            let pipeline = Arc::new(compile(device, kernel, inputs, outputs, self.checked));
            self.made.insert(key, pipeline.clone());
            pipeline
        })
    }
}

/// `spread(v)`: the values that the lanes of a workgroup of LANES invocations hold, to all of them.
/// A broadcast's lane must be a constant, which a WGSL loop's counter is not.
fn spread_source(lanes: u32) -> String {
    let of = |lane| match lanes {
        1 => "v".to_owned(),
        _ => format!("subgroupBroadcast(v, {lane}u)"),
    };
    let values: Vec<_> = (0..lanes).map(of).collect();
    format!(
        "fn spread(v: f32) -> array<f32, LANES> {{ return array<f32, LANES>({}); }}\n",
        values.join(", ")
    )
}

fn compile(
    device: &wgpu::Device,
    kernel: &Kernel,
    inputs: usize,
    outputs: usize,
    checked: bool,
) -> Pipeline {
    let mut source = String::new();
    for (name, value) in kernel.constants {
        source += &format!("const {name}: u32 = {value}u;\n");
        if *name == "LANES" {
            source += &spread_source(*value);
        }
    }
    source += kernel.source;
    let checks = match checked {
        // Not the loop counters that naga can add: with them, Mesa's software driver (22.3) gave
        // wrong convolutions of many channels. The likely reason is its own cap on the iterations
        // of an invocation, which loops that are no longer unrolled reach. Ours all end anyway.
        true => wgpu::ShaderRuntimeChecks {
            force_loop_bounding: false,
            ..wgpu::ShaderRuntimeChecks::checked()
        },
        false => wgpu::ShaderRuntimeChecks::unchecked(),
    };
    let descriptor = wgpu::ShaderModuleDescriptor {
        label: Some(kernel.entry),
        source: wgpu::ShaderSource::Wgsl(source.into()),
    };
    // SAFETY: the sources are this crate's own. Their loops end, and every index is below the
    // length of what it indexes, for the shapes that the dispatching functions let through; the
    // tests run them with the checks on as well, and must pass.
    let module = unsafe { device.create_shader_module_trusted(descriptor, checks) };

    let entries: Vec<_> = (0..inputs + outputs)
        .map(|i| wgpu::BindGroupLayoutEntry {
            binding: i as u32,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Storage {
                    read_only: i < inputs,
                },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        })
        .collect();
    let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some(kernel.entry),
        entries: &entries,
    });
    let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(kernel.entry),
        bind_group_layouts: &[Some(&layout)],
        immediate_size: IMMEDIATE_BYTES,
    });
    let raw = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(kernel.entry),
        layout: Some(&pipeline_layout),
        module: &module,
        entry_point: Some(kernel.entry),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants: &[],
            zero_initialize_workgroup_memory: false, // every kernel writes before it reads
        },
        cache: None,
    });
    Pipeline { raw, layout }
}
