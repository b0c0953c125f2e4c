//! The device: an adapter opened with all its own limits, and what is shared by all tensors on it.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::compile::Compiler;
use crate::pipeline::Pipelines;
use crate::pool::{Pool, size_class};
use crate::record::Recorder;
use crate::{Error, Result, adapter};

/// A handle to an opened adapter. Cloning is cheap; all clones share one queue and one pool.
#[derive(Clone)]
pub struct Device(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub raw: wgpu::Device,
    pub queue: wgpu::Queue,
    pub recorder: Mutex<Recorder>,
    pub pipelines: Mutex<Pipelines>,
    pool: Mutex<Pool>,
    pub staging: Mutex<Option<wgpu::Buffer>>, // for read-backs
    info: wgpu::AdapterInfo,
    software: bool,
    limits: wgpu::Limits,
    lanes: usize,
    window: Option<u64>,
    lost: Arc<OnceLock<String>>,
}

/// What tests change of a device, so that what is done on other machines can be seen on this one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Overrides {
    /// Lowers [`Device::max_tensor_bytes`]: what is done about tensors beyond it shows on small ones.
    pub binding_limit: Option<u64>,
    /// Whether a software driver's loads from storage buffers are dear: kernels take as uniforms what fits.
    pub windows: Option<bool>,
    /// Whether loops get a round to spare, which is otherwise so where a driver unrolls none without.
    pub spare_rounds: Option<bool>,
}

/// Counters since the device was opened, and the pool's size now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Kernels recorded.
    pub dispatches: u64,
    /// Copies recorded, from tensor to tensor.
    pub copies: u64,
    /// Batches submitted to the queue.
    pub submits: u64,
    /// Times the host waited for data.
    pub read_backs: u64,
    /// Bytes held by the pool, in use or free.
    pub pool_bytes: u64,
    /// Buffers held by the pool, in use or free.
    pub pool_buffers: u64,
    /// Bytes in buffers that tensors hold now.
    pub used_bytes: u64,
    /// The most that `pool_bytes` has been since [`Device::reset_peaks`]: what the driver was asked for.
    pub peak_pool_bytes: u64,
    /// The most that `used_bytes` has been since then: what the work needs at least.
    pub peak_used_bytes: u64,
}

/// The device memory behind a tensor, or a part of it. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Buffer {
    memory: Arc<Memory>,
    pub start: u64, // in bytes
    pub bytes: u64, // what the tensor needs; the memory may be larger
    pub half: bool, // its numbers are f16
}

/// One buffer of the driver's; goes back to the pool on drop.
struct Memory {
    raw: Option<wgpu::Buffer>,      // None where the allocation failed
    failed: OnceLock<Arc<Error>>,   // why its content is not what was asked for
    unbindable: Option<Arc<Error>>, // why no kernel can take all of it at once
    device: Device,
}

/// What is used where the adapter has it: timestamps by profiles, the cache by the compiler, and f16.
const OPTIONAL: wgpu::Features = wgpu::Features::TIMESTAMP_QUERY
    .union(wgpu::Features::PIPELINE_CACHE)
    .union(wgpu::Features::SHADER_F16);

impl Device {
    /// Opens the adapter that `wanted` names by number or by part of its name. With `None`,
    /// the environment variable `CATANET_ADAPTER` chooses, or else the best is taken: discrete,
    /// then integrated, then software. For tests, `CATANET_CHECKED=1` keeps naga's bounds checks in
    /// kernels, and `CATANET_GPU_TILES=1` runs a GPU's tile sizes on the software driver.
    ///
    /// # Errors
    /// No adapter, no adapter of that name, or one that does not open.
    pub fn open(wanted: Option<&str>) -> Result<Device> {
        Device::open_with(wanted, Overrides::default())
    }

