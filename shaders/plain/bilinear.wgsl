// Bilinear enlargement by a whole factor s, and its derivative. Output d lies at (d + ½)/s − ½
// of the input, not below 0 (align_corners = false), between its two nearest inputs; beyond the
// last, at it.
//
// Bindings: bilinear: x [B, H, W, C], output y [B, H·s, W·s, C];
//           bilinear_backward: dy [B, H·s, W·s, C], output dx [B, H, W, C].
// Constants: WG. Params: count, the invocations; h, w: before the enlargement; c; s.
// Grid: one invocation per pixel of y, or per element of dx.

import package::lib::index::{Grid, index};
import constants::WG;

struct Params { count: u32, h: u32, w: u32, c: u32, s: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

struct Between { low: u32, high: u32, high_share: f32 }

// Where output d lies between `n` inputs; in whole numbers of 1/(2s), so exact.
fn between(d: u32, n: u32) -> Between {
    let t = max(2u * d + 1u, p.s) - p.s;
    let low = t / (2u * p.s);
    return Between(low, min(low + 1u, n - 1u), f32(t % (2u * p.s)) / f32(2u * p.s));
}

// The share of input i, of n, in output d.
fn share(d: u32, i: u32, n: u32) -> f32 {
    let at = between(d, n);
    return select(0.0, 1.0 - at.high_share, at.low == i) + select(0.0, at.high_share, at.high == i);
}

@compute @workgroup_size(WG)
fn bilinear(grid: Grid) {
    let i = index(grid);
    if i >= p.count { return; }
    let u = between(i % (p.w * p.s), p.w);
    let line = i / (p.w * p.s); // b·H·s + row
    let v = between(line % (p.h * p.s), p.h);
    let image = line / (p.h * p.s) * p.h;
    let top = (image + v.low) * p.w;
    let bottom = (image + v.high) * p.w;
    for (var c = 0u; c < p.c; c++) {
        let above = mix(x[(top + u.low) * p.c + c], x[(top + u.high) * p.c + c], u.high_share);
        let below =
            mix(x[(bottom + u.low) * p.c + c], x[(bottom + u.high) * p.c + c], u.high_share);
        y[i * p.c + c] = mix(above, below, v.high_share);
    }
}

// Here x is dy, and y is dx. A gather too: an input sums over the outputs that took it.
@compute @workgroup_size(WG)
fn bilinear_backward(grid: Grid) {
    let i = index(grid);
    if i >= p.count { return; }
    let c = i % p.c;
    let u = i / p.c % p.w;
    let line = i / (p.c * p.w); // b·H + row
    let v = line % p.h;
    let image = line / p.h * p.h * p.s;
    // Outputs less than one input away; `share` is zero where this is one too many.
    let before = p.s / 2u;
    let after = p.s + (p.s + 1u) / 2u;
    let v_end = min(v * p.s + after, p.h * p.s);
    let u_end = min(u * p.s + after, p.w * p.s);
    var sum = 0.0;
    for (var dv = max(v * p.s, before) - before; dv < v_end; dv++) {
        var row_sum = 0.0;
        for (var du = max(u * p.s, before) - before; du < u_end; du++) {
            row_sum += share(du, u, p.w) * x[((image + dv) * p.w * p.s + du) * p.c + c];
        }
        sum += share(dv, v, p.h) * row_sum;
    }
    y[i] = sum;
}
