//! The driver's device and queue, and what the environment can do wrong with them.

use std::sync::{Arc, OnceLock};

use crate::{Error, Result};

/// An opened adapter.
pub(crate) struct Raw {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub info: wgpu::AdapterInfo,
    pub limits: wgpu::Limits,
    lost: Arc<OnceLock<String>>, // why, once it is
}

impl Raw {
    /// Opens an adapter with these features and limits.
    pub async fn open(
        adapter: &wgpu::Adapter,
        features: wgpu::Features,
        limits: wgpu::Limits,
    ) -> Result<Raw> {
        let info = adapter.get_info();
        let request = adapter.request_device(&wgpu::DeviceDescriptor {
            label: None,
            required_features: features,
            required_limits: limits.clone(),
            ..Default::default()
        });
        let (device, queue) = request.await.map_err(|e| Error::Open {
            adapter: info.name.clone(),
            reason: e.to_string(),
        })?;
        let lost = Arc::new(OnceLock::new());
        let report = lost.clone();
        device.set_device_lost_callback(move |reason, message| {
            // The first reason is the cause; later ones follow from it.
            let _ = report.set(format!("{message} ({reason:?})"));
        });
        let report = lost.clone();
        device.on_uncaptured_error(Arc::new(move |error| match error {
            // Met where no tensor can carry it (submitting, compiling): the next read-back tells.
            wgpu::Error::OutOfMemory { .. } => drop(report.set("out of memory".to_owned())),
            _ if report.get().is_some() => {} // what a lost device's objects give rise to
            other => panic!("{other}"),       // a bug of this crate's
        }));
        Ok(Raw {
            device,
            queue,
            info,
            limits,
            lost,
        })
    }

    /// That the device was lost, for this reason.
    pub fn lost(&self, reason: impl ToString) -> Error {
        Error::Lost {
            adapter: self.info.name.clone(),
            reason: reason.to_string(),
        }
    }

    /// Gives the device up for this reason: whatever is read back from now on fails with it.
    pub fn give_up(&self, reason: String) {
        let _ = self.lost.set(reason);
    }

    /// # Errors
    /// The device was lost.
    pub fn check_lost(&self) -> Result<()> {
        match self.lost.get() {
            Some(reason) => Err(self.lost(reason)),
            None => Ok(()),
        }
    }

    /// A new buffer.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn create_buffer(&self, size: u64, usage: wgpu::BufferUsages) -> Result<wgpu::Buffer> {
        // A browser tells of errors later only; there the queue's next answer does.
        #[cfg(not(target_arch = "wasm32"))]
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage,
            mapped_at_creation: false,
        });
        #[cfg(not(target_arch = "wasm32"))]
        if pollster::block_on(scope.pop()).is_some() {
            self.check_lost()?;
            return Err(Error::OutOfMemory {
                bytes: size,
                adapter: self.info.name.clone(),
            });
        }
        Ok(buffer)
    }

    /// Waits for a submission, or for all.
    ///
    /// # Errors
    /// The device was lost.
    pub fn wait(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<()> {
        let polled = self.device.poll(wgpu::PollType::Wait {
            submission_index,
            timeout: None,
        });
        self.check_lost()?;
        polled.map(drop).map_err(|e| self.lost(e))
    }
}
