//! What this machine has compiled before, in the user's cache folder.
//!
//! One small file per adapter. Nothing depends on it: one that cannot be read, is another driver's
//! or is gone costs the time to compile again, and one that cannot be written is not written.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
#[cfg(not(target_arch = "wasm32"))]
use std::io::Write;
use std::path::{Path, PathBuf};
use std::{fs, io, thread};

use parking_lot::Mutex;

#[cfg(not(target_arch = "wasm32"))]
use crate::settings::cache_folder;

pub(crate) struct Store {
    path: Option<PathBuf>,
    saved: Mutex<Vec<u8>>, // the file's content
    content: Content,
}

enum Content {
    /// Compiled code, as the driver packs it.
    Pipelines(wgpu::PipelineCache),
    /// The kernels that a software driver has in its own cache, by hash; and that driver.
    Kernels(Mutex<BTreeSet<u64>>, String),
    /// Nothing, where neither would help.
    Nothing,
}

impl Store {
    pub fn open(adapter: &wgpu::Adapter, device: &wgpu::Device) -> Store {
        let info = adapter.get_info();
        let software = info.device_type == wgpu::DeviceType::Cpu;
        let folder = cache_folder();
        let name = wgpu::util::pipeline_cache_key(&info);
        let path = folder.zip(name).map(|(folder, name)| folder.join(name));
        let saved = path.as_ref().and_then(|path| fs::read(path).ok());
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let content = if software && cores > 1 {
            let lines = saved.as_deref().map(String::from_utf8_lossy);
            let lines = lines.unwrap_or_default();
            let known = lines
                .lines()
                .filter_map(|l| u64::from_str_radix(l, 16).ok());
            Content::Kernels(Mutex::new(known.collect()), info.driver_info)
        } else if !software && device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            let descriptor = wgpu::PipelineCacheDescriptor {
                label: None,
                data: saved.as_deref(),
                fallback: true,
            };
            // SAFETY: the file holds what `get_data` gave, and appears whole or not at all; data of
            // another driver, or of another version of it, wgpu knows by its header and drops.
            Content::Pipelines(unsafe { device.create_pipeline_cache(&descriptor) })
        } else {
            Content::Nothing
        };
        Store {
            path,
            saved: Mutex::new(saved.unwrap_or_default()),
            content,
        }
    }

    /// The cache to make pipelines with.
    pub fn pipelines(&self) -> Option<&wgpu::PipelineCache> {
        match &self.content {
            Content::Pipelines(cache) => Some(cache),
            _ => None,
        }
    }

    /// Whether a software driver meets this kernel for the first time; from now on it is known.
    pub fn is_new(&self, (source, entry): (&str, &str), checked: bool) -> bool {
        match &self.content {
            Content::Kernels(known, driver) => {
                let mut hasher = DefaultHasher::new();
                (source, entry, checked, driver).hash(&mut hasher);
                known.lock().insert(hasher.finish())
            }
            _ => false,
        }
    }

    /// Writes the file if there is news.
    pub fn save(&self) {
        let data = match &self.content {
            Content::Pipelines(cache) => cache.get_data(),
            Content::Kernels(known, _) => {
                let lines = known
                    .lock()
                    .iter()
                    .map(|hash| format!("{hash:016x}\n"))
                    .collect();
                Some(String::into_bytes(lines))
            }
            Content::Nothing => None,
        };
        let mut saved = self.saved.lock();
        if let (Some(path), Some(data)) = (&self.path, data)
            && *saved != data
            && write(path, &data).is_ok()
        {
            *saved = data;
        }
    }
}

/// Beside first, then renamed: another process reads the old content or the new.
#[cfg(not(target_arch = "wasm32"))]
fn write(path: &Path, data: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut beside = tempfile::NamedTempFile::new_in(folder)?;
    beside.write_all(data)?;
    beside.persist(path)?;
    Ok(())
}

/// In a browser there are no files.
#[cfg(target_arch = "wasm32")]
fn cache_folder() -> Option<PathBuf> {
    None
}

#[cfg(target_arch = "wasm32")]
fn write(_: &Path, _: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
