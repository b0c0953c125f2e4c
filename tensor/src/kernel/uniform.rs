//! Inputs bound as uniforms, where a device's loads from storage buffers are dear
//! (`Target::uniform_bytes`), or where it has registers for them (`Target::scalar_bytes`).

use std::ops::Range;

use crate::device::Device;
use crate::tensor::Tensor;

/// Whether kernels should take all of x as a uniform.
pub(crate) fn fits_uniform(x: &Tensor) -> bool {
    let device = x.device();
    let aligned = x.buffer().start.is_multiple_of(device.binding_alignment());
    let most = device.target().uniform_bytes;
    most.is_some_and(|most| x.buffer().bytes <= most && aligned && !x.is_half())
}

/// Whether kernels whose invocations all load the same of x should take it as a uniform.
pub(crate) fn scalars_fit_uniform(x: &Tensor) -> bool {
    let device = x.device();
    let alignment = device.raw().limits.min_uniform_buffer_offset_alignment;
    let aligned = x.buffer().start.is_multiple_of(alignment.into());
    x.buffer().bytes <= device.target().scalar_bytes && aligned && !x.is_half()
}

/// Whether so many bytes fit a uniform, where the device asks for uniforms at all.
pub(crate) fn is_wanted_for(device: &Device, bytes: u64) -> bool {
    device
        .target()
        .uniform_bytes
        .is_some_and(|most| bytes <= most)
}

/// Cuts `items` of `bytes` each into pieces that kernels can take as a uniform, where the device asks
/// for that and a binding may begin at every item; else None. All have the same length, so that one
/// kernel does for them: the last two may overlap.
pub(crate) fn uniform_pieces(
    device: &Device,
    items: usize,
    bytes: usize,
) -> Option<impl Iterator<Item = Range<usize>>> {
    let length = (device.target().uniform_bytes? as usize / bytes).min(items);
    let begins = (bytes as u64).is_multiple_of(device.binding_alignment());
    let start = move |i: usize| i.min(items - length);
    let cut = || (0..items).step_by(length).map(start);
    (begins && length > 0).then(|| cut().map(move |start| start..start + length))
}
