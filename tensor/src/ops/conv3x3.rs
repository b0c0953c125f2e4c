//! Dense 3×3 convolution: stride 1, zero padding 1.

use super::reduce::RowSum;
use crate::pipeline::Kernel;
use crate::record::grid;
use crate::{Device, Tensor};

const SOURCE: &str = include_str!("../../../shaders/conv3x3.wgsl");
const WEIGHT_GRAD: &str = include_str!("../../../shaders/conv3x3_weight_grad.wgsl");

/// `y[b, v, u, o] = bias[o] + Σ x[b, v+ky−1, u+kx−1, i]·w[ky, kx, i, o] + residual[b, v, u, o]`,
/// zero outside the image.
///
/// `x`: `[B, H, W, Ci]`, `w`: `[3, 3, Ci, Co]`, `bias`: `[Co]`, `residual`: as the result,
/// `[B, H, W, Co]`.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn conv3x3(x: &Tensor, w: &Tensor, bias: Option<&Tensor>, residual: Option<&Tensor>) -> Tensor {
    let after = After {
        residual,
        slope: None,
        r: 1,
    };
    forward(x, w, bias, after)
}

/// The convolution, then LeakyReLU, then [`pixel_shuffle`](super::pixel_shuffle), in one pass over
/// memory.
///
/// `x`: `[B, H, W, Ci]`, `w`: `[3, 3, Ci, C·r²]`, `bias`: `[C·r²]`; gives `[B, H·r, W·r, C]`.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn conv3x3_leaky_relu_shuffle(
    x: &Tensor,
    w: &Tensor,
    bias: &Tensor,
    slope: f32,
    r: usize,
) -> Tensor {
    assert!(
        r > 0 && w.channels().is_multiple_of(r * r),
        "conv3x3_leaky_relu_shuffle: weights {:?} by r = {r}",
        w.shape()
    );
    let after = After {
        residual: None,
        slope: Some(slope),
        r,
    };
    forward(x, w, Some(bias), after)
}

/// The gradient by `x`, plus `residual`: `dy` `[B, H, W, Co]` and `w` `[3, 3, Ci, Co]` give
/// `[B, H, W, Ci]`. It is the convolution of `dy` with the weights' taps mirrored and channels
/// exchanged.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn conv3x3_input_grad(dy: &Tensor, w: &Tensor, residual: Option<&Tensor>) -> Tensor {
    let (&[_, _, _, co], &[3, 3, ci, _]) = (dy.shape(), w.shape()) else {
        panic!("conv3x3_input_grad: dy {:?}, w {:?}", dy.shape(), w.shape())
    };
    assert_eq!(
        w.channels(),
        co,
        "conv3x3_input_grad: dy {:?}, w {:?}",
        dy.shape(),
        w.shape()
    );
    let after = After {
        residual,
        slope: None,
        r: 1,
    };
    let strides = [8 * ci * co, (ci * co).wrapping_neg(), 1, co];
    run(dy, w, None, ci, strides, after)
}

/// What follows a convolution before its result is stored.
struct After<'a> {
    residual: Option<&'a Tensor>, // added last
    slope: Option<f32>,           // of LeakyReLU
    r: usize,                     // of the pixel shuffle
}

#[track_caller]
fn forward(x: &Tensor, w: &Tensor, bias: Option<&Tensor>, after: After) -> Tensor {
    let &[_, _, _, ci] = x.shape() else {
        panic!("conv3x3: x of shape {:?}", x.shape())
    };
    let co = w.channels();
    assert_eq!(
        w.shape(),
        [3, 3, ci, co],
        "conv3x3: weights for x {:?}",
        x.shape()
    );
    if let Some(bias) = bias {
        assert_eq!(
            bias.shape(),
            [co],
            "conv3x3: bias for weights {:?}",
            w.shape()
        );
    }
    run(x, w, bias, co, [0, ci * co, co, 1], after)
}

/// `strides`: of the weights, where tap 0 starts, then by tap, input channel, output channel.
#[track_caller]
fn run(
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    co: usize,
    strides: [usize; 4],
    after: After,
) -> Tensor {
    let &[b, height, width, ci] = x.shape() else {
        unreachable!("checked by the callers")
    };
    let r = after.r;
    let shape = [b, height * r, width * r, co / (r * r)];
    let y = Tensor::like(after.residual.unwrap_or(x), &shape);
    if let Some(residual) = after.residual {
        assert_eq!(
            residual.shape(),
            y.shape(),
            "conv3x3: residual for x {:?}",
            x.shape()
        );
    }
    let Tile {
        rows,
        cols,
        outs,
        lanes,
        wg,
    } = tile(x.device(), co);
    let teams = b * height.div_ceil(rows) * width.div_ceil(cols) * co.div_ceil(outs * lanes);
    let [base, by_tap, by_in, by_out] = strides;
    let params = [teams, height, width, ci, co, base, by_tap, by_in, by_out];
    let mut params = params.map(|n| n as u32).to_vec();
    params.push(after.slope.unwrap_or(0.0).to_bits());
    let constants = [
        ("WG", wg as u32),
        ("LANES", lanes as u32),
        ("ROWS", rows as u32),
        ("COLS", cols as u32),
        ("OUTS", outs as u32),
        ("R", r as u32),
        ("BIAS", bias.is_some() as u32),
        ("LEAKY", after.slope.is_some() as u32),
        ("RESIDUAL", after.residual.is_some() as u32),
    ];
    let kernel = Kernel {
        source: SOURCE,
        entry: "conv3x3",
        constants: &constants,
    };
    // An absent bias or residual is compiled out; any buffer stands in for it.
    let (bias, residual) = (bias.unwrap_or(w), after.residual.unwrap_or(x));
    let inputs = [x.buffer(), w.buffer(), bias.buffer(), residual.buffer()];
    let groups = grid((teams * lanes).div_ceil(wg));
    x.device()
        .dispatch(&kernel, &inputs, &[y.buffer()], &params, groups);
    y
}

