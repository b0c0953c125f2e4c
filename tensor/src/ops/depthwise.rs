//! Depthwise 5×5 convolution: one filter per channel, stride 1, zero padding 2.

use super::reduce::RowSum;
use crate::pipeline::Kernel;
use crate::record::grid;
use crate::{Device, Tensor};

const SOURCE: &str = concat!(
    include_str!("../../../shaders/erf.wgsl"),
    include_str!("../../../shaders/depthwise.wgsl")
);
const WEIGHT_GRAD: &str = include_str!("../../../shaders/depthwise_weight_grad.wgsl");

/// `y[b, v, u, c] = bias[c] + Σ x[b, v+ky−2, u+kx−2, c]·w[ky, kx, c]`, zero outside the image.
/// `x`: `[B, H, W, C]`, `w`: `[5, 5, C]`, `bias`: `[C]`; gives `[B, H, W, C]`.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn depthwise5x5(x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Tensor {
    if let Some(bias) = bias {
        assert_eq!(
            bias.shape(),
            [x.channels()],
            "depthwise5x5: bias for x {:?}",
            x.shape()
        );
    }
    run(x, w, bias, After::Nothing)
}

/// `x + gelu(depthwise5x5(x, w, bias))` in one pass over memory.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn depthwise5x5_gelu_add(x: &Tensor, w: &Tensor, bias: &Tensor) -> Tensor {
    assert_eq!(
        bias.shape(),
        [x.channels()],
        "depthwise5x5_gelu_add: bias for x {:?}",
        x.shape()
    );
    run(x, w, Some(bias), After::GeluAdd(None))
}

/// [`depthwise5x5_gelu_add`], and with it `depthwise5x5(x, w, bias)`, which its gradient needs.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn depthwise5x5_gelu_add_keeping(x: &Tensor, w: &Tensor, bias: &Tensor) -> (Tensor, Tensor) {
    assert_eq!(
        bias.shape(),
        [x.channels()],
        "depthwise5x5_gelu_add_keeping: bias for x {:?}",
        x.shape()
    );
    let h = Tensor::uninit(x.device(), x.shape());
    (run(x, w, Some(bias), After::GeluAdd(Some(&h))), h)
}

/// The gradient by `x`, plus `residual`: `dy` `[B, H, W, C]` and `w` `[5, 5, C]` give
/// `[B, H, W, C]`: the convolution of `dy` with the mirrored weights.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn depthwise5x5_input_grad(dy: &Tensor, w: &Tensor, residual: Option<&Tensor>) -> Tensor {
    if let Some(residual) = residual {
        assert_eq!(
            residual.shape(),
            dy.shape(),
            "depthwise5x5_input_grad: residual for dy {:?}",
            dy.shape()
        );
    }
    run(dy, w, None, After::Mirrored(residual))
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
fn run(x: &Tensor, w: &Tensor, bias: Option<&Tensor>, after: After) -> Tensor {
    let &[b, height, width, c] = x.shape() else {
        panic!("depthwise5x5: image of shape {:?}", x.shape())
    };
    assert_eq!(
        w.shape(),
        [5, 5, c],
        "depthwise5x5: weights for image {:?}",
        x.shape()
    );
    let y = Tensor::like(x, x.shape());
    let (residual, kept) = match after {
        After::Nothing => (None, None),
        After::GeluAdd(kept) => (None, kept),
        After::Mirrored(residual) => (residual, None),
    };
    let strip = strip(x.device(), c);
    let values = c / strip.channels;
    let count = b * height.div_ceil(strip.rows) * width.div_ceil(strip.cols) * values;
    let params = [count, height, width, values].map(|n| n as u32);
    let constants = [
        ("WG", strip.wg as u32),
        ("ROWS", strip.rows as u32),
        ("COLS", strip.cols as u32),
        ("VEC", strip.channels as u32),
        ("BIAS", bias.is_some() as u32),
        ("MIRROR", matches!(after, After::Mirrored(_)) as u32),
        ("GELU_ADD", matches!(after, After::GeluAdd(_)) as u32),
        ("RESIDUAL", residual.is_some() as u32),
        ("KEEP", kept.is_some() as u32),
    ];
    let kernel = Kernel {
        source: SOURCE,
        entry: "depthwise5x5",
        constants: &constants,
    };
    // What is absent is compiled out; any buffer stands in for it, for an output one of its own.
    let kept = kept.map_or_else(|| Tensor::uninit(x.device(), &[4]), Tensor::clone);
    let inputs = [x, w, bias.unwrap_or(w), residual.unwrap_or(w)].map(Tensor::buffer);
    let outputs = [y.buffer(), kept.buffer()];
    let groups = grid(count.div_ceil(strip.wg));
    x.device()
        .dispatch(&kernel, &inputs, &outputs, &params, groups);
    y
}

/// The gradients by `w` and by the bias: `x` and `dy`, both `[B, H, W, C]`, give `[5, 5, C]` and
/// `[C]`. Summed over strips of the image first, then over the strips, in a fixed order.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn depthwise5x5_weight_grad(x: &Tensor, dy: &Tensor) -> (Tensor, Tensor) {
    let [dw, db] = depthwise5x5_weight_sums(x, dy);
    (dw.total(), db.total())
}

/// [`depthwise5x5_weight_grad`] but for its last step.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn depthwise5x5_weight_sums(x: &Tensor, dy: &Tensor) -> [RowSum; 2] {
    let &[b, height, width, c] = x.shape() else {
        panic!("depthwise5x5_weight_grad: x of shape {:?}", x.shape())
    };
    assert_eq!(
        x.shape(),
        dy.shape(),
        "depthwise5x5_weight_grad: x and dy differ"
    );
    let strip = strip(x.device(), c);
    let strips = b * height.div_ceil(strip.rows) * width.div_ceil(strip.cols);
    let values = c / strip.channels;
    let partial_w = Tensor::uninit(x.device(), &[strips, 25 * c]);
    let partial_b = Tensor::uninit(x.device(), &[strips, c]);
    let params = [strips * values, height, width, values].map(|n| n as u32);
    let constants = [
        ("WG", strip.wg as u32),
        ("ROWS", strip.rows as u32),
        ("COLS", strip.cols as u32),
        ("VEC", strip.channels as u32),
    ];
    let kernel = Kernel {
        source: WEIGHT_GRAD,
        entry: "depthwise5x5_weight_grad",
        constants: &constants,
    };
    let (inputs, outputs) = (
        [x.buffer(), dy.buffer()],
        [partial_w.buffer(), partial_b.buffer()],
    );
    let groups = grid((strips * values).div_ceil(strip.wg));
    x.device()
        .dispatch(&kernel, &inputs, &outputs, &params, groups);
    [
        RowSum::new(partial_w, &[5, 5, c]),
        RowSum::new(partial_b, &[c]),
    ]
}

/// An invocation's strip of pixels and its channels, and the invocations of a workgroup.
struct Strip {
    rows: usize,
    cols: usize,
    channels: usize,
    wg: usize,
}

/// Measured on a software driver: four channels at a time take half of the time, in strips of 4 or 8
/// columns alike; with 16 columns the weight gradient's registers no longer fit.
fn strip(device: &Device, c: usize) -> Strip {
    let wg = 8.max(device.lanes());
    let [rows, cols, channels, wg] = match (device.is_software(), c.is_multiple_of(4)) {
        (true, true) => [64, 4, 4, wg],
        (true, false) => [64, 16, 1, wg],
        (false, _) => [16, 4, 1, 64],
    };
    Strip {
        rows,
        cols,
        channels,
        wg,
    }
}
