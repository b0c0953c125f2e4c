//! The device: an adapter opened with all its own limits, and what is shared by all tensors on it.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::buffer::{Buffer, Limit, padded};
use crate::gpu::compiler::Compiler;
use crate::gpu::profiler::{Profiler, Timer};
use crate::gpu::raw::Raw;
use crate::gpu::recorder::{Recorder, params_buffer};
use crate::gpu::work::{Work, map};
use crate::gpu::{adapter, profiler::Profile};
use crate::kernel::pipelines::Pipelines;
use crate::kernel::target::Target;
use crate::pool::{Pool, size_class};
use crate::{Error, Overrides, Result, Stats};

/// Up to this size the buffer for read-backs is kept for the next: a new one costs a millisecond.
const KEPT_STAGING: u64 = 16 << 20;

/// A handle to an opened adapter. Cloning is cheap; all clones share one queue and one pool.
#[derive(Clone)]
pub struct Device(Arc<Inner>);

struct Inner {
    raw: Raw,
    target: Target,
    pipelines: Arc<Mutex<Pipelines>>,
    recorder: Mutex<Recorder>,
    pool: Arc<Mutex<Pool>>,
    staging: Mutex<Option<wgpu::Buffer>>, // for read-backs
}

impl Device {
    /// Opens the adapter that `wanted` names by number or by part of its name. With `None`,
    /// the environment variable `CATANET_ADAPTER` chooses, or else the best is taken: discrete,
    /// then integrated, then software. `CATANET_KERNELS=plain` runs plain kernels alone. For tests,
    /// `CATANET_CHECKED=1` keeps naga's bounds checks in kernels, and `CATANET_GPU_TILES=1` runs a
    /// GPU's tile sizes on a software driver.
    ///
    /// # Errors
    /// No adapter, no adapter of that name, or one that does not open; a variable says what there is not.
    pub fn open(wanted: Option<&str>) -> Result<Device> {
        Device::open_with(wanted, Overrides::default())
    }

    /// [`Device::open`] with what tests override.
    ///
    /// # Errors
    /// As [`Device::open`].
    pub fn open_with(wanted: Option<&str>, overrides: Overrides) -> Result<Device> {
        pollster::block_on(Device::open_async(wanted, overrides))
    }

    /// [`Device::open_with`] where nothing may block, as in a browser.
    ///
    /// # Errors
    /// As [`Device::open`].
    pub async fn open_async(wanted: Option<&str>, overrides: Overrides) -> Result<Device> {
        let adapter = adapter::choose(wanted).await?;
        let mut limits = adapter.limits();
        if let Some(bytes) = overrides.binding_limit {
            let lowered = limits.max_storage_buffer_binding_size.min(bytes);
            limits.max_storage_buffer_binding_size = lowered;
        }
        let target = Target::of(&adapter, &overrides)?;
        let raw = Raw::open(&adapter, target.features(&adapter), limits).await?;
        let params = (!target.immediates).then(|| params_buffer(&raw));
        let compiler = Compiler::new(adapter, raw.device.clone(), target.checked);
        let pipelines = Pipelines::new(compiler, target.clone());
        Ok(Device(Arc::new(Inner {
            raw,
            target,
            pipelines: Arc::new(Mutex::new(pipelines)),
            recorder: Mutex::new(Recorder::new(params.transpose()?)),
            pool: Arc::default(),
            staging: Mutex::default(),
        })))
    }

    /// The adapter's name, as its driver gives it.
    pub fn name(&self) -> &str {
        &self.0.raw.info.name
    }

    /// Whether the adapter is a software driver, for which work should be small.
    pub fn is_software(&self) -> bool {
        self.0.target.is_software()
    }

    /// Whether tensors can be stored as f16: [`Tensor::to_half`](crate::Tensor::to_half).
    pub fn has_half(&self) -> bool {
        (self.0.raw.device.features()).contains(wgpu::Features::SHADER_F16)
    }

    /// What decides its kernels and tiles.
    pub(crate) fn target(&self) -> &Target {
        &self.0.target
    }

    pub(crate) fn raw(&self) -> &Raw {
        &self.0.raw
    }

    pub(crate) fn pipelines(&self) -> &Arc<Mutex<Pipelines>> {
        &self.0.pipelines
    }

    /// The buffer of parameters and the bytes of it that a dispatch binds, where they are a uniform.
    pub(crate) fn params_buffer(&self) -> Option<(wgpu::Buffer, u64)> {
        let recorder = self.0.recorder.lock();
        let params = recorder.params();
        params.map(|(buffer, bytes)| (buffer.clone(), bytes))
    }

    /// The largest tensor, in bytes, that a kernel can take on this adapter. Larger ones can be made
    /// ([`ops::concat`](crate::ops::concat)) and taken in parts ([`ops::slice`](crate::ops::slice)),
    /// up to [`Device::max_memory_bytes`].
    pub fn max_tensor_bytes(&self) -> u64 {
        let limits = &self.0.raw.limits;
        let bytes = limits
            .max_storage_buffer_binding_size
            .min(self.max_memory_bytes());
        bytes / 16 * 16 // bindings are of whole vec4s
    }

