//! One kernel, end to end, with nothing between: `cargo run --example 02_kernel`.
//!
//! Builds on 01, which left all of this to the library. The kernel is the text in examples/02_kernel.wgsl.

use anyhow::{Context, Result, ensure};
use wgpu::BufferUsages as Usage;

const WIDTH: usize = 36;
const HEIGHT: usize = 18;

fn main() -> Result<()> {
    let distance = |i: usize| ((i % WIDTH) as f32 - 6.0).hypot((i / WIDTH) as f32 - 8.0);
    let disc = |i| f32::from(u8::from(distance(i) < 6.0));
    let x: Vec<f32> = (0..WIDTH * HEIGHT).map(disc).collect();
    let y = blurred(&x)?;
    for (i, found) in y.iter().enumerate() {
        // What a kernel is held to: the same in a loop on the host.
        let near = |at: usize, end: usize| (at..at + 5).map(move |a| a.clamp(2, end + 1) - 2);
        let row = |row: usize| near(i % WIDTH, WIDTH).map(move |column| row * WIDTH + column);
        let pixels = near(i / WIDTH, HEIGHT).flat_map(row).map(|at| x[at]);
        let mean = pixels.sum::<f32>() / 25.0;
        ensure!((found - mean).abs() < 1e-6, "y[{i}] is {found}, not {mean}");
    }
    println!("{:WIDTH$}    y, as on the host", "x");
    for (x, y) in x.chunks(WIDTH).zip(y.chunks(WIDTH)) {
        println!("{}    {}", shades(x), shades(y));
    }
    Ok(())
}

fn blurred(x: &[f32]) -> Result<Vec<f32>> {
    // 1. An adapter computes. Opened, it is a device, which makes things, and a queue, which takes work.
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let adapter = adapters.first().context("there is no adapter")?;
    let (device, queue) = pollster::block_on(adapter.request_device(&Default::default()))?;
    println!("on {}\n", adapter.get_info().name);

    // 2. Buffers in the adapter's memory: x, y, and one that the host may read.
    let buffer = |usage| {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: size_of_val(x) as u64,
            usage,
            mapped_at_creation: false,
        })
    };
    let x_buffer = buffer(Usage::STORAGE | Usage::COPY_DST);
    let y_buffer = buffer(Usage::STORAGE | Usage::COPY_SRC);
    let staging = buffer(Usage::MAP_READ | Usage::COPY_DST);
    queue.write_buffer(&x_buffer, 0, bytemuck::cast_slice(x));

    // 3. The driver compiles the text for its adapter.
    let kernel = include_str!("02_kernel.wgsl");
    let text = format!("const WIDTH = {WIDTH}u; const HEIGHT = {HEIGHT}u;\n{kernel}");
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(text.into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None, // as the text's bindings say
        module: &module,
        entry_point: Some("blur"),
        compilation_options: Default::default(),
        cache: None,
    });
    let buffers = [&x_buffer, &y_buffer].map(|b| b.as_entire_binding());
    let entries = [0, 1].map(|i| wgpu::BindGroupEntry {
        binding: i,
        resource: buffers[i as usize].clone(),
    });
    let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &entries,
    });

    // 4. Work is recorded, then handed over at once: whole workgroups of 8 × 8 invocations, and a copy.
    let mut work = device.create_command_encoder(&Default::default());
    let mut pass = work.begin_compute_pass(&Default::default());
    pass.set_pipeline(&pipeline);
    pass.set_bind_group(0, &bindings, &[]);
    pass.dispatch_workgroups(WIDTH.div_ceil(8) as u32, HEIGHT.div_ceil(8) as u32, 1);
    drop(pass);
    work.copy_buffer_to_buffer(&y_buffer, 0, &staging, 0, staging.size());
    queue.submit([work.finish()]);

    // 5. The only wait.
    staging.map_async(wgpu::MapMode::Read, .., |_| {});
    device.poll(wgpu::PollType::wait_indefinitely())?;
    Ok(bytemuck::pod_collect_to_vec(&staging.get_mapped_range(..)?))
}

/// Numbers from 0 to 1, light to dark.
fn shades(row: &[f32]) -> String {
    let ink = |v: &f32| b" .:-=+*#%@"[(v * 9.99) as usize] as char;
    row.iter().map(ink).collect()
}