/// The pixels and output channels of a lane's tile, the lanes that share its inputs (their channels
/// are `lanes` apart) and the invocations of a workgroup.
struct Tile {
    rows: usize,
    cols: usize,
    outs: usize,
    lanes: usize,
    wg: usize,
}

/// A software driver pays for loads: there the tile is as large as fits an instruction cache, and 40
/// output channels, of which the network's are multiples, make a team, or 16 where there are 16 lanes.
fn tile(device: &Device, co: usize) -> Tile {
    let lanes = device.lanes();
    let [rows, cols, outs, lanes, wg] = match (device.is_software(), co) {
        (true, ..=4) => [8, 4, 3, 1, 8],
        (true, _) if lanes >= 16 => [8, 16, 1, lanes, lanes],
        (true, _) if lanes > 1 => [8, 16, 40usize.div_ceil(lanes), lanes, lanes],
        (true, _) => [8, 8, 8, 1, 8],
        (false, ..=4) => [2, 4, 3, 1, 64],
        (false, _) => [2, 4, 8, 1, 64],
    };
    Tile {
        rows,
        cols,
        outs,
        lanes,
        wg,
    }
}

/// The gradients by `w` and by the bias: `x` `[B, H, W, Ci]` and `dy` `[B, H, W, Co]` give
/// `[3, 3, Ci, Co]` and `[Co]`. Summed over chunks of image rows first, then over the chunks, in a
/// fixed order.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn conv3x3_weight_grad(x: &Tensor, dy: &Tensor) -> (Tensor, Tensor) {
    let [dw, db] = conv3x3_weight_sums(x, dy);
    (dw.total(), db.total())
}

/// [`conv3x3_weight_grad`] but for its last step.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn conv3x3_weight_sums(x: &Tensor, dy: &Tensor) -> [RowSum; 2] {
    let (&[b, height, width, ci], &[.., co]) = (x.shape(), dy.shape()) else {
        panic!(
            "conv3x3_weight_grad: x {:?}, dy {:?}",
            x.shape(),
            dy.shape()
        )
    };
    assert_eq!(
        dy.shape(),
        [b, height, width, co],
        "conv3x3_weight_grad: dy for x {:?}",
        x.shape()
    );
    let [ins, outs, step, lanes, wg] = weight_grad_tile(x.device(), ci, co);
    let rows = b * height;
    let chunk_rows = chunk_rows(rows, 9 * ci * co);
    let chunks = rows.div_ceil(chunk_rows);
    let partial_w = Tensor::uninit(x.device(), &[chunks, 9 * ci * co]);
    let partial_b = Tensor::uninit(x.device(), &[chunks, co]);
    let teams = chunks * 3 * ci.div_ceil(ins * lanes) * co.div_ceil(outs * lanes);
    let params = [teams, rows, chunk_rows, height, width, ci, co].map(|n| n as u32);
    let constants = [
        ("WG", wg as u32),
        ("LANES", lanes as u32),
        ("INS", ins as u32),
        ("OUTS", outs as u32),
        ("STEP", step as u32),
    ];
    let kernel = Kernel {
        source: WEIGHT_GRAD,
        entry: "conv3x3_weight_grad",
        constants: &constants,
    };
    let (inputs, outputs) = (
        [x.buffer(), dy.buffer()],
        [partial_w.buffer(), partial_b.buffer()],
    );
    let groups = grid((teams * lanes).div_ceil(wg));
    x.device()
        .dispatch(&kernel, &inputs, &outputs, &params, groups);
    [
        RowSum::new(partial_w, &[3, 3, ci, co]),
        RowSum::new(partial_b, &[co]),
    ]
}

/// Input and output channels that a lane loads, pixels per step, the lanes of a team and the
/// invocations of a workgroup.
fn weight_grad_tile(device: &Device, ci: usize, co: usize) -> [usize; 5] {
    let lanes = device.lanes();
    if device.is_software() && lanes > 1 && ci.min(co) > 4 {
        let each = 40usize.div_ceil(lanes);
        return match lanes {
            16.. => [1, each, 4, lanes, lanes],
            // Sums share a step's loads; its pixels share what a round costs every sum, a mask. The
            // code of a step has room for more of one: of sums where loads are dear.
            _ if device.window().is_some() => [each, each, 1, lanes, lanes],
            _ => [each, each.min(3), 4, lanes, lanes],
        };
    }
    let [wide, step, wg] = if device.is_software() {
        [10, 2, 8]
    } else {
        [4, 4, 64]
    };
    let channels = |n: usize| if n <= 4 { 3 } else { wide };
    [channels(ci), channels(co), step, 1, wg]
}

/// Rows per chunk: few enough for many invocations and a small error, unless the partial sums,
/// `len` for each chunk, would take more than 16 MiB.
fn chunk_rows(rows: usize, len: usize) -> usize {
    let most_chunks = ((4 << 20) / len).max(1);
    rows.div_ceil(most_chunks).max(8)
}
