//! The device: an adapter opened with all its own limits, and what is shared by all tensors on it.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

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
    info: wgpu::AdapterInfo,
    software: bool,
    limits: wgpu::Limits,
    lost: Arc<OnceLock<String>>,
}

/// Counters since the device was opened, and the pool's size now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Kernels recorded.
    pub dispatches: u64,
    /// Batches submitted to the queue.
    pub submits: u64,
    /// Times the host waited for data.
    pub read_backs: u64,
    /// Bytes held by the pool, in use or free.
    pub pool_bytes: u64,
    /// Buffers held by the pool, in use or free.
    pub pool_buffers: u64,
}

/// Device memory behind a tensor; goes back to the pool on drop.
pub(crate) struct Buffer {
    pub raw: Option<wgpu::Buffer>, // None where the allocation failed
    pub bytes: u64,                // what the tensor needs; the buffer may be larger
    failed: OnceLock<Arc<Error>>,  // why its content is not what was asked for
    device: Device,
}

impl Device {
    /// Opens the adapter that `wanted` names by number or by part of its name. With `None`,
    /// the environment variable `CATANET_ADAPTER` chooses, or else the best is taken: discrete,
    /// then integrated, then software. For tests, `CATANET_CHECKED=1` keeps naga's bounds checks in
    /// kernels, and `CATANET_GPU_TILES=1` runs a GPU's tile sizes on the software driver.
    ///
    /// # Errors
    /// No adapter, no adapter of that name, or one that does not open.
    pub fn open(wanted: Option<&str>) -> Result<Device> {
        let adapter = adapter::choose(wanted)?;
        let info = adapter.get_info();
        let limits = adapter.limits();
        let is_set = |name| std::env::var(name).is_ok_and(|v| v == "1");
        let software = info.device_type == wgpu::DeviceType::Cpu && !is_set("CATANET_GPU_TILES");
        let subgroups = match software {
            true => adapter.features() & wgpu::Features::SUBGROUP,
            false => wgpu::Features::empty(), // see lanes()
        };
        let request = adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("catanet"),
            required_features: wgpu::Features::IMMEDIATES | subgroups,
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
        Ok(Device(Arc::new(Inner {
            pipelines: Mutex::new(Pipelines::new(is_set("CATANET_CHECKED"))),
            recorder: Mutex::default(),
            pool: Mutex::default(),
            raw,
            queue,
            info,
            software,
            limits,
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

    /// The invocations that exchange values by broadcasts: on a software driver with subgroups their
    /// size, which a workgroup must have, too; 1 elsewhere, where loads of one address are cheap.
    pub(crate) fn lanes(&self) -> usize {
        match self.0.raw.features().contains(wgpu::Features::SUBGROUP) {
            true => self.0.info.subgroup_min_size as usize,
            false => 1,
        }
    }

    /// The largest tensor, in bytes, that a kernel can take on this adapter.
    pub fn max_tensor_bytes(&self) -> u64 {
        self.0
            .limits
            .max_storage_buffer_binding_size
            .min(self.0.limits.max_buffer_size)
    }

    /// Counters, for tests and profiles.
    pub fn stats(&self) -> Stats {
        let recorder = lock(&self.0.recorder);
        let pool = lock(&self.0.pool);
        Stats {
            dispatches: recorder.dispatches,
            submits: recorder.submits,
            read_backs: recorder.read_backs,
            pool_bytes: pool.allocated_bytes,
            pool_buffers: pool.allocated_buffers,
        }
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

    /// Memory for a tensor of this shape, four bytes an element. Its content is anything: a
    /// recycled buffer is not zero. A failure is kept in the buffer and met on reading it.
    pub(crate) fn alloc(&self, shape: &[usize]) -> Buffer {
        let bytes = shape.iter().map(|&n| n as u64).product::<u64>() * 4;
        let limit = self.max_tensor_bytes();
        let raw = if bytes > limit {
            let (shape, adapter) = (shape.to_vec(), self.name().to_owned());
            Err(Error::TooLarge {
                shape,
                bytes,
                limit,
                adapter,
            })
        } else {
            self.alloc_raw(size_class(bytes).min(limit / 4 * 4))
        };
        let failed = OnceLock::new();
        let raw = raw.map_err(|e| failed.set(Arc::new(e))).ok();
        Buffer {
            raw,
            bytes,
            failed,
            device: self.clone(),
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
        let mut pool = lock(&self.0.pool);
        pool.allocated_bytes += class;
        pool.allocated_buffers += 1;
        Ok(buffer)
    }

    /// A new buffer; None where there is no memory for it.
    fn create(&self, size: u64) -> Option<wgpu::Buffer> {
        let scope = self.0.raw.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = self.0.raw.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage: wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::COPY_SRC
                | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        pollster::block_on(scope.pop()).is_none().then_some(buffer)
    }
}

impl Buffer {
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Why this buffer's content is not what was asked for, if so.
    pub fn failure(&self) -> Option<&Arc<Error>> {
        self.failed.get()
    }

    /// Marks the content as failed; the first cause stays.
    pub fn fail(&self, cause: &Arc<Error>) {
        let _ = self.failed.set(cause.clone());
    }
}

impl Drop for Buffer {
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
