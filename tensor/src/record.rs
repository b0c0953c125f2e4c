//! Recording work, submitting it in batches, and moving data in and out.
//!
//! What is recorded is a list first, and becomes commands when a batch of it is submitted. So
//! recording never waits: not for a kernel that is still to be compiled, and not for the order that
//! the queue wants uploads in.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::device::{Buffer, Device, lock};
use crate::pipeline::{Kernel, Pipeline};
use crate::profile::Profiler;
use crate::{Error, Result};

/// Pieces of work per submitted batch: enough that submitting costs nothing, few enough that the
/// GPU starts early.
pub(crate) const BATCH: usize = 48;
/// Pieces of work that may wait for kernels to be compiled: more than a training step has.
const AHEAD: usize = 128 * BATCH;
/// Batches the host may be ahead of the GPU, so that a slow adapter's queue does not grow.
const IN_FLIGHT: usize = 4;
/// Up to this size the buffer for read-backs is kept for the next: a new one costs a millisecond.
const KEPT_STAGING: u64 = 16 << 20;
/// wgpu's bound on the workgroups of one dimension.
const MAX_GROUPS: usize = 65_535;

#[derive(Default)]
pub(crate) struct Recorder {
    work: VecDeque<Work>,
    in_flight: VecDeque<wgpu::SubmissionIndex>,
    pub profiler: Option<Profiler>,
    pub dispatches: u64,
    pub copies: u64,
    pub submits: u64,
    pub read_backs: u64,
}

impl Recorder {
    fn batch_is_ready(&self) -> bool {
        self.work.iter().take(BATCH).all(|work| match work {
            Work::Dispatch(dispatch) => dispatch.pipeline.is_ready(),
            _ => true,
        })
    }
}

/// A piece of recorded work. It runs in the order it was recorded.
enum Work {
    Dispatch(Dispatch),
    Copy { from: Place, to: Place, bytes: u64 },
    Write { to: Place, data: Vec<u8> },
}

/// A buffer and a byte in it.
type Place = (wgpu::Buffer, u64);

pub(crate) struct Dispatch {
    pub pipeline: Arc<Pipeline>,
    bind_group: wgpu::BindGroup,
    params: Vec<u32>,
    pub groups: [u32; 3],
}

