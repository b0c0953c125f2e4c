//! How a matrix product becomes fast, in four steps: `cargo bench --bench history`.
//!
//! The product is that of ConvFFN's first layer, on the tokens of a 256×256 map. The first three
//! kernels are in benches/history, to be read one after the other; the last is the library's own.
//! Each is checked against the host before it is timed.

mod ceiling;

use std::sync::mpsc;
use std::time::Instant;

use anyhow::{Result, ensure};
use ceiling::Ceiling;
use ceiling::gpu::{Gpu, best_of};
use tensor::ops::{self, Activation};
use tensor::{Device, Tensor};

// y[m, n] = Σ_k x[m, k]·w[n, k]. The tiles of all kernels divide these.
const M: usize = 256 * 256;
const K: usize = 40;
const N: usize = 96;

/// A kernel of benches/history.
struct Step {
    name: &'static str,
    source: &'static str,
    workgroups: [usize; 2],
    lesson: &'static str,
}

const STEPS: [Step; 3] = [
    Step {
        name: "01_naive",
        source: include_str!("history/01_naive.wgsl"),
        workgroups: [N / 32, M / 2],
        lesson: "One invocation per number of y. Two loads for each multiply-add: loading is all\n\
                 it does, wherever it runs.",
    },
    Step {
        name: "02_tiled",
        source: include_str!("history/02_tiled.wgsl"),
        workgroups: [N / 16, M / 16],
        lesson: "A workgroup copies what it needs into its own memory once, and multiplies from\n\
                 there. On a GPU that memory is near and quick. On a software driver it is memory\n\
                 like any other: still two loads each, and at every barrier each invocation is put\n\
                 aside with all that it holds.",
    },
    Step {
        name: "03_registers",
        source: include_str!("history/03_registers.wgsl"),
        workgroups: [N / 48, M / 64],
        lesson: "An invocation makes 8×6 numbers of y in registers: 14 loads serve 48 multiply-adds.\n\
                 That helps everywhere, and most where every load is dear.",
    },
];

const FINAL: &str = "The library's kernel, shaders/tuned/linear.wgsl: made for any sizes, its tile and its way\n\
                     of loading chosen for each class of adapter by measuring.";

fn main() -> Result<()> {
    let device = Device::open(None)?;
    let gpu = Gpu::open(device.name())?;
    let (x, w) = (numbers(M * K), numbers(N * K));
    let expected = on_host(&x, &w);
    let ceiling = Ceiling::measure(&gpu)?;
    println!("y = x·wᵀ, {M}×{K} by {K}×{N}, on {}", device.name());
    println!("({ceiling})\n");

    let mut first = None;
    let mut print = |name: &str, lesson: &str, seconds: f64| {
        let times = *first.get_or_insert(seconds) / seconds;
        let gflops = 2e-9 * (M * K * N) as f64 / seconds;
        let share = 100.0 * 1e9 * gflops / ceiling.flops;
        let ms = 1e3 * seconds;
        println!(
            "{name:<12} {ms:>9.3} ms {gflops:>9.1} GFLOP/s {share:>5.1} % of the ceiling {times:>7.1}×"
        );
        println!("    {}\n", lesson.replace('\n', "\n    "));
    };
    for step in &STEPS {
        print(
            step.name,
            step.lesson,
            teaching(&gpu, step, &x, &w, &expected)?,
        );
    }
    print("04_final", FINAL, library(&device, &x, &w, &expected)?);
    Ok(())
}

/// Numbers in [-1, 1).
fn numbers(len: usize) -> Vec<f32> {
    let scrambled = |i: usize| (i as u32).wrapping_mul(0x9E37_79B9) as i32; // golden ratio · 2³²
    (0..len)
        .map(|i| scrambled(i) as f32 / (1u32 << 31) as f32)
        .collect()
}

fn on_host(x: &[f32], w: &[f32]) -> Vec<f64> {
    let rows = x.chunks(K).flat_map(|x| w.chunks(K).map(move |w| (x, w)));
    rows.map(|(x, w)| {
        x.iter()
            .zip(w)
            .map(|(&x, &w)| f64::from(x) * f64::from(w))
            .sum()
    })
    .collect()
}

fn check(name: &str, got: &[f32], expected: &[f64]) -> Result<()> {
    let errors = got
        .iter()
        .zip(expected)
        .map(|(&g, e)| (f64::from(g) - e).abs());
    let worst = errors.max_by(f64::total_cmp).unwrap_or(0.0);
    ensure!(
        got.len() == expected.len() && worst < 1e-5,
        "{name} is wrong: off by {worst:.1e} from the host"
    );
    Ok(())
}

/// Seconds that a kernel of benches/history takes.
fn teaching(gpu: &Gpu, step: &Step, x: &[f32], w: &[f32], expected: &[f64]) -> Result<f64> {
    let bytes = |len: usize| 4 * len as u64;
    let [x_buffer, w_buffer, y_buffer] = [M * K, N * K, M * N].map(|len| gpu.buffer(bytes(len)));
    for (buffer, values) in [(&x_buffer, x), (&w_buffer, w)] {
        gpu.queue
            .write_buffer(buffer, 0, bytemuck::cast_slice(values));
    }
    let source = format!(
        "const M = {M}u; const N = {N}u; const K = {K}u;\n{}",
        step.source
    );
    let kernel = gpu.kernel(&source, &[&x_buffer, &w_buffer, &y_buffer]);
    let [columns, rows] = step.workgroups.map(|n| n as u32);
    let seconds = gpu.time_kernel(&kernel, [columns, rows, 1])?;
    check(step.name, &read(gpu, &y_buffer)?, expected)?;
    Ok(seconds)
}

fn read(gpu: &Gpu, buffer: &wgpu::Buffer) -> Result<Vec<f32>> {
    let staging = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: buffer.size(),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    gpu.time(|encoder| encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, buffer.size()))?;
    let (sender, mapped) = mpsc::channel();
    staging.map_async(wgpu::MapMode::Read, .., move |result| {
        drop(sender.send(result))
    });
    gpu.device.poll(wgpu::PollType::wait_indefinitely())?;
    mapped.recv()??;
    let bytes = staging.slice(..).get_mapped_range()?;
    Ok(bytemuck::pod_collect_to_vec(&bytes))
}

/// Seconds that the library takes.
fn library(device: &Device, x: &[f32], w: &[f32], expected: &[f64]) -> Result<f64> {
    let (x, w) = (
        Tensor::new(device, x, &[M, K]),
        Tensor::new(device, w, &[N, K]),
    );
    let product = || ops::linear(&x, &w, None, Activation::None, None);
    check("04_final", &product().to_vec()?, expected)?;
    best_of(|count| {
        let start = Instant::now();
        (0..count).for_each(|_| drop(product()));
        device.wait_idle()?;
        Ok(start.elapsed())
    })
}
