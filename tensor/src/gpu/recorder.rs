//! Recording work and submitting it in batches.
//!
//! What is recorded is a list first, and becomes commands when a batch of it is submitted. So
//! recording never waits: not for a kernel that is still to be compiled, and not for the order that
//! the queue wants uploads in.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::gpu::pipeline::PARAM_BYTES;
use crate::gpu::profiler::Profiler;
use crate::gpu::raw::Raw;
use crate::gpu::work::{BATCH, BATCH_GROUPS, Work, begin_pass};

/// Pieces of work that may wait for kernels to be compiled: more than a training step has.
const AHEAD: usize = 128 * BATCH;
/// Batches the host may be ahead of the GPU, so that a slow adapter's queue does not grow.
const IN_FLIGHT: usize = 4;
/// Bytes from one dispatch's parameters to the next's, where they are a uniform: what every adapter
/// can begin to read at.
const PARAM_STRIDE: u64 = 256;

/// Recorded work, and counters since the device was opened.
#[derive(Default)]
pub(crate) struct Recorder {
    work: VecDeque<Work>,
    in_flight: VecDeque<wgpu::SubmissionIndex>,
    params: Option<wgpu::Buffer>, // of a batch, where they are a uniform
    pub profiler: Option<Profiler>,
    pub dispatches: u64,
    pub replaced: u64,
    pub copies: u64,
    pub submits: u64,
    pub read_backs: u64,
}

impl Recorder {
    /// With `params`, a buffer by [`params_buffer`], parameters are a uniform.
    pub fn new(params: Option<wgpu::Buffer>) -> Recorder {
        Recorder {
            params,
            ..Recorder::default()
        }
    }

    /// Whether all that was recorded is submitted.
    pub fn is_empty(&self) -> bool {
        self.work.is_empty()
    }

    /// The buffer of parameters and the bytes of it that a dispatch binds, where they are a uniform.
    pub fn params(&self) -> Option<(&wgpu::Buffer, u64)> {
        self.params.as_ref().map(|b| (b, u64::from(PARAM_BYTES)))
    }

    /// Adds a piece of work, and submits what is ready every now and then.
    pub fn push(&mut self, raw: &Raw, work: Work) {
        match &work {
            Work::Dispatch(_) => self.dispatches += 1,
            Work::Copy { .. } => self.copies += 1,
            Work::Write { .. } => {}
        }
        self.work.push_back(work);
        if self.work.len().is_multiple_of(BATCH) {
            let all = self.work.len() >= AHEAD;
            self.submit(raw, all);
        }
    }

    /// Submits recorded work batch by batch: all of it, or up to where a kernel is still being
    /// compiled.
    pub fn submit(&mut self, raw: &Raw, all: bool) {
        while !self.work.is_empty() && (all || self.batch_is_ready()) {
            let commands = self.encode(raw);
            let index = raw.queue.submit([commands]);
            self.submits += 1;
            self.in_flight.push_back(index);
            if self.in_flight.len() > IN_FLIGHT
                && let Some(oldest) = self.in_flight.pop_front()
            {
                // A lost device is met by the next read-back.
                let _ = raw.wait(Some(oldest));
            }
        }
    }

    fn batch_is_ready(&self) -> bool {
        self.work.iter().take(BATCH).all(|work| match work {
            Work::Dispatch(dispatch) => dispatch.is_ready(),
            _ => true,
        })
    }

    /// The next batch: up to `BATCH` pieces of work, `BATCH_GROUPS` workgroups, or up to the next write, which the queue does
    /// before whatever it is given next. Kernels that do not compile are replaced.
    fn next_batch(&mut self, raw: &Raw) -> Vec<Work> {
        while let Some(Work::Write { to, data }) = self
            .work
            .pop_front_if(|work| matches!(work, Work::Write { .. }))
        {
            raw.queue.write_buffer(&to.0, to.1, &data);
        }
        let mut batch = Vec::with_capacity(BATCH);
        let mut groups = 0;
        while batch.len() < BATCH
            && groups < BATCH_GROUPS
            && let Some(work) = self
                .work
                .pop_front_if(|work| !matches!(work, Work::Write { .. }))
        {
            match work {
                Work::Dispatch(dispatch) => {
                    groups += dispatch
                        .groups
                        .iter()
                        .map(|&n| u64::from(n))
                        .product::<u64>();
                    let meant = dispatch.pipeline.clone();
                    match dispatch.compiled(&raw.info.name) {
                        Ok(Some(dispatch)) if Arc::ptr_eq(&dispatch.pipeline, &meant) => {
                            batch.push(Work::Dispatch(dispatch));
                        }
                        Ok(other) => {
                            self.replaced += 1;
                            batch.extend(other.map(Work::Dispatch));
                        }
                        Err(reason) => raw.give_up(reason),
                    }
                }
                other => batch.push(other),
            }
        }
        batch
    }

    /// The next batch as commands.
    fn encode(&mut self, raw: &Raw) -> wgpu::CommandBuffer {
        let batch = self.next_batch(raw);
        if let Some(buffer) = &self.params {
            // The queue writes it after the batch before has run, and before this one does.
            let mut bytes = vec![0; batch.len() * PARAM_STRIDE as usize];
            for (slot, work) in bytes.chunks_exact_mut(PARAM_STRIDE as usize).zip(&batch) {
                if let Work::Dispatch(dispatch) = work {
                    let params: &[u8] = bytemuck::cast_slice(&dispatch.params);
                    slot[..params.len()].copy_from_slice(params);
                }
            }
            raw.queue.write_buffer(buffer, 0, &bytes);
        }
        let uniform = self.params.is_some();
        let params_at = |i: usize| uniform.then_some((i as u64 * PARAM_STRIDE) as u32);
        if let Some(profiler) = &mut self.profiler {
            profiler.make_room(raw);
        }
        let mut encoder = raw.device.create_command_encoder(&Default::default());
        let mut pass: Option<wgpu::ComputePass<'static>> = None;
        for (i, work) in batch.into_iter().enumerate() {
            match (work, &mut self.profiler) {
                (Work::Dispatch(dispatch), None) => {
                    let begin = || begin_pass(&mut encoder, None).forget_lifetime();
                    let pass = pass.get_or_insert_with(begin);
                    dispatch.encode(pass, dispatch.groups, params_at(i));
                }
                (Work::Dispatch(dispatch), Some(profiler)) => {
                    profiler.encode(raw, &mut encoder, &dispatch, params_at(i));
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
}

/// The buffer for the parameters of a batch, where they are a uniform.
pub(crate) fn params_buffer(raw: &Raw) -> crate::Result<wgpu::Buffer> {
    let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
    raw.create_buffer(BATCH as u64 * PARAM_STRIDE, usage)
}