    /// The largest tensor, in bytes, that the adapter can hold at all.
    pub fn max_memory_bytes(&self) -> u64 {
        self.0.raw.limits.max_buffer_size / 16 * 16 // 2^31 − 1 on some
    }

    /// Where a kernel may begin to read a buffer: at multiples of this.
    pub(crate) fn binding_alignment(&self) -> u64 {
        let limits = &self.0.raw.limits;
        let uniforms = self.0.target.uniform_bytes;
        let uniform = uniforms.map(|_| limits.min_uniform_buffer_offset_alignment);
        let storage = limits.min_storage_buffer_offset_alignment;
        storage.max(uniform.unwrap_or(1)).into()
    }

    /// Counters, for tests and profiles.
    pub fn stats(&self) -> Stats {
        let recorder = self.0.recorder.lock();
        let pool = self.0.pool.lock();
        Stats {
            dispatches: recorder.dispatches,
            replaced: recorder.replaced,
            copies: recorder.copies,
            submits: recorder.submits,
            read_backs: recorder.read_backs,
            pool_bytes: pool.allocated_bytes,
            pool_buffers: pool.allocated_buffers,
            used_bytes: pool.used_bytes,
            peak_pool_bytes: pool.peak_allocated_bytes,
            peak_used_bytes: pool.peak_used_bytes,
        }
    }

    /// Lets the peaks of [`Stats`] start anew. To measure a piece of work, [`Device::trim`] first.
    pub fn reset_peaks(&self) {
        self.0.pool.lock().reset_peaks();
    }

    /// Gives the pool's free buffers back to the driver: between images of different sizes, say.
    pub fn trim(&self) {
        #[cfg(target_arch = "wasm32")]
        let _ = self.wait_idle(); // submits the work that used them: they are destroyed there
        self.0.pool.lock().trim();
    }

    /// From here on the pool holds no more than so many bytes; `None` is what the driver gives. What does
    /// not fit fails with [`Error::OutOfMemory`], as where the driver has no more.
    pub fn bound_memory(&self, bytes: Option<u64>) {
        self.0.pool.lock().bound = bytes;
    }

    /// Memory for a tensor of this shape, two (`half`) or four bytes an element. Its content is
    /// anything: a recycled buffer is not zero. A failure is kept in the buffer and met on reading it.
    pub(crate) fn alloc(&self, shape: &[usize], half: bool) -> Buffer {
        let size = if half { 2 } else { 4 };
        let bytes = shape.iter().map(|&n| n as u64).product::<u64>() * size;
        let too_large = |limit: u64| Error::TooLarge {
            shape: shape.to_vec(),
            bytes,
            limit,
            adapter: self.name().to_owned(),
        };
        let (bindable, most) = (self.max_tensor_bytes(), self.max_memory_bytes());
        let raw = match bytes > most {
            true => Err(too_large(most)),
            false => self.alloc_raw(size_class(bytes).min(most)),
        };
        let limit = Limit {
            bytes: bindable,
            error: (bytes > bindable).then(|| Arc::new(too_large(bindable))),
        };
        Buffer::new(raw, bytes, half, limit, self.0.pool.clone())
    }

    fn alloc_raw(&self, class: u64) -> Result<wgpu::Buffer> {
        if let Some(buffer) = self.0.pool.lock().take(class) {
            return Ok(buffer);
        }
        if !self.0.pool.lock().has_room(class) {
            self.trim(); // as below
            self.wait_idle()?;
            if !self.0.pool.lock().has_room(class) {
                let (bytes, adapter) = (class, self.name().to_owned());
                return Err(Error::OutOfMemory { bytes, adapter });
            }
        }
        let create = || {
            let usage = wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::UNIFORM
                | wgpu::BufferUsages::COPY_SRC
                | wgpu::BufferUsages::COPY_DST;
            self.0.raw.create_buffer(class, usage)
        };
        let buffer = create().or_else(|_| {
            // Free buffers of other sizes may hold what is missing; the driver has it back once
            // the work that used them is done.
            self.trim();
            let _ = self.wait_idle(); // a lost device is told below
            create()
        });
        self.0.raw.check_lost()?;
        let buffer = buffer?;
        self.0.pool.lock().count_new(class);
        Ok(buffer)
    }

    /// Records a piece of work.
    pub(crate) fn record(&self, work: Work) {
        self.0.recorder.lock().push(&self.0.raw, work);
    }

    /// Waits until all recorded work has run. In a browser, where nothing may block, it only submits it.
    ///
    /// # Errors
    /// The device was lost.
    pub fn wait_idle(&self) -> Result<()> {
        self.0.recorder.lock().submit(&self.0.raw, true);
        self.0.raw.wait(None)
    }

    /// Calls `f` once all work submitted so far has run: natively, while something waits for the device.
    pub fn when_done(&self, f: impl FnOnce() + Send + 'static) {
        self.0.raw.queue.on_submitted_work_done(f);
    }

