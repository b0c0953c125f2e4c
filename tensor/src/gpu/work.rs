//! What is recorded: dispatches, copies and writes, in the order they run.

use std::future::poll_fn;
use std::io::Write;
use std::sync::Arc;
use std::task::{Poll, Waker};

use parking_lot::Mutex;

use crate::gpu::pipeline::Pipeline;

/// Pieces of work per submitted batch: enough that submitting costs nothing, few enough that the
/// GPU starts early.
pub(crate) const BATCH: usize = 48;
/// Workgroups after which a batch ends even so. Drivers reset a GPU that is busy for two seconds with
/// one batch. With 64 invocations each, of which the dearest, those of attention's gradient with two rows, do about
/// 88,000 operations, these are 185 billion in all: 0.4 s for a GPU of 0.5 TFLOP/s, by count.
pub(crate) const BATCH_GROUPS: u64 = 1 << 15;

/// A piece of recorded work.
pub(crate) enum Work {
    Dispatch(Dispatch),
    Copy { from: At, to: At, bytes: u64 },
    Write { to: At, data: Vec<u8> },
}

/// A buffer and a byte in it.
pub(crate) type At = (wgpu::Buffer, u64);

/// A kernel to run over some buffers.
pub(crate) struct Dispatch {
    pub pipeline: Arc<Pipeline>,
    pub bind_group: wgpu::BindGroup,
    pub params: Vec<u32>,
    pub groups: [u32; 3],
    pub needs: Vec<Arc<Pipeline>>, // kernels before it whose results only it takes
    pub otherwise: Otherwise,
}

/// What to do where a kernel, or one that it needs, does not compile on this driver.
pub(crate) enum Otherwise {
    /// Give up: it has no other form.
    GiveUp,
    /// Nothing: the kernel that takes its results is replaced.
    Nothing,
    /// Run a plain kernel, which is compiled only then.
    Plain(Box<dyn FnOnce() -> Dispatch + Send>),
}

impl Dispatch {
    /// Whether all that it runs has been compiled.
    pub fn is_ready(&self) -> bool {
        let mut all = self.needs.iter().chain([&self.pipeline]);
        all.all(|pipeline| pipeline.is_ready())
    }

    /// Waits for its kernel: itself, or what runs otherwise, None if that is nothing.
    ///
    /// # Errors
    /// A kernel that has no other form does not compile: why.
    pub fn compiled(self, adapter: &str) -> Result<Option<Dispatch>, String> {
        let failed = self
            .needs
            .iter()
            .chain([&self.pipeline])
            .find_map(|p| Some((p.clone(), p.wait().err()?.to_owned())));
        let Some((pipeline, reason)) = failed else {
            return Ok(Some(self));
        };
        if pipeline.tells_first() && !matches!(self.otherwise, Otherwise::GiveUp) {
            let reason = reason.lines().next().unwrap_or_default();
            let name = &pipeline.name;
            // Where standard error is closed, nobody wants to know.
            let _ = writeln!(
                std::io::stderr(),
                "{adapter} does not compile the kernel {name} ({reason}); its plain form runs instead"
            );
        }
        match self.otherwise {
            Otherwise::GiveUp => Err(format!(
                "its driver does not compile the kernel {}: {reason}",
                self.pipeline.name
            )),
            Otherwise::Nothing => Ok(None),
            Otherwise::Plain(make) => make().compiled(adapter),
        }
    }

    /// Encodes it over some workgroups. `params_at` is where its parameters begin in the buffer
    /// of parameters, where they are a uniform. It must have been [`compiled`](Self::compiled).
    pub fn encode(&self, pass: &mut wgpu::ComputePass, groups: [u32; 3], params_at: Option<u32>) {
        let Ok(pipeline) = self.pipeline.wait() else {
            unreachable!("compiled() has replaced what does not compile")
        };
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &self.bind_group, params_at.as_slice());
        if params_at.is_none() && !self.params.is_empty() {
            pass.set_immediates(0, bytemuck::cast_slice(&self.params));
        }
        pass.dispatch_workgroups(groups[0], groups[1], groups[2]);
    }
}

/// Begins a compute pass whose boundaries are timed if asked for.
pub(crate) fn begin_pass<'e>(
    encoder: &'e mut wgpu::CommandEncoder,
    timestamp_writes: Option<wgpu::ComputePassTimestampWrites<'_>>,
) -> wgpu::ComputePass<'e> {
    encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
        label: None,
        timestamp_writes,
    })
}

/// Asks for the first `bytes` of a buffer that can be mapped. The future has them, or the driver's
/// words; on a native device something must poll the device before.
pub(crate) fn map(
    staging: &wgpu::Buffer,
    bytes: u64,
) -> impl Future<Output = Result<Vec<u8>, String>> + Send + use<> {
    type Answer = Option<Result<(), wgpu::BufferAsyncError>>;
    let shared: Arc<Mutex<(Answer, Option<Waker>)>> = Arc::default();
    let (sender, staging) = (shared.clone(), staging.clone());
    staging.map_async(wgpu::MapMode::Read, ..bytes, move |result| {
        let mut shared = sender.lock();
        shared.0 = Some(result);
        if let Some(waker) = shared.1.take() {
            waker.wake();
        }
    });
    async move {
        let answer = poll_fn(|context| {
            let mut shared = shared.lock();
            match shared.0.take() {
                Some(answer) => Poll::Ready(answer),
                None => {
                    shared.1 = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        });
        answer.await.map_err(|e| e.to_string())?;
        let view = staging.slice(..bytes).get_mapped_range();
        let data = view.map_err(|e| e.to_string())?.to_vec();
        staging.unmap();
        Ok(data)
    }
}