impl Dispatch {
    pub fn encode(&self, pass: &mut wgpu::ComputePass, groups: [u32; 3]) {
        pass.set_pipeline(self.pipeline.wait());
        pass.set_bind_group(0, &self.bind_group, &[]);
        if !self.params.is_empty() {
            pass.set_immediates(0, bytemuck::cast_slice(&self.params));
        }
        pass.dispatch_workgroups(groups[0], groups[1], groups[2]);
    }
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
        let halves = inputs.iter().chain(outputs).map(|b| b.half).collect();
        let pipeline = lock(&self.0.pipelines).get(raw, kernel, inputs.len(), halves);
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
        recorder.dispatches += 1;
        let work = Work::Dispatch(Dispatch {
            pipeline,
            bind_group,
            params: params.to_vec(),
            groups: groups.map(|g| g as u32),
        });
        self.record(&mut recorder, work);
    }

    fn record(&self, recorder: &mut Recorder, work: Work) {
        recorder.work.push_back(work);
        if recorder.work.len().is_multiple_of(BATCH) {
            let all = recorder.work.len() >= AHEAD;
            self.submit(recorder, all);
        }
    }

    /// Submits recorded work batch by batch: all of it, or up to where a kernel is still being
    /// compiled.
    fn submit(&self, recorder: &mut Recorder, all: bool) {
        while !recorder.work.is_empty() && (all || recorder.batch_is_ready()) {
            let commands = self.encode(recorder);
            let index = self.0.queue.submit([commands]);
            recorder.submits += 1;
            recorder.in_flight.push_back(index);
            if recorder.in_flight.len() > IN_FLIGHT
                && let Some(oldest) = recorder.in_flight.pop_front()
            {
                // A lost device is met by the next read-back.
                let _ = self.wait(Some(oldest));
            }
        }
    }

    /// The next batch as commands: up to `BATCH` pieces of work, or up to the next write, which
    /// the queue does before whatever it is given next.
    fn encode(&self, recorder: &mut Recorder) -> wgpu::CommandBuffer {
        let (raw, queue) = (&self.0.raw, &self.0.queue);
        while let Some(Work::Write { to, data }) = recorder
            .work
            .pop_front_if(|w| matches!(w, Work::Write { .. }))
        {
            queue.write_buffer(&to.0, to.1, &data);
        }
        if let Some(profiler) = &mut recorder.profiler {
            profiler.make_room(raw, queue);
        }
        let mut encoder = raw.create_command_encoder(&Default::default());
        let mut pass: Option<wgpu::ComputePass<'static>> = None;
        let mut left = BATCH;
        while left > 0
            && let Some(work) = recorder
                .work
                .pop_front_if(|w| !matches!(w, Work::Write { .. }))
        {
            left -= 1;
            match (work, &mut recorder.profiler) {
                (Work::Dispatch(dispatch), None) => {
                    let begin = || begin_pass(&mut encoder, None).forget_lifetime();
                    dispatch.encode(pass.get_or_insert_with(begin), dispatch.groups);
                }
                (Work::Dispatch(dispatch), Some(profiler)) => {
                    profiler.encode(raw, queue, &mut encoder, &dispatch);
                }
                (Work::Copy { from, to, bytes }, _) => {
                    pass = None; // copies stand outside of passes
                    encoder.copy_buffer_to_buffer(&from.0, from.1, &to.0, to.1, bytes);
                }
                (Work::Write { .. }, _) => unreachable!("a batch ends before a write"),
            }
        }
        drop(pass);
        encoder.finish()
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
        self.submit(&mut lock(&self.0.recorder), true);
        self.wait(None)
    }

    /// Copies host data into a buffer, after all work recorded so far.
    pub(crate) fn upload(&self, buffer: &Buffer, data: &[u8]) {
        let Some(raw) = buffer.raw() else { return };
        let mut recorder = lock(&self.0.recorder);
        if recorder.work.is_empty() {
            self.0.queue.write_buffer(raw, buffer.start, data);
        } else {
            let (to, data) = ((raw.clone(), buffer.start), data.to_vec());
            self.record(&mut recorder, Work::Write { to, data });
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
        if source == target {
            // Two parts of one buffer, which no command copies at once.
            let between = self.alloc(&[(from.bytes / 4) as usize], false);
            self.copy(from, &between);
            return self.copy(&between, to);
        }
        let work = Work::Copy {
            from: (source.clone(), from.start),
            to: (target.clone(), to.start),
            bytes: from.bytes,
        };
        let mut recorder = lock(&self.0.recorder);
        recorder.copies += 1;
        self.record(&mut recorder, work);
    }

    /// Waits for the content of buffers and copies it to the host, one after another.
    pub(crate) fn download(&self, buffers: &[&Buffer]) -> Result<Vec<u8>> {
        self.check_lost()?;
        if let Some(cause) = buffers.iter().find_map(|b| b.failure()) {
            return Err(Error::clone(cause));
        }
        let bytes = buffers.iter().map(|b| b.bytes).sum();
        let mut staging = lock(&self.0.staging); // one read-back at a time
        let target = match staging.take().filter(|kept| kept.size() >= bytes) {
            Some(kept) => kept,
            None => self.create_staging(bytes)?,
        };
        {
            let mut recorder = lock(&self.0.recorder);
            let mut end = 0;
            for buffer in buffers {
                let Some(raw) = buffer.raw() else {
                    unreachable!("a buffer without memory carries its failure")
                };
                recorder.work.push_back(Work::Copy {
                    from: (raw.clone(), buffer.start),
                    to: (target.clone(), end),
                    bytes: buffer.bytes,
                });
                end += buffer.bytes;
            }
            recorder.read_backs += 1;
            self.submit(&mut recorder, true);
        }
        let mapped = map(&target, bytes);
        self.wait(None)?; // or the answer would never come
        let data = mapped().map_err(|reason| self.lost(reason))?;
        *staging = Some(target).filter(|t| t.size() <= KEPT_STAGING);
        self.check_lost()?;
        Ok(data)
    }

    fn create_staging(&self, bytes: u64) -> Result<wgpu::Buffer> {
        let scope = self.0.raw.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let staging = self.0.raw.create_buffer(&wgpu::BufferDescriptor {
            label: Some("read-back"),
            size: bytes,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        match pollster::block_on(scope.pop()) {
            None => Ok(staging),
            Some(_) => Err(Error::OutOfMemory {
                bytes,
                adapter: self.name().to_owned(),
            }),
        }
    }
}

/// A compute pass, with a timestamp at its beginning and its end where they are wanted.
pub(crate) fn begin_pass<'a>(
    encoder: &'a mut wgpu::CommandEncoder,
    timestamp_writes: Option<wgpu::ComputePassTimestampWrites>,
) -> wgpu::ComputePass<'a> {
    encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
        label: None,
        timestamp_writes,
    })
}

/// Asks for the first `bytes` of a buffer; once the device has been waited for, the function
/// returned has them, or the driver's words.
pub(crate) fn map(
    staging: &wgpu::Buffer,
    bytes: u64,
) -> impl FnOnce() -> std::result::Result<Vec<u8>, String> {
    let (sender, mapped) = std::sync::mpsc::channel();
    let staging = staging.clone();
    staging.map_async(wgpu::MapMode::Read, ..bytes, move |result| {
        let _ = sender.send(result);
    });
    move || {
        let answer = mapped.recv();
        answer
            .map_err(|_| "no answer to a read-back".to_owned())?
            .map_err(|e| e.to_string())?;
        let view = staging.slice(..bytes).get_mapped_range();
        let data = view.map_err(|e| e.to_string())?.to_vec();
        staging.unmap();
        Ok(data)
    }
}
