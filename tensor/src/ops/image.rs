//! Enlargement: pixel shuffle and bilinear.

use crate::Tensor;
use crate::kernel::launch::Launch;

const PIXEL_SHUFFLE: &str = "plain/pixel_shuffle";
const BILINEAR: &str = "plain/bilinear";

/// `[B, H, W, C·r²]` to `[B, H·r, W·r, C]`: channel `c·r² + i·r + j` goes to row `i`, column `j` of
/// channel `c` among the `r×r` pixels that take the place of one.
///
/// # Panics
/// If the channels are no multiple of r².
#[track_caller]
pub fn pixel_shuffle(x: &Tensor, r: usize) -> Tensor {
    let &[b, h, w, c] = x.shape() else {
        panic!("pixel_shuffle: shape {:?}", x.shape())
    };
    assert!(
        r > 0 && c.is_multiple_of(r * r),
        "pixel_shuffle: shape {:?} by {r}",
        x.shape()
    );
    let c = c / (r * r);
    run(
        PIXEL_SHUFFLE,
        "pixel_shuffle",
        x,
        &[b, h * r, w * r, c],
        b * h * w * c,
        &[w, c, r],
    )
}

/// The reverse of [`pixel_shuffle`], and its derivative: `[B, H·r, W·r, C]` to `[B, H, W, C·r²]`.
///
/// # Panics
/// If height or width is no multiple of r.
#[track_caller]
pub fn pixel_unshuffle(x: &Tensor, r: usize) -> Tensor {
    let ([b, h, w], c) = reduced("pixel_unshuffle", x, r);
    run(
        PIXEL_SHUFFLE,
        "pixel_unshuffle",
        x,
        &[b, h, w, c * r * r],
        b * h * w * c,
        &[w, c, r],
    )
}

/// `[B, H, W, C]` to `[B, H·s, W·s, C]`, as PyTorch's
/// `interpolate(x, scale_factor=s, mode="bilinear", align_corners=False)`.
///
/// # Panics
/// If `x` has not four axes, or `s` is zero.
#[track_caller]
pub fn bilinear(x: &Tensor, s: usize) -> Tensor {
    let &[b, h, w, c] = x.shape() else {
        panic!("bilinear: shape {:?}", x.shape())
    };
    assert!(s > 0, "bilinear: factor 0");
    run(
        BILINEAR,
        "bilinear",
        x,
        &[b, h * s, w * s, c],
        b * h * s * w * s,
        &[h, w, c, s],
    )
}

/// The gradient by [`bilinear`]'s input: `dy` `[B, H·s, W·s, C]` gives `[B, H, W, C]`.
///
/// # Panics
/// If height or width is no multiple of `s`.
#[track_caller]
pub fn bilinear_backward(dy: &Tensor, s: usize) -> Tensor {
    let ([b, h, w], c) = reduced("bilinear_backward", dy, s);
    run(
        BILINEAR,
        "bilinear_backward",
        dy,
        &[b, h, w, c],
        b * h * w * c,
        &[h, w, c, s],
    )
}

/// The shape before the enlargement by `s`: `[B, H, W]` and C.
#[track_caller]
fn reduced(op: &str, x: &Tensor, s: usize) -> ([usize; 3], usize) {
    let &[b, h, w, c] = x.shape() else {
        panic!("{op}: shape {:?}", x.shape())
    };
    assert!(
        s > 0 && h.is_multiple_of(s) && w.is_multiple_of(s),
        "{op}: shape {:?} by {s}",
        x.shape()
    );
    ([b, h / s, w / s], c)
}

/// Dispatches `count` invocations; the kernel gets that number and then `params`.
fn run(
    file: &'static str,
    entry: &'static str,
    x: &Tensor,
    shape: &[usize],
    count: usize,
    params: &[usize],
) -> Tensor {
    let y = Tensor::uninit(x.device(), shape);
    Launch::new(file, entry)
        .input(x)
        .output(&y)
        .param(count)
        .params(params)
        .each(count)
        .run();
    y
}
