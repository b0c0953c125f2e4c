//! wgpu without the library: for the ceilings, and for kernels that only teach.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// An opened adapter.
pub struct Gpu {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub is_software: bool,
}

/// A compiled kernel with its buffers.
pub struct Kernel {
    pipeline: wgpu::ComputePipeline,
    buffers: wgpu::BindGroup,
}

impl Gpu {
    /// Opens the adapter that the library has opened under this name, with all its limits.
    pub fn open(name: &str) -> Result<Gpu> {
        let backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends,
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        let adapters = pollster::block_on(instance.enumerate_adapters(backends));
        let named = |a: &wgpu::Adapter| a.get_info().name == name;
        let adapter = adapters.into_iter().find(named);
        let adapter = adapter.with_context(|| format!("adapter `{name}` is gone"))?;
        let request = adapter.request_device(&wgpu::DeviceDescriptor {
            required_limits: adapter.limits(),
            ..Default::default()
        });
        let opened = pollster::block_on(request);
        let (device, queue) = opened.with_context(|| format!("opening adapter `{name}`"))?;
        Ok(Gpu {
            device,
            queue,
            is_software: adapter.get_info().device_type == wgpu::DeviceType::Cpu,
        })
    }

    /// A buffer of zeros, for kernels and copies.
    pub fn buffer(&self, bytes: u64) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: bytes,
            usage: wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::COPY_SRC
                | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    }

    /// Compiles a WGSL file of one entry point. Its binding i is the i-th buffer.
    pub fn kernel(&self, source: &str, buffers: &[&wgpu::Buffer]) -> Kernel {
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(source.into()),
        };
        let checks = wgpu::ShaderRuntimeChecks::unchecked();
        // SAFETY: the sources are those beside this file. Their loops end, and every index is below
        // the length of what it indexes, for the sizes that the callers give.
        let module = unsafe { self.device.create_shader_module_trusted(descriptor, checks) };
        let pipeline = self
            .device
            .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: None,
                layout: None,
                module: &module,
                entry_point: None,
                compilation_options: Default::default(),
                cache: None,
            });
        let entries: Vec<_> = buffers
            .iter()
            .enumerate()
            .map(|(i, buffer)| wgpu::BindGroupEntry {
                binding: i as u32,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        let buffers = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        Kernel { pipeline, buffers }
    }

    /// Seconds that one dispatch of this many workgroups takes: see [`best_of`].
    pub fn time_kernel(&self, kernel: &Kernel, groups: [u32; 3]) -> Result<f64> {
        best_of(|count| {
            self.time(|encoder| {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                pass.set_pipeline(&kernel.pipeline);
                pass.set_bind_group(0, &kernel.buffers, &[]);
                for _ in 0..count {
                    pass.dispatch_workgroups(groups[0], groups[1], groups[2]);
                }
            })
        })
    }

    /// The wall time from submitting what `record` records until it has run.
    pub fn time(&self, record: impl FnOnce(&mut wgpu::CommandEncoder)) -> Result<Duration> {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        record(&mut encoder);
        let commands = encoder.finish();
        let start = Instant::now();
        self.queue.submit([commands]);
        self.device.poll(wgpu::PollType::wait_indefinitely())?;
        Ok(start.elapsed())
    }
}

/// Seconds for one of what `run` does as often as it is told: the best of five rounds, each long
/// enough (20 ms) that submitting and waiting do not count.
pub fn best_of(mut run: impl FnMut(u32) -> Result<Duration>) -> Result<f64> {
    run(1)?; // the first pays for compiling, and for memory that nobody has touched
    let mut count = 1;
    while run(count)? < Duration::from_millis(20) && count < 1 << 16 {
        count *= 2;
    }
    let mut best = Duration::MAX;
    for _ in 0..5 {
        best = best.min(run(count)?);
    }
    Ok(best.as_secs_f64() / f64::from(count))
}
