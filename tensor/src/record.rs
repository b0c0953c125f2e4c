//! Recording dispatches, submitting them in batches, and moving data in and out.

use std::collections::VecDeque;

use crate::device::{Buffer, Device, lock};
use crate::pipeline::Kernel;
use crate::{Error, Result};

/// Dispatches per submitted batch: enough that submitting costs nothing, few enough that the GPU
/// starts early.
const BATCH: u32 = 48;
/// Batches the host may be ahead of the GPU, so that a slow adapter's queue does not grow.
const IN_FLIGHT: usize = 4;
/// wgpu's bound on the workgroups of one dimension.
const MAX_GROUPS: usize = 65_535;

#[derive(Default)]
pub(crate) struct Recorder {
    pass: Option<wgpu::ComputePass<'static>>, // before the encoder: it must be dropped first
    encoder: Option<wgpu::CommandEncoder>,
    pending: u32,
    in_flight: VecDeque<wgpu::SubmissionIndex>,
    pub dispatches: u64,
    pub submits: u64,
    pub read_backs: u64,
}

/// A grid of `count` workgroups, folded into two dimensions where one does not hold them. The
/// kernel numbers them `id.y * groups.x + id.x` and skips those from `count` on.
pub(crate) fn grid(count: usize) -> [usize; 3] {
    let x = count.min(MAX_GROUPS);
    [x, count.div_ceil(x.max(1)), 1]
}