    /// Copies host data into a buffer, after all work recorded so far.
    pub(crate) fn upload(&self, buffer: &Buffer, data: &[u8]) {
        let Some(to) = buffer.raw() else { return };
        let mut recorder = self.0.recorder.lock();
        if recorder.is_empty() {
            self.0.raw.queue.write_buffer(to, buffer.start, data);
        } else {
            let (to, data) = ((to.clone(), buffer.start), data.to_vec());
            recorder.push(&self.0.raw, Work::Write { to, data });
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
        self.record(Work::Copy {
            from: (source.clone(), from.start),
            to: (target.clone(), to.start),
            bytes: from.bytes,
        });
    }

    /// Waits for the content of buffers and copies it to the host, one after another.
    pub(crate) fn download(&self, buffers: &[&Buffer]) -> Result<Vec<u8>> {
        pollster::block_on(self.download_async(buffers))
    }

    /// [`Device::download`] where nothing may block, as in a browser. (A native device is waited for:
    /// nothing else polls it.)
    pub(crate) async fn download_async(&self, buffers: &[&Buffer]) -> Result<Vec<u8>> {
        let raw = &self.0.raw;
        raw.check_lost()?;
        if let Some(cause) = buffers.iter().find_map(|b| b.failure()) {
            return Err(Error::clone(cause));
        }
        let bytes = buffers.iter().map(|b| padded(b)).sum();
        let kept = self.0.staging.lock().take();
        let target = match kept.filter(|kept| kept.size() >= bytes) {
            Some(kept) => kept,
            None => {
                let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
                raw.create_buffer(bytes, usage)?
            }
        };
        self.record_download(buffers, &target);
        let mapped = map(&target, bytes);
        #[cfg(not(target_arch = "wasm32"))]
        raw.wait(None)?; // or the answer would never come
        let data = mapped.await.map_err(|reason| raw.lost(reason))?;
        if target.size() <= KEPT_STAGING {
            *self.0.staging.lock() = Some(target);
        }
        raw.check_lost()?;
        Ok(data)
    }

    fn record_download(&self, buffers: &[&Buffer], target: &wgpu::Buffer) {
        let mut recorder = self.0.recorder.lock();
        let mut end = 0;
        for buffer in buffers {
            let Some(from) = buffer.raw() else {
                unreachable!("a buffer without memory carries its failure")
            };
            let copy = Work::Copy {
                from: (from.clone(), buffer.start),
                to: (target.clone(), end),
                bytes: padded(buffer),
            };
            recorder.push(&self.0.raw, copy);
            end += padded(buffer);
        }
        recorder.read_backs += 1;
        recorder.submit(&self.0.raw, true);
    }

    /// Runs `f` and tells where the time of its kernels went. The first `events` dispatches are
    /// also kept one by one. What was recorded before is not in it; what `f` leaves recorded is
    /// run. One profile at a time: a second one ends the first.
    ///
    /// # Errors
    /// The device was lost.
    pub fn profile<T>(&self, events: usize, f: impl FnOnce() -> T) -> Result<(T, Profile)> {
        self.profile_by(Timer::of(&self.0.raw), events, f)
    }

    fn profile_by<T>(
        &self,
        timer: Timer,
        events: usize,
        f: impl FnOnce() -> T,
    ) -> Result<(T, Profile)> {
        self.wait_idle()?;
        let before = self.stats();
        self.0.recorder.lock().profiler = Some(Profiler::new(timer, events));
        let start = std::time::Instant::now();
        let result = f();
        let idle = self.wait_idle();
        let elapsed = start.elapsed();
        let profiler = self.0.recorder.lock().profiler.take();
        idle?;
        let mut profiler = profiler.unwrap_or_else(|| panic!("profile: another one ended it"));
        profiler.read(&self.0.raw);
        self.0.raw.check_lost()?;
        let after = self.stats();
        let stats = Stats {
            dispatches: after.dispatches - before.dispatches,
            replaced: after.replaced - before.replaced,
            copies: after.copies - before.copies,
            submits: after.submits - before.submits,
            read_backs: after.read_backs - before.read_backs,
            ..after
        };
        Ok((result, profiler.finish(elapsed, stats)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::gpu::profiler::Clock;
    use crate::{Tensor, ops};

    #[test]
    fn without_timestamps_each_dispatch_is_timed_by_the_clock() {
        let device = Device::open(None).expect("tests need an adapter");
        let x = Tensor::full(&device, 2.0, &[1 << 16]);
        let run = || ops::mul(&ops::mul(&x, &x), &x).to_vec().expect("read-back");
        let (result, profile) = device.profile_by(Timer::wall(), 9, run).expect("profiled");
        assert!(result.iter().all(|&y| y == 8.0));
        assert_eq!(profile.clock, Clock::Wall);
        assert_eq!((profile.kernels.len(), profile.kernels[0].calls), (1, 2));
        assert_eq!((profile.stats.dispatches, profile.events.len()), (2, 2));
        assert!(profile.kernel_time() > Duration::ZERO);
        assert!(profile.kernel_time() <= profile.elapsed);
    }
}
