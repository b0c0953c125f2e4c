//! Enlargement: pixel shuffle and bilinear.

use super::check::images;
use crate::Tensor;
use crate::kernel::launch::Launch;

/// `[B, H, W, C·r²]` to `[B, H·r, W·r, C]`: channel `c·r² + i·r + j` goes to row `i`, column `j` of
/// channel `c` among the `r×r` pixels that take the place of one.
///
/// # Panics
/// If the channels are no multiple of r².
#[track_caller]
pub fn pixel_shuffle(x: &Tensor, r: usize) -> Tensor {
    let op = "pixel_shuffle";
    let [b, h, w, c] = images(op, x);
    let divides = r > 0 && c.is_multiple_of(r * r);
    assert!(divides, "{op}: shape {:?} by {r}", x.shape());
    let c = c / (r * r);
    let shape = [b, h * r, w * r, c];
    run(
        "plain/pixel_shuffle",
        op,
        x,
        &shape,
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
    let op = "pixel_unshuffle";
    let [b, h, w, c] = reduced(op, x, r);
    let shape = [b, h, w, c * r * r];
    run(
        "plain/pixel_shuffle",
        op,
        x,
        &shape,
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
    let [b, h, w, c] = images("bilinear", x);
    assert!(s > 0, "bilinear: factor 0");
    let (shape, pixels) = ([b, h * s, w * s, c], b * h * s * w * s);
    run(
        "plain/bilinear",
        "bilinear",
        x,
        &shape,
        pixels,
        &[h, w, c, s],
    )
}

/// The gradient by [`bilinear`]'s input: `dy` `[B, H·s, W·s, C]` gives `[B, H, W, C]`.
///
/// # Panics
/// If height or width is no multiple of `s`.
#[track_caller]
pub fn bilinear_backward(dy: &Tensor, s: usize) -> Tensor {
    let op = "bilinear_backward";
    let [b, h, w, c] = reduced(op, dy, s);
    run(
        "plain/bilinear",
        op,
        dy,
        &[b, h, w, c],
        b * h * w * c,
        &[h, w, c, s],
    )
}

/// The shape before the enlargement by `s`.
#[track_caller]
fn reduced(op: &str, x: &Tensor, s: usize) -> [usize; 4] {
    let [b, h, w, c] = images(op, x);
    let divides = s > 0 && h.is_multiple_of(s) && w.is_multiple_of(s);
    assert!(divides, "{op}: shape {:?} by {s}", x.shape());
    [b, h / s, w / s, c]
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