impl Device {
    /// Records one dispatch. `params` become the kernel's immediates, word by word; the outputs
    /// may be read as well as written. If an input failed, nothing runs and the outputs fail.
    pub(crate) fn dispatch(
        &self,
        kernel: &Kernel,
        inputs: &[&Buffer],
        outputs: &[&Buffer],
        params: &[u32],
        groups: [usize; 3],
    ) {
        let cause_of = |b: &&Buffer| b.failure().or(b.unbindable()).cloned();
        let failure = inputs
            .iter()
            .chain(outputs)
            .copied()
            .find_map(|b| cause_of(&b));
        if let Some(cause) = &failure {
            outputs.iter().for_each(|o| o.fail(cause));
            return;
        }
        assert!(
            groups.iter().all(|&g| g <= MAX_GROUPS),
            "{}: grid {groups:?} exceeds {MAX_GROUPS}",
            kernel.entry
        );
        let raw = &self.0.raw;
        let pipeline = lock(&self.0.pipelines).get(raw, kernel, inputs.len(), outputs.len());
        let entries: Vec<_> = inputs
            .iter()
            .chain(outputs)
            .enumerate()
            .filter_map(|(i, buffer)| {
                Some(wgpu::BindGroupEntry {
                    binding: i as u32,
                    resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                        buffer: buffer.raw()?,
                        offset: buffer.start,
                        // Whole vec4s: kernels that take four numbers at once may reach past the end.
                        size: wgpu::BufferSize::new(buffer.bytes.next_multiple_of(16)),
                    }),
                })
            })
            .collect();
        let bind_group = raw.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.layout,
            entries: &entries,
        });
        let mut recorder = lock(&self.0.recorder);
        let recorder = &mut *recorder;
        let pass = recorder.pass.get_or_insert_with(|| {
            let create = || raw.create_command_encoder(&Default::default());
            let encoder = recorder.encoder.get_or_insert_with(create);
            encoder
                .begin_compute_pass(&Default::default())
                .forget_lifetime()
        });
        pass.set_pipeline(&pipeline.raw);
        pass.set_bind_group(0, &bind_group, &[]);
        if !params.is_empty() {
            pass.set_immediates(0, bytemuck::cast_slice(params));
        }
        pass.dispatch_workgroups(groups[0] as u32, groups[1] as u32, groups[2] as u32);
        recorder.dispatches += 1;
        recorder.pending += 1;
        if recorder.pending >= BATCH {
            self.submit(recorder);
        }
    }

    /// Submits what has been recorded so far, without waiting for it.
    pub fn flush(&self) {
        self.submit(&mut lock(&self.0.recorder));
    }

    fn submit(&self, recorder: &mut Recorder) {
        recorder.pass = None;
        let Some(encoder) = recorder.encoder.take() else {
            return;
        };
        let index = self.0.queue.submit([encoder.finish()]);
        recorder.pending = 0;
        recorder.submits += 1;
        recorder.in_flight.push_back(index);
        if recorder.in_flight.len() > IN_FLIGHT
            && let Some(oldest) = recorder.in_flight.pop_front()
        {
            // A lost device is met by the next read-back.
            let _ = self.wait(Some(oldest));
        }
    }

    /// Waits for a submission, or for all.
    fn wait(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<()> {
        let wait = wgpu::PollType::Wait {
            submission_index,
            timeout: None,
        };
        let polled = self.0.raw.poll(wait);
        self.check_lost()?;
        polled.map(drop).map_err(|e| self.lost(e.to_string()))
    }

    fn lost(&self, reason: String) -> Error {
        let adapter = self.name().to_owned();
        Error::Lost { adapter, reason }
    }

    /// Waits until all recorded work has run.
    ///
    /// # Errors
    /// The device was lost.
    pub fn wait_idle(&self) -> Result<()> {
        self.flush();
        self.wait(None)
    }

    /// Copies host data into a buffer, after all work recorded so far.
    pub(crate) fn upload(&self, buffer: &Buffer, data: &[u8]) {
        // A queue's write takes effect before the next submit, and this buffer may have been
        // recycled from work that is recorded but not submitted: submit that first.
        self.flush();
        if let Some(raw) = buffer.raw() {
            self.0.queue.write_buffer(raw, buffer.start, data);
        }
    }

    /// Copies one buffer's content into another of the same size.
    pub(crate) fn copy(&self, from: &Buffer, to: &Buffer) {
        if let Some(cause) = from.failure() {
            to.fail(cause);
        }
        let (Some(source), Some(target), None) = (from.raw(), to.raw(), to.failure()) else {
            return;
        };
        let mut recorder = lock(&self.0.recorder);
        let recorder = &mut *recorder;
        recorder.pass = None; // copies stand outside of passes
        let create = || self.0.raw.create_command_encoder(&Default::default());
        let encoder = recorder.encoder.get_or_insert_with(create);
        encoder.copy_buffer_to_buffer(source, from.start, target, to.start, from.bytes);
        recorder.pending += 1;
        if recorder.pending >= BATCH {
            self.submit(recorder);
        }
    }

    /// Waits for a buffer's content and copies it to the host.
    pub(crate) fn download(&self, buffer: &Buffer) -> Result<Vec<u8>> {
        self.check_lost()?;
        let raw = match (buffer.raw(), buffer.failure()) {
            (Some(raw), None) => raw,
            (_, Some(cause)) => return Err(Error::clone(cause)),
            (None, None) => unreachable!("a buffer without memory carries its failure"),
        };
        let scope = self.0.raw.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let staging = self.0.raw.create_buffer(&wgpu::BufferDescriptor {
            label: Some("read-back"),
            size: buffer.bytes,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        if pollster::block_on(scope.pop()).is_some() {
            let (bytes, adapter) = (buffer.bytes, self.name().to_owned());
            return Err(Error::OutOfMemory { bytes, adapter });
        }
        {
            let mut recorder = lock(&self.0.recorder);
            let recorder = &mut *recorder;
            recorder.read_backs += 1;
            recorder.pass = None;
            let create = || self.0.raw.create_command_encoder(&Default::default());
            let encoder = recorder.encoder.get_or_insert_with(create);
            encoder.copy_buffer_to_buffer(raw, buffer.start, &staging, 0, buffer.bytes);
            self.submit(recorder);
        }
        let (sender, mapped) = std::sync::mpsc::channel();
        staging.map_async(wgpu::MapMode::Read, .., move |result| {
            let _ = sender.send(result);
        });
        self.wait(None)?; // or the answer would never come
        let mapping = mapped
            .recv()
            .map_err(|_| self.lost("no answer to a read-back".to_owned()))?;
        mapping.map_err(|e| self.lost(e.to_string()))?;
        let view = staging
            .slice(..)
            .get_mapped_range()
            .map_err(|e| self.lost(e.to_string()))?;
        let bytes = view.to_vec();
        self.check_lost()?;
        Ok(bytes)
    }
}
