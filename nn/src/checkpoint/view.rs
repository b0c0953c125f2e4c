//! Strided views of storages, and how they become arrays.

use std::borrow::Cow;

use ::safetensors::Dtype;

use super::{Array, decode, element_count};

/// A tensor as a file describes it: a strided view of a storage, which may not hold it.
#[derive(Debug)]
pub(super) struct TensorView<'a> {
    pub storage: Storage<'a>,
    pub offset: usize, // in elements, as the strides
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// A run of `count` elements under a key.
#[derive(Clone, Debug)]
pub(super) struct Storage<'a> {
    pub element: Element<'a>,
    pub key: Cow<'a, str>,
    pub count: usize,
}

/// The type of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Element<'a> {
    Known(Dtype),
    /// By the name that the file gives it.
    Other(&'a str),
}

impl Element<'_> {
    /// Bytes of one.
    pub fn size(self) -> Option<usize> {
        match self {
            Element::Known(dtype) => Some(dtype.bitsize() / 8),
            Element::Other("ComplexDoubleStorage") => Some(16),
            Element::Other("ComplexFloatStorage") => Some(8),
            Element::Other("QInt32Storage") => Some(4),
            Element::Other("QInt8Storage" | "QUInt8Storage" | "UntypedStorage") => Some(1),
            Element::Other(_) => None,
        }
    }
}

impl TensorView<'_> {
    /// Whether its type is one that is read.
    pub fn is_readable(&self) -> bool {
        matches!(self.storage.element, Element::Known(dtype) if decode(dtype, &[]).is_some())
    }

    /// Completes "`name` …".
    pub fn unread(&self) -> String {
        let name = match self.storage.element {
            Element::Known(dtype) => dtype.to_string(),
            Element::Other(name) => name.to_owned(),
        };
        format!(
            "is of type {name}, which is not read; \
             store it as F32, F16, BF16, F64, BOOL, I64, I32 or U8"
        )
    }
}

/// Row-major, in elements.
pub(super) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; shape.len()];
    for axis in (1..shape.len()).rev() {
        // As torch strides an empty tensor. What overflows is refused by its count of elements.
        strides[axis - 1] = strides[axis].saturating_mul(shape[axis].max(1));
    }
    strides
}

/// Copies a strided view out of its storage, row-major. The caller has bounded the number of
/// elements. An error completes "`name` …".
pub(super) fn gather(view: &TensorView, storage: &[u8]) -> Result<Array, String> {
    let TensorView {
        storage: described,
        offset,
        shape,
        strides,
    } = view;
    let Element::Known(dtype) = described.element else {
        return Err(view.unread());
    };
    let size = dtype.bitsize() / 8;
    if described.count.checked_mul(size) != Some(storage.len()) {
        let (count, found) = (described.count, storage.len());
        return Err(format!(
            "needs a storage of {count} {dtype}, which has {found} bytes instead"
        ));
    }
    let outside =
        || format!("of shape {shape:?} and strides {strides:?} reaches outside its storage");
    if shape.len() != strides.len() {
        return Err(outside());
    }
    // An axis of one element never steps, so its stride, whatever it claims, says nothing.
    let strides: Vec<_> = shape
        .iter()
        .zip(strides)
        .map(|(&d, &s)| if d == 1 { 0 } else { s })
        .collect();
    let count = element_count(shape).ok_or_else(outside)?;
    let mut bytes = Vec::with_capacity(count * size);
    if count > 0 {
        let last = shape
            .iter()
            .zip(&strides)
            .try_fold(*offset, |at, (&d, &stride)| {
                at.checked_add((d - 1).checked_mul(stride)?)
            });
        if last.is_none_or(|last| last >= described.count) {
            return Err(outside());
        }
        let mut at = *offset;
        let mut index = vec![0; shape.len()];
        for _ in 0..count {
            bytes.extend_from_slice(&storage[at * size..][..size]);
            // An odometer: the last axis turns fastest; one that overflows goes back to zero.
            for axis in (0..shape.len()).rev() {
                at += strides[axis];
                index[axis] += 1;
                if index[axis] < shape[axis] {
                    break;
                }
                at -= index[axis] * strides[axis];
                index[axis] = 0;
            }
        }
    }
    let data = decode(dtype, &bytes).ok_or_else(|| view.unread())?;
    Ok(Array {
        shape: shape.clone(),
        data,
    })
}
