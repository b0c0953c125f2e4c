// Depthwise 5×5 convolution, stride 1, zero padding 2, what may follow it, and its derivatives.
// depthwise5x5:
//
//   h[b, v, u, c] = bias[c] + Σ_{ky, kx} x[b, v+ky−2, u+kx−2, c] · w[ky, kx, c],
//   y = h + residual   or, with GELU_ADD,   y = x + gelu(h) + residual
//
// Bindings: x [B, H, W, C], w [5, 5, C], bias [C], residual as y (not read unless BIAS, RESIDUAL),
// outputs y [B, H, W, C] and, only if KEEP, kept [B, H, W, C], which is h. x and y may be f16.
// Constants: WG; VEC (1); BIAS, GELU_ADD, RESIDUAL, KEEP (0 or 1).
// Params: count, the invocations; h, w, c; strip_h, strip_w of
// depthwise5x5_backward_w (elsewhere 0).
// Grid: one invocation per element of y.

import package::lib::index::{Grid, index};
import package::lib::erf::gelu_of;
import constants::{WG, BIAS, GELU_ADD, RESIDUAL, KEEP};

struct Params { count: u32, h: u32, w: u32, c: u32, strip_h: u32, strip_w: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<T0>; // in depthwise5x5_backward_x: dy
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<T4>;
@group(0) @binding(5) var<storage, read_write> kept: array<f32>;

// x[b, v, u, c], and zero outside of the image; what lies before the first row or column, too, has
// v or u beyond the end, as it is modulo 2³².
fn pixel(b: u32, v: u32, u: u32, c: u32) -> f32 {
    if v >= p.h || u >= p.w { return 0.0; }
    return f32(x[((b * p.h + v) * p.w + u) * p.c + c]);
}

@compute @workgroup_size(WG)
fn depthwise5x5(grid: Grid) {
    let at = index(grid); // b, v, u, c
    if at >= p.count { return; }
    let c = at % p.c;
    let u = at / p.c % p.w;
    let v = at / (p.c * p.w) % p.h;
    let b = at / (p.c * p.w * p.h);
    var sum = 0.0;
    if BIAS == 1u { sum = bias[c]; }
    for (var ky = 0u; ky < 5u; ky++) {
        for (var kx = 0u; kx < 5u; kx++) {
            sum += pixel(b, v + ky - 2u, u + kx - 2u, c) * w[(5u * ky + kx) * p.c + c];
        }
    }
    if KEEP == 1u { kept[at] = sum; }
    if GELU_ADD == 1u { sum = f32(x[at]) + gelu_of(sum); }
    if RESIDUAL == 1u { sum += residual[at]; }
    y[at] = T4(sum);
}

// depthwise5x5_backward_x:
//
//   dx[b, v, u, c] = Σ_{ky, kx} dy[b, v−ky+2, u−kx+2, c] · w[ky, kx, c] + residual[b, v, u, c]
//
// Bindings: dy [B, H, W, C], w, residual as dx (not read unless RESIDUAL), output dx [B, H, W, C];
// dy and dx may be f16. Grid: one invocation per element of dx.

@group(0) @binding(2) var<storage, read> residual_x: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<T3>;

@compute @workgroup_size(WG)
fn depthwise5x5_backward_x(grid: Grid) {
    let at = index(grid); // b, v, u, c
    if at >= p.count { return; }
    let c = at % p.c;
    let u = at / p.c % p.w;
    let v = at / (p.c * p.w) % p.h;
    let b = at / (p.c * p.w * p.h);
    var sum = 0.0;
    for (var ky = 0u; ky < 5u; ky++) {
        for (var kx = 0u; kx < 5u; kx++) {
            sum += pixel(b, v + 2u - ky, u + 2u - kx, c) * w[(5u * ky + kx) * p.c + c];
        }
    }
    if RESIDUAL == 1u { sum += residual_x[at]; }
    dx[at] = T3(sum);
}

// depthwise5x5_backward_w, summed over the pixels (v, u) of each strip; sum_rows
// adds up the strips:
//
//   partial_w[strip, ky, kx, c] = Σ_{(v, u)} x[b, v+ky−2, u+kx−2, c] · dy[b, v, u, c],
//   partial_b[strip, c] = Σ_{(v, u)} dy[b, v, u, c]
//
// A strip is strip_h × strip_w pixels of an image, fewer at its end;
// B·⌈H/strip_h⌉·⌈W/strip_w⌉ of them.
// Bindings: x, dy, outputs partial_w [strips, 5, 5, C], partial_b [strips, C]; all f32.
// Grid: one invocation per element of partial_w.

@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> partial_w: array<f32>;
@group(0) @binding(3) var<storage, read_write> partial_b: array<f32>;

@compute @workgroup_size(WG)
fn depthwise5x5_backward_w(grid: Grid) {
    let at = index(grid); // strip, ky, kx, c
    if at >= p.count { return; }
    let c = at % p.c;
    let tap = at / p.c % 25u;
    let strip = at / (p.c * 25u);
    let across = (p.w + p.strip_w - 1u) / p.strip_w;
    let down = (p.h + p.strip_h - 1u) / p.strip_h;
    let u0 = strip % across * p.strip_w;
    let v0 = strip / across % down * p.strip_h;
    let b = strip / (across * down);
    var sum_w = 0.0;
    var sum_b = 0.0;
    for (var v = v0; v < min(v0 + p.strip_h, p.h); v++) {
        for (var u = u0; u < min(u0 + p.strip_w, p.w); u++) {
            let g = dy[((b * p.h + v) * p.w + u) * p.c + c];
            sum_w += pixel(b, v + tap / 5u - 2u, u + tap % 5u - 2u, c) * g;
            sum_b += g;
        }
    }
    partial_w[at] = sum_w;
    if tap == 0u { partial_b[strip * p.c + c] = sum_b; }
}
