//! A shape and a buffer.

use std::marker::PhantomData;
use std::ops::Range;

use crate::device::{Buffer, Device};
use crate::pipeline::Kernel;
use crate::record::grid;
use crate::{Result, ops};

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

    #[track_caller]
    fn alloc(device: &Device, shape: &[usize], half: bool) -> Self {
        assert!(
            shape.iter().all(|&n| n > 0),
            "empty tensor of shape {shape:?}"
        );
        let buffer = device.alloc(shape, half);
        Tensor {
            shape: shape.to_vec(),
            buffer,
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

    /// The same numbers as f16 or not.
    pub(crate) fn stored(&self, half: bool) -> Self {
        if self.is_half() == half {
            return self.clone();
        }
        let y = Tensor::alloc(self.device(), &self.shape, half);
        ops::convert(self, &y);
        y
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
        self.buffer.device()
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
            element: PhantomData,
        }
    }

    /// Waits for the data and copies it to the host.
    ///
    /// # Errors
    /// The device was lost, or something on the way to this tensor failed: the first cause.
    pub fn to_vec(&self) -> Result<Vec<E>> {
        let bytes = self.device().download(&[&self.stored(false).buffer])?;
        Ok(bytemuck::pod_collect_to_vec(&bytes))
    }

    /// Several tensors' data, for one wait. All are on one device.
    ///
    /// # Errors
    /// As [`Tensor::to_vec`].
    pub fn to_vecs(tensors: &[&Self]) -> Result<Vec<Vec<E>>> {
        let Some(first) = tensors.first() else {
            return Ok(Vec::new());
        };
        let tensors: Vec<_> = tensors.iter().map(|t| t.stored(false)).collect();
        let buffers: Vec<_> = tensors.iter().map(|t| &t.buffer).collect();
        let bytes = first.device().download(&buffers)?;
        let mut rest = &bytes[..];
        let next = |t: &Self| {
            let (data, after) = rest.split_at(t.buffer.bytes as usize);
            rest = after;
            bytemuck::pod_collect_to_vec(data)
        };
        Ok(tensors.iter().map(next).collect())
    }

    /// Where its data lies: which memory, as a number, and the first element in it. Parts of one
    /// tensor lie in one memory.
    pub fn place(&self) -> (usize, usize) {
        self.buffer.place()
    }

    /// All that lies between this tensor's first element and `last`'s last, as one row.
    ///
    /// # Panics
    /// If they are not parts of one tensor, in this order.
    #[track_caller]
    pub fn through(&self, last: &Self) -> Self {
        let [(memory, start), (other, end)] = [self.place(), last.place()];
        let len = (end + last.len()).saturating_sub(start);
        assert!(
            memory == other && len >= self.len(),
            "through: {last:?} does not lie behind {self:?} in the same memory"
        );
        Tensor {
            shape: vec![len],
            buffer: self.buffer.through(&last.buffer),
            element: PhantomData,
        }
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
    /// A tensor of one value.
    #[track_caller]
    pub fn full(device: &Device, value: f32, shape: &[usize]) -> Self {
        let tensor = Tensor::uninit(device, shape);
        ops::fill(&tensor, value);
        tensor
    }

    /// The same numbers stored as f16, rounded to the nearest: half the memory, and half of what an op has
    /// to load and store; beyond ±65504 they are infinite. Ops compute in f32 all the same. Those of a
    /// forward pass take such tensors, and give such for them; sums for the weights' gradients do not.
    ///
    /// # Panics
    /// If the adapter has no f16: [`Device::has_half`].
    #[track_caller]
    pub fn to_half(&self) -> Self {
        assert!(
            self.device().has_half(),
            "to_half: {} has no f16",
            self.device().name()
        );
        self.stored(true)
    }

    /// The same numbers stored as f32; free if they are.
    pub fn to_float(&self) -> Self {
        self.stored(false)
    }

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

/// Invocations per workgroup of the kernels that give one element to each.
pub(crate) const WG: usize = 64;

/// Dispatches a kernel of one invocation per element (or row) of its output. The kernel sees its
/// workgroup size as `WG`, and must skip invocations from `count` on.
pub(crate) fn dispatch_1d(
    source: &'static str,
    entry: &'static str,
    inputs: &[&Buffer],
    outputs: &[&Buffer],
    params: &[u32],
    count: usize,
) {
    let kernel = Kernel {
        source,
        entry,
        constants: &[("WG", WG as u32)],
    };
    outputs[0]
        .device()
        .dispatch(&kernel, inputs, outputs, params, grid(count.div_ceil(WG)));
}
