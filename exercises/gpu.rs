//! Runs the text of a kernel on the adapter, with wgpu alone.

use std::sync::mpsc;

use anyhow::{Context, Result, bail};
use wgpu::BufferUsages;

/// Runs a WGSL text with one entry point on so many workgroups. Its bindings 0, 1, … are the inputs, to be
/// read; the one after is the output, which holds `output` before. Returns what it holds after.
///
/// # Errors
/// There is no adapter, or the text does not compile.
pub fn run(source: &str, inputs: &[&[u8]], output: &[f32], groups: [u32; 3]) -> Result<Vec<f32>> {
    let (device, queue) = open()?;
    let size = size_of_val(output) as u64;
    let buffer = |size: u64, usage: BufferUsages| {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage,
            mapped_at_creation: false,
        })
    };
    // A text that is wrong is reported to this scope.
    let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
    let (mut buffers, mut layout) = (Vec::new(), Vec::new());
    for (i, bytes) in inputs
        .iter()
        .copied()
        .chain([bytemuck::cast_slice(output)])
        .enumerate()
    {
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC;
        buffers.push(buffer(bytes.len() as u64, usage));
        queue.write_buffer(&buffers[i], 0, bytes);
        layout.push(wgpu::BindGroupLayoutEntry {
            binding: i as u32,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Storage {
                    read_only: i < inputs.len(),
                },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        });
    }
    let entries: Vec<_> = buffers
        .iter()
        .enumerate()
        .map(|(i, buffer)| wgpu::BindGroupEntry {
            binding: i as u32,
            resource: buffer.as_entire_binding(),
        })
        .collect();
    let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: None,
        entries: &layout,
    });
    let bound = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &layout,
        entries: &entries,
    });
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    // Checked: an index beyond the end of a buffer does no harm outside of it.
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(source.into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: Some(&layout),
        module: &module,
        entry_point: None,
        compilation_options: Default::default(),
        cache: None,
    });
    let staging = buffer(size, BufferUsages::MAP_READ | BufferUsages::COPY_DST);
    let mut encoder = device.create_command_encoder(&Default::default());
    let mut pass = encoder.begin_compute_pass(&Default::default());
    pass.set_pipeline(&pipeline);
    pass.set_bind_group(0, &bound, &[]);
    pass.dispatch_workgroups(groups[0], groups[1], groups[2]);
    drop(pass);
    encoder.copy_buffer_to_buffer(&buffers[inputs.len()], 0, &staging, 0, size);
    let commands = encoder.finish();
    if let Some(error) = pollster::block_on(scope.pop()) {
        bail!("the kernel does not compile:\n{error}");
    }
    queue.submit([commands]);
    let (sender, mapped) = mpsc::channel();
    staging.map_async(wgpu::MapMode::Read, .., move |result| {
        drop(sender.send(result))
    });
    device.poll(wgpu::PollType::wait_indefinitely())?;
    mapped.recv()??;
    Ok(bytemuck::pod_collect_to_vec(
        &staging.slice(..).get_mapped_range()?,
    ))
}

/// The adapter that the library opens.
fn open() -> Result<(wgpu::Device, wgpu::Queue)> {
    let library = tensor::Device::open(None)?;
    let backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let adapters = pollster::block_on(instance.enumerate_adapters(backends));
    let same = |a: &wgpu::Adapter| a.get_info().name == library.name();
    let adapter = adapters
        .into_iter()
        .find(same)
        .context("the adapter is gone")?;
    Ok(pollster::block_on(
        adapter.request_device(&Default::default()),
    )?)
}
