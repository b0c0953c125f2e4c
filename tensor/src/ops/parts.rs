//! Parts of tensors along their first axis: images of a batch, rows of an image, tokens.
//!
//! What is too large for the adapter, or for the memory, is worked on in parts.

use std::ops::Range;

use crate::Tensor;
use crate::tensor::Element;

/// Items `range` of the first axis: `[N, ..]` → `[range, ..]`. It shares x's data where kernels can
/// begin to read there, else it is a copy.
///
/// # Panics
/// If the range is empty or not within x.
#[track_caller]
pub fn slice<E: Element>(x: &Tensor<E>, range: Range<usize>) -> Tensor<E> {
    assert!(
        range.start < range.end && range.end <= x.shape()[0],
        "slice: {range:?} of {:?}",
        x.shape()
    );
    let view = x.view(range);
    let aligned = view
        .buffer()
        .start
        .is_multiple_of(x.device().binding_alignment());
    if aligned {
        return view;
    }
    let copy = Tensor::like(x, view.shape());
    copy.copy_from(&view);
    copy
}

/// Parts one after another along the first axis, `len` items in all: each is computed, copied to its
/// place and given back before the next is asked for. The result may be larger than a kernel can
/// take at once.
///
/// # Panics
/// If the parts are not `len` items together, or their items differ in shape.
#[track_caller]
pub fn concat<E: Element>(len: usize, parts: impl IntoIterator<Item = Tensor<E>>) -> Tensor<E> {
    let mut whole: Option<Tensor<E>> = None;
    let mut done = 0;
    for part in parts {
        let (count, item) = (part.shape()[0], &part.shape()[1..]);
        let whole = whole.get_or_insert_with(|| Tensor::like(&part, &[&[len], item].concat()));
        assert!(
            item == &whole.shape()[1..] && done + count <= len,
            "concat: {:?} after {done} items of {:?}",
            part.shape(),
            whole.shape()
        );
        whole.view(done..done + count).copy_from(&part);
        done += count;
    }
    assert_eq!(done, len, "concat: {done} items instead of {len}");
    whole.unwrap_or_else(|| panic!("concat: no parts"))
}
