// Bilinear enlargement by a whole factor s, and its derivative. Output d lies at (d + ½)/s − ½ of the
// input, not below 0 (align_corners = false), between its two nearest inputs; beyond the last, at it.
//
// Bindings: bilinear: x [B, H, W, C], output y [B, H·s, W·s, C];
//           bilinear_backward: dy [B, H·s, W·s, C], output dx [B, H, W, C].
// Grid: one invocation per pixel of y, or per element of dx, folded into two dimensions.
// Backward is a gather too: an input sums over the outputs that took it, no atomics.

struct Params { count: u32, h: u32, w: u32, c: u32, s: u32 } // h, w: before the enlargement
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

struct Place { low: u32, high: u32, high_share: f32 }

// Where output d lies between `n` inputs; in whole numbers of 1/(2s), so exact.
fn place(d: u32, n: u32) -> Place {
    let t = max(2u * d + 1u, p.s) - p.s;
    let low = t / (2u * p.s);
    return Place(low, min(low + 1u, n - 1u), f32(t % (2u * p.s)) / f32(2u * p.s));
}

// The share of input i, of n, in output d.
fn share(d: u32, i: u32, n: u32) -> f32 {
    let at = place(d, n);
    return select(0.0, 1.0 - at.high_share, at.low == i) + select(0.0, at.high_share, at.high == i);
}

@compute @workgroup_size(WG)
fn bilinear(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) local: u32) {
    let i = (id.y * groups.x + id.x) * WG + local;
    if i >= p.count { return; }
    let u = place(i % (p.w * p.s), p.w);
    let line = i / (p.w * p.s); // b·H·s + row
    let v = place(line % (p.h * p.s), p.h);
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

// x = dy, y = dx.
@compute @workgroup_size(WG)
fn bilinear_backward(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
                     @builtin(local_invocation_index) local: u32) {
    let i = (id.y * groups.x + id.x) * WG + local;
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
