//! Depthwise 5×5 convolution: one filter per channel, stride 1, zero padding 2.

use super::check::{self, images};
use super::reduce::RowSum;
use crate::Tensor;
use crate::kernel::launch::Launch;
use crate::kernel::tiles;

const PLAIN: &str = "plain/depthwise5x5";

/// `y[b, v, u, c] = bias[c] + Σ x[b, v+ky−2, u+kx−2, c]·w[ky, kx, c]`, zero outside the image.
/// `x`: `[B, H, W, C]`, `w`: `[5, 5, C]`, `bias`: `[C]`; gives `[B, H, W, C]`.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn depthwise5x5(x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Tensor {
    run("depthwise5x5", x, w, bias, After::Nothing)
}

/// `x + gelu(depthwise5x5(x, w, bias))` in one pass over memory.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn depthwise5x5_gelu_add(x: &Tensor, w: &Tensor, bias: &Tensor) -> Tensor {
    let op = "depthwise5x5_gelu_add";
    run(op, x, w, Some(bias), After::GeluAdd(None))
}

/// [`depthwise5x5_gelu_add`], and with it `depthwise5x5(x, w, bias)`, which its gradient needs.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn depthwise5x5_gelu_add_keeping(x: &Tensor, w: &Tensor, bias: &Tensor) -> (Tensor, Tensor) {
    let op = "depthwise5x5_gelu_add_keeping";
    let h = Tensor::uninit(x.device(), x.shape());
    (run(op, x, w, Some(bias), After::GeluAdd(Some(&h))), h)
}

/// The gradient by `x`, plus `residual`: `dy` `[B, H, W, C]` and `w` `[5, 5, C]` give
/// `[B, H, W, C]`: the convolution of `dy` with the mirrored weights.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn depthwise5x5_backward_x(dy: &Tensor, w: &Tensor, residual: Option<&Tensor>) -> Tensor {
    let op = "depthwise5x5_backward_x";
    run(op, dy, w, None, After::Mirrored(residual))
}

/// What becomes of a convolution.
enum After<'a> {
    Nothing,
    /// x + gelu(y) instead of y; y itself goes there.
    GeluAdd(Option<&'a Tensor>),
    /// With mirrored weights, and this added.
    Mirrored(Option<&'a Tensor>),
}

#[track_caller]
fn run(op: &str, x: &Tensor, w: &Tensor, bias: Option<&Tensor>, after: After) -> Tensor {
    let [b, height, width, c] = images(op, x);
    check::shape(op, "weights", w, &[5, 5, c]);
    check::shape(op, "bias", bias, &[c]);
    let y = Tensor::like(x, x.shape());
    let [mirror, gelu_add] = [
        matches!(after, After::Mirrored(_)),
        matches!(after, After::GeluAdd(_)),
    ];
    let (residual, kept) = match after {
        After::Nothing => (None, None),
        After::GeluAdd(kept) => (None, kept),
        After::Mirrored(residual) => (residual, None),
    };
    check::shape(op, "residual", residual, x.shape());
    let kernel = |file| {
        Launch::new(file, "depthwise5x5")
            .input(x)
            .input(w)
            .optional("BIAS", bias)
            .optional("RESIDUAL", residual)
            .output(&y)
            .optional_output("KEEP", kept)
            .constant("MIRROR", usize::from(mirror))
            .constant("GELU_ADD", usize::from(gelu_add))
    };
    let plain = match mirror {
        false => kernel(PLAIN),
        true => Launch::new(PLAIN, "depthwise5x5_backward_x")
            .input(x)
            .input(w)
            .optional("RESIDUAL", residual)
            .output(&y),
    };
    let plain = plain
        .constant("VEC", 1)
        .params(&[y.len(), height, width, c, 0, 0])
        .each(y.len());
    let Some(strip) = tiles::depthwise5x5(x.device().target(), c) else {
        plain.run();
        return y;
    };
    let vecs = c / strip.vec;
    let count = strip.count(b, height, width) * vecs;
    kernel("tuned/depthwise5x5")
        .constants(&strip.constants)
        .params(&[count, height, width, vecs])
        .invocations(count, strip.wg)
        .or(plain)
        .run();
    y
}

/// The gradients by `w` and by the bias: `x` and `dy`, both `[B, H, W, C]`, give `[5, 5, C]` and
/// `[C]`. Summed over strips of the image first, then over the strips, in a fixed order.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn depthwise5x5_backward_w(x: &Tensor, dy: &Tensor) -> [RowSum; 2] {
    let op = "depthwise5x5_backward_w";
    let [b, h, w, c] = images(op, x);
    check::shape(op, "dy", dy, x.shape());
    let tile = tiles::depthwise5x5(x.device().target(), c);
    let [rows, cols] = tile.as_ref().map_or([8, 8], |t| [t.rows, t.cols]);
    let strips = b * h.div_ceil(rows) * w.div_ceil(cols);
    let dw = Tensor::uninit(x.device(), &[strips, 25 * c]);
    let db = Tensor::uninit(x.device(), &[strips, c]);
    let kernel = |file| {
        let launch = Launch::new(file, op).input(x).input(dy);
        launch.output(&dw).output(&db)
    };
    let plain = kernel(PLAIN)
        .constant("VEC", 1)
        .params(&[dw.len(), h, w, c, rows, cols])
        .each(dw.len());
    match tile {
        Some(strip) => {
            let (vecs, count) = (c / strip.vec, strips * (c / strip.vec));
            kernel("tuned/depthwise5x5_backward_w")
                .constants(&strip.constants)
                .params(&[count, h, w, vecs])
                .invocations(count, strip.wg)
                .or(plain)
                .run()
        }
        None => plain.run(),
    };
    [RowSum::new(dw, &[5, 5, c]), RowSum::new(db, &[c])]
}