    /// [`Device::open`] with what tests override.
    ///
    /// # Errors
    /// As [`Device::open`].
    pub fn open_with(wanted: Option<&str>, overrides: Overrides) -> Result<Device> {
        let adapter = adapter::choose(wanted)?;
        let info = adapter.get_info();
        let mut limits = adapter.limits();
        if let Some(bytes) = overrides.binding_limit {
            let lowered = limits.max_storage_buffer_binding_size.min(bytes);
            limits.max_storage_buffer_binding_size = lowered;
        }
        let is_set = |name| std::env::var(name).is_ok_and(|v| v == "1");
        let software = info.device_type == wgpu::DeviceType::Cpu && !is_set("CATANET_GPU_TILES");
        let lanes = match info.subgroup_min_size {
            n if software
                && n <= 16 // what kernels' sizes are made for: 512 bits
                && n == info.subgroup_max_size // or a kernel could not know
                && adapter.features().contains(wgpu::Features::SUBGROUP) =>
            {
                n.max(1)
            }
            _ => 1,
        };
        let mut features = wgpu::Features::IMMEDIATES | (adapter.features() & OPTIONAL);
        features.set(wgpu::Features::SUBGROUP, lanes > 1);
        let request = adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("catanet"),
            required_features: features,
            required_limits: limits.clone(),
            ..Default::default()
        });
        let (raw, queue) = pollster::block_on(request).map_err(|e| Error::Open {
            adapter: info.name.clone(),
            reason: e.to_string(),
        })?;
        let lost = Arc::new(OnceLock::new());
        let report = lost.clone();
        raw.set_device_lost_callback(move |reason, message| {
            // The first reason is the cause; later ones follow from it.
            let _ = report.set(format!("{message} ({reason:?})"));
        });
        let report = lost.clone();
        raw.on_uncaptured_error(Arc::new(move |error| match error {
            // Met where no tensor can carry it (submitting, compiling): the next read-back tells.
            wgpu::Error::OutOfMemory { .. } => drop(report.set("out of memory".to_owned())),
            _ if report.get().is_some() => {} // what a lost device's objects give rise to
            other => panic!("{other}"),       // a bug of this crate's
        }));
        let windows = overrides
            .windows
            .unwrap_or_else(|| adapter::loads_are_dear(&info));
        let window = (lanes > 1 && windows).then_some(limits.max_uniform_buffer_binding_size);
        let spare_rounds = overrides
            .spare_rounds
            .unwrap_or_else(|| adapter::moves_loop_tests(&info));
        let compiler = Compiler::new(adapter, raw.clone(), is_set("CATANET_CHECKED"));
        Ok(Device(Arc::new(Inner {
            pipelines: Mutex::new(Pipelines::new(compiler, spare_rounds)),
            recorder: Mutex::default(),
            pool: Mutex::default(),
            staging: Mutex::default(),
            raw,
            queue,
            info,
            software,
            limits,
            lanes: lanes as usize,
            window,
            lost,
        })))
    }

    /// The adapter's name, as its driver gives it.
    pub fn name(&self) -> &str {
        &self.0.info.name
    }

    /// Whether the adapter is a software driver. Kernels take other tile sizes there: a processor's
    /// few cores want much work per invocation, a GPU wants many invocations.
    pub fn is_software(&self) -> bool {
        self.0.software
    }

    /// Whether tensors can be stored as f16: [`Tensor::to_half`](crate::Tensor::to_half).
    pub fn has_half(&self) -> bool {
        self.0.raw.features().contains(wgpu::Features::SHADER_F16)
    }

    /// Invocations that share their loads: those of a subgroup on a software driver, which runs
    /// them as the lanes of one vector. 1 elsewhere: a GPU's caches do it.
    pub(crate) fn lanes(&self) -> usize {
        self.0.lanes
    }

    /// Where a load from a storage buffer is dear and one from a uniform is not, how many bytes of an
    /// input a kernel can take as a uniform: a window.
    pub(crate) fn window(&self) -> Option<u64> {
        self.0.window
    }

    /// The largest tensor, in bytes, that a kernel can take on this adapter. Larger ones can be made
    /// ([`ops::concat`](crate::ops::concat)) and taken in parts ([`ops::slice`](crate::ops::slice)),
    /// up to [`Device::max_memory_bytes`].
    pub fn max_tensor_bytes(&self) -> u64 {
        let limits = &self.0.limits;
        let bytes = limits
            .max_storage_buffer_binding_size
            .min(self.max_memory_bytes());
        bytes / 16 * 16 // bindings are of whole vec4s
    }

    /// The largest tensor, in bytes, that the adapter can hold at all.
    pub fn max_memory_bytes(&self) -> u64 {
        self.0.limits.max_buffer_size / 16 * 16 // 2^31 − 1 on some
    }

    /// Where a kernel may begin to read a buffer: at multiples of this.
    pub(crate) fn binding_alignment(&self) -> u64 {
        let limits = &self.0.limits;
        let uniform = self
            .0
            .window
            .map(|_| limits.min_uniform_buffer_offset_alignment);
        let storage = limits.min_storage_buffer_offset_alignment;
        storage.max(uniform.unwrap_or(1)).into()
    }

    /// Counters, for tests and profiles.
    pub fn stats(&self) -> Stats {
        let recorder = lock(&self.0.recorder);
        let pool = lock(&self.0.pool);
        Stats {
            dispatches: recorder.dispatches,
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
        lock(&self.0.pool).reset_peaks();
    }

    /// Gives the pool's free buffers back to the driver: between images of different sizes, say.
    pub fn trim(&self) {
        lock(&self.0.pool).trim();
    }

    pub(crate) fn check_lost(&self) -> Result<()> {
        match self.0.lost.get() {
            Some(reason) => Err(Error::Lost {
                adapter: self.name().to_owned(),
                reason: reason.clone(),
            }),
            None => Ok(()),
        }
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
        let failed = OnceLock::new();
        let raw = raw.map_err(|e| failed.set(Arc::new(e))).ok();
        let memory = Memory {
            raw,
            failed,
            unbindable: (bytes > bindable).then(|| Arc::new(too_large(bindable))),
            device: self.clone(),
        };
        Buffer {
            memory: Arc::new(memory),
            start: 0,
            bytes,
            half,
        }
    }

    fn alloc_raw(&self, class: u64) -> Result<wgpu::Buffer> {
        if let Some(buffer) = lock(&self.0.pool).take(class) {
            return Ok(buffer);
        }
        let buffer = self.create(class).or_else(|| {
            // Free buffers of other sizes may hold what is missing; the driver has it back once
            // the work that used them is done.
            self.trim();
            let _ = self.wait_idle(); // a lost device is told below
            self.create(class)
        });
        self.check_lost()?;
        let Some(buffer) = buffer else {
            let adapter = self.name().to_owned();
            return Err(Error::OutOfMemory {
                bytes: class,
                adapter,
            });
        };
        lock(&self.0.pool).count_new(class);
        Ok(buffer)
    }

    /// A new buffer; None where there is no memory for it.
    fn create(&self, size: u64) -> Option<wgpu::Buffer> {
        let scope = self.0.raw.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = self.0.raw.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage: wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::UNIFORM
                | wgpu::BufferUsages::COPY_SRC
                | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        pollster::block_on(scope.pop()).is_none().then_some(buffer)
    }
}

