//! A shape and a buffer.

use std::marker::PhantomData;
use std::ops::Range;

use crate::Result;
use crate::buffer::{Buffer, padded};
use crate::device::Device;

/// What a tensor may hold: `f32`, or `u32` for indices.
pub trait Element: bytemuck::Pod + std::fmt::Debug {}
impl Element for f32 {}
impl Element for u32 {}

/// A contiguous, row-major array on a [`Device`]. Cloning shares the data; ops never change their
/// arguments (the optimiser's in-place ones say so).
#[derive(Clone)]
pub struct Tensor<E: Element = f32> {
    shape: Vec<usize>,
    buffer: Buffer,
    device: Device,
    element: PhantomData<E>,
}

impl<E: Element> Tensor<E> {
    /// Copies host data to the device.
    ///
    /// # Panics
    /// If `data` has not as many elements as `shape`, or none.
    #[track_caller]
    pub fn new(device: &Device, data: &[E], shape: &[usize]) -> Self {
        let tensor = Tensor::uninit(device, shape);
        tensor.set(data);
        tensor
    }

    /// Overwrites this tensor, and all its clones, with host data.
    ///
    /// # Panics
    /// If `data` has not as many elements.
    #[track_caller]
    pub fn set(&self, data: &[E]) {
        assert!(!self.is_half(), "set: host data are f32");
        assert_eq!(data.len(), self.len(), "data for shape {:?}", self.shape);
        self.device()
            .upload(&self.buffer, bytemuck::cast_slice(data));
    }

    /// A tensor whose content is not yet written: every op's output starts so.
    #[track_caller]
    pub(crate) fn uninit(device: &Device, shape: &[usize]) -> Self {
        Tensor::alloc(device, shape, false)
    }

    /// [`Tensor::uninit`] on x's device, stored as x is: in f16 or not.
    #[track_caller]
    pub(crate) fn like(x: &Self, shape: &[usize]) -> Self {
        Tensor::alloc(x.device(), shape, x.is_half())
    }

    /// A tensor whose content is not yet written, of f32 or f16.
    #[track_caller]
    pub(crate) fn alloc(device: &Device, shape: &[usize], half: bool) -> Self {
        assert!(
            shape.iter().all(|&n| n > 0),
            "empty tensor of shape {shape:?}"
        );
        let buffer = device.alloc(shape, half);
        Tensor {
            shape: shape.to_vec(),
            buffer,
            device: device.clone(),
            element: PhantomData,
        }
    }

    /// The lengths of its axes, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Whether its numbers are stored as f16: see [`Tensor::to_half`].
    pub fn is_half(&self) -> bool {
        self.buffer.half
    }

    /// The number of elements.
    #[allow(clippy::len_without_is_empty)] // no tensor is empty
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// The length of the last axis: the channels.
    pub fn channels(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// The number of rows of `channels()` elements.
    pub fn rows(&self) -> usize {
        self.len() / self.channels()
    }

    /// Where it lives.
    pub fn device(&self) -> &Device {
        &self.device
    }

    pub(crate) fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    /// The same data under another shape; free.
    ///
    /// # Panics
    /// If the number of elements differs.
    #[track_caller]
    pub fn reshape(&self, shape: &[usize]) -> Self {
        let len: usize = shape.iter().product();
        assert_eq!(len, self.len(), "reshape: {:?} to {shape:?}", self.shape);
        Tensor {
            shape: shape.to_vec(),
            buffer: self.buffer.clone(),
            device: self.device.clone(),
            element: PhantomData,
        }
    }

    /// The items of the first axis in `range`, wherever in the buffer they begin.
    pub(crate) fn view(&self, range: Range<usize>) -> Self {
        let item = self.buffer.bytes / self.shape[0] as u64;
        let (start, count) = (range.start as u64, range.len() as u64);
        Tensor {
            shape: [&[range.len()], &self.shape[1..]].concat(),
            buffer: self.buffer.part(start * item, count * item),
            device: self.device.clone(),
            element: PhantomData,
        }
    }

    /// Waits for the data and copies it to the host.
    ///
    /// # Errors
    /// The device was lost, or something on the way to this tensor failed: the first cause.
    pub fn to_vec(&self) -> Result<Vec<E>> {
        Ok(self.unpack(&self.device.download(&[&self.buffer])?))
    }

    /// [`Tensor::to_vec`] where nothing may block, as in a browser.
    ///
    /// # Errors
    /// As [`Tensor::to_vec`].
    pub async fn to_vec_async(&self) -> Result<Vec<E>> {
        let bytes = self.device.download_async(&[&self.buffer]).await?;
        Ok(self.unpack(&bytes))
    }

    /// Several tensors' data, for one wait. All are on one device.
    ///
    /// # Errors
    /// As [`Tensor::to_vec`].
    pub fn to_vecs(tensors: &[&Self]) -> Result<Vec<Vec<E>>> {
        let Some(first) = tensors.first() else {
            return Ok(Vec::new());
        };
        let buffers: Vec<_> = tensors.iter().map(|t| &t.buffer).collect();
        let bytes = first.device.download(&buffers)?;
        let mut rest = &bytes[..];
        let next = |t: &&Self| {
            let (data, after) = rest.split_at(padded(&t.buffer) as usize);
            rest = after;
            t.unpack(data)
        };
        Ok(tensors.iter().map(next).collect())
    }

    /// The elements in bytes that were read back.
    fn unpack(&self, bytes: &[u8]) -> Vec<E> {
        let bytes = &bytes[..self.buffer.bytes as usize];
        if !self.is_half() {
            return bytemuck::pod_collect_to_vec(bytes);
        }
        let halves: Vec<half::f16> = bytemuck::pod_collect_to_vec(bytes);
        let floats: Vec<f32> = halves.into_iter().map(f32::from).collect();
        bytemuck::cast_vec(floats) // only tensors of f32 are stored as f16
    }

    /// Overwrites this tensor, and all its clones, with the data of another of the same shape.
    ///
    /// # Panics
    /// If the shapes differ, one is stored as f16 and the other is not, or a part of a f16 tensor does
    /// not begin and end with a pair of numbers.
    #[track_caller]
    pub fn copy_from(&self, other: &Self) {
        assert_eq!(self.shape, other.shape, "copy_from: shapes differ");
        let [to, from] = [&self.buffer, &other.buffer];
        let pairs = [to.start, from.start, to.bytes]
            .iter()
            .all(|n| n.is_multiple_of(4));
        assert!(
            to.half == from.half && pairs,
            "copy_from: {:?} in f16, not by pairs or to f32",
            self.shape
        );
        if !self.buffer.is(&other.buffer) {
            self.device().copy(&other.buffer, &self.buffer);
        }
    }
}

impl Tensor {
    /// The only element of a one-element tensor, read back.
    ///
    /// # Errors
    /// As [`Tensor::to_vec`].
    pub fn item(&self) -> Result<f32> {
        assert_eq!(self.len(), 1, "item: shape {:?}", self.shape);
        Ok(self.to_vec()?[0])
    }
}

impl<E: Element> std::fmt::Debug for Tensor<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "Tensor{:?} on {}", self.shape, self.device().name())
    }
}
