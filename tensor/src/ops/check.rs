//! Wrong shapes are programming errors: they panic at the caller's line.

use crate::Tensor;
use crate::tensor::Element;

/// # Panics
/// If `x`, which may be absent, has not the wanted shape.
#[track_caller]
pub(super) fn shape<'a, E: Element>(
    op: &str,
    what: &str,
    x: impl Into<Option<&'a Tensor<E>>>,
    wanted: &[usize],
) {
    if let Some(x) = x.into() {
        let found = x.shape();
        assert!(
            found == wanted,
            "{op}: {what} of shape {found:?}, not {wanted:?}"
        );
    }
}

/// Batch, height, width and channels of images.
///
/// # Panics
/// If it has not four axes.
#[track_caller]
pub(super) fn images(op: &str, x: &Tensor) -> [usize; 4] {
    let found = x.shape();
    let axes = found.try_into();
    axes.unwrap_or_else(|_| panic!("{op}: {found:?} is not [B, H, W, C]"))
}

/// Batch, tokens and channels.
///
/// # Panics
/// If it has not three axes.
#[track_caller]
pub(super) fn tokens(op: &str, x: &Tensor) -> [usize; 3] {
    let found = x.shape();
    let axes = found.try_into();
    axes.unwrap_or_else(|_| panic!("{op}: {found:?} is not [B, N, C]"))
}

/// Rows and columns of a matrix.
///
/// # Panics
/// If it has not two axes.
#[track_caller]
pub(super) fn matrix(op: &str, x: &Tensor) -> [usize; 2] {
    let found = x.shape();
    let axes = found.try_into();
    axes.unwrap_or_else(|_| panic!("{op}: {found:?} is not a matrix"))
}

/// A shape with other channels.
pub(super) fn with_channels(x: &Tensor, channels: usize) -> Vec<usize> {
    let outer = &x.shape()[..x.shape().len() - 1];
    [outer, &[channels]].concat()
}
