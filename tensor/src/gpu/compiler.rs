//! Compiling kernels on all cores.
//!
//! Which kernels a network needs is known by recording it, which is quick and waits for nothing. So
//! each goes to a worker thread when it is first recorded, and is awaited when its batch is
//! submitted. Workers live as long as there is something to compile; the last one to go has what is
//! worth keeping written to disk (`store.rs`).
//!
//! Most drivers compile a pipeline where it is made. A software driver generates its code where
//! a kernel first *runs*, on its queue's only thread, and keeps it in a cache of its own on disk. So
//! there each worker rehearses kernels that are new to this machine: it runs them over no workgroups
//! on a device of its own, and the device that is meant finds the code in that cache.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;

use crate::gpu::pipeline::{Bindings, PARAM_BYTES, Pipeline, compile};
use crate::gpu::store::Store;
use crate::gpu::work::begin_pass;

/// A kernel to compile.
pub(crate) struct Job {
    pub pipeline: Arc<Pipeline>,
    pub entry: &'static str,
    pub source: String, // with its constants
    pub layout: wgpu::PipelineLayout,
    pub bindings: Bindings,
}

/// Compiles on as many threads as there are cores. Waits on drop for what is being compiled, and
/// leaves the rest.
pub(crate) struct Compiler {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    cores: usize,
}

struct Shared {
    device: wgpu::Device,
    adapter: wgpu::Adapter,
    checked: bool,
    store: Store,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    workers: usize,
}

impl Compiler {
    /// With `checked`, kernels keep naga's bounds checks.
    pub fn new(adapter: wgpu::Adapter, device: wgpu::Device, checked: bool) -> Compiler {
        Compiler {
            shared: Arc::new(Shared {
                store: Store::open(&adapter, &device),
                device,
                adapter,
                checked,
                queue: Mutex::default(),
            }),
            threads: Vec::new(),
            cores: thread::available_parallelism().map_or(1, usize::from),
        }
    }

    /// Has a kernel compiled; its pipeline tells when it is there.
    pub fn compile(&mut self, job: Job) {
        let mut queue = self.shared.queue.lock();
        queue.jobs.push_back(job);
        if queue.workers == self.cores {
            return;
        }
        queue.workers += 1;
        drop(queue);
        let shared = self.shared.clone();
        let builder = thread::Builder::new().name("kernel compiler".to_owned());
        match builder.spawn(move || shared.work()) {
            Ok(thread) => {
                self.threads.retain(|t| !t.is_finished());
                self.threads.push(thread);
            }
            Err(_) => self.shared.work(), // no thread to be had: here, then
        }
    }
}

impl Drop for Compiler {
    fn drop(&mut self) {
        self.shared.queue.lock().jobs.clear();
        for thread in self.threads.drain(..) {
            let _ = thread.join(); // what went wrong in it, its pipelines tell
        }
    }
}

impl Shared {
    /// A worker's life.
    fn work(&self) {
        let mut stage = None;
        while let Some(job) = self.next() {
            if self.store.is_new((&job.source, job.entry), self.checked) {
                let stage = stage.get_or_insert_with(|| Stage::open(&self.adapter, &self.device));
                if let Some(stage) = stage {
                    // A rehearsal that fails costs time only; the compilation below has the message.
                    let rehearse = || stage.rehearse(&job, self.checked);
                    let _ = catch_unwind(AssertUnwindSafe(rehearse));
                }
            }
            let (device, layout, cache) = (&self.device, &job.layout, self.store.pipelines());
            let source = (job.source.as_str(), job.entry);
            // A driver may also panic in wgpu.
            let made = catch_unwind(AssertUnwindSafe(|| {
                compile(device, source, layout, self.checked, cache)
            }));
            let made = made.unwrap_or_else(|_| Err("it panicked".to_owned()));
            let _ = job.pipeline.raw.set(made); // once: a pipeline has one job
        }
    }

    fn next(&self) -> Option<Job> {
        let mut queue = self.queue.lock();
        let job = queue.jobs.pop_front();
        if job.is_none() {
            queue.workers -= 1;
            let last = queue.workers == 0;
            drop(queue);
            if last {
                self.store.save();
            }
        }
        job
    }
}

/// A worker's own device, for rehearsals; there until it is dropped.
struct Stage(Option<(wgpu::Device, wgpu::Queue)>);

/// Drivers have hung on opening and closing devices at the same time.
static DOOR: Mutex<()> = Mutex::new(());

impl Stage {
    /// None where it does not open: what is not rehearsed compiles later.
    fn open(adapter: &wgpu::Adapter, like: &wgpu::Device) -> Option<Stage> {
        let _door = DOOR.lock();
        let request = adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("rehearsal"),
            required_features: like.features(),
            required_limits: like.limits(),
            ..Default::default()
        });
        let (device, queue) = pollster::block_on(request).ok()?;
        device.on_uncaptured_error(Arc::new(|_| {})); // the performance tells
        Some(Stage(Some((device, queue))))
    }

    fn rehearse(&self, job: &Job, checked: bool) {
        let Some((device, queue)) = &self.0 else {
            return;
        };
        let (layout, pipeline_layout) = job.bindings.layouts(device);
        let source = (job.source.as_str(), job.entry);
        let Ok(pipeline) = compile(device, source, &pipeline_layout, checked, None) else {
            return;
        };
        let buffers = job.bindings.stand_ins(device);
        let entries = buffers
            .iter()
            .map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding: *binding as u32,
                resource: buffer.as_entire_binding(),
            });
        let entries: Vec<_> = entries.collect();
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &layout,
            entries: &entries,
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        let mut pass = begin_pass(&mut encoder, None);
        pass.set_pipeline(&pipeline);
        if job.bindings.params {
            pass.set_bind_group(0, &bind_group, &[0]);
        } else {
            pass.set_bind_group(0, &bind_group, &[]);
            pass.set_immediates(0, &[0; PARAM_BYTES as usize]);
        }
        pass.dispatch_workgroups(0, 0, 0);
        drop(pass);
        queue.submit([encoder.finish()]);
        let _ = device.poll(wgpu::PollType::wait_indefinitely()); // as above
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _door = DOOR.lock();
        self.0 = None;
    }
}