impl Buffer {
    pub fn device(&self) -> &Device {
        &self.memory.device
    }

    /// The driver's buffer, of which this is `bytes` from `start` on; None where there was no memory.
    pub fn raw(&self) -> Option<&wgpu::Buffer> {
        self.memory.raw.as_ref()
    }

    /// A part of it, from byte `start` on.
    pub fn part(&self, start: u64, bytes: u64) -> Buffer {
        debug_assert!(start + bytes <= self.bytes);
        Buffer {
            memory: self.memory.clone(),
            start: self.start + start,
            bytes,
            half: self.half,
        }
    }

    /// From this part's first byte to another's last.
    pub fn through(&self, last: &Buffer) -> Buffer {
        Buffer {
            bytes: last.start + last.bytes - self.start,
            ..self.clone()
        }
    }

    /// Which memory it is in, as a number, and the first of its four-byte elements there.
    pub fn place(&self) -> (usize, usize) {
        let memory = Arc::as_ptr(&self.memory) as usize;
        (memory, (self.start / 4) as usize)
    }

    /// Whether both are the same bytes.
    pub fn is(&self, other: &Buffer) -> bool {
        self.place() == other.place()
    }

    /// Why this buffer's content is not what was asked for, if so.
    pub fn failure(&self) -> Option<&Arc<Error>> {
        self.memory.failed.get()
    }

    /// Why no kernel can take it, if so.
    pub fn unbindable(&self) -> Option<&Arc<Error>> {
        let fits = self.bytes <= self.device().max_tensor_bytes();
        self.memory.unbindable.as_ref().filter(|_| !fits)
    }

    /// Marks the content as failed; the first cause stays.
    pub fn fail(&self, cause: &Arc<Error>) {
        let _ = self.memory.failed.set(cause.clone());
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Some(raw) = self.raw.take() {
            lock(&self.device.0.pool).put(raw);
        }
    }
}

/// A panic elsewhere (a wrong shape in one test, say) leaves this crate's shared state valid, since
/// every check comes before the first change: a poisoned lock is taken as it is.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
