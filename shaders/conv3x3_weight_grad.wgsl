// The weight gradient of a 3×3 convolution, as one partial sum per chunk of image rows:
//   partial[chunk, ky, kx, i, o] = Σ_{(b, v) in chunk} Σ_u x[b, v+ky−1, u+kx−1, i] · dy[b, v, u, o].
//
// Bindings: x [B, H, W, Ci], dy [B, H, W, Co], output partial [chunks, 3, 3, Ci, Co].
// Grid: one invocation per chunk, ky and tile of INS × OUTS channels, folded into two dimensions.
// Constants: WG, INS, OUTS, STEP.
//
// An invocation walks along its rows, STEP pixels at a time, with its 3·INS·OUTS sums in registers:
// each pixel costs INS + OUTS loads, since the two columns that neighbouring steps share stay.

struct Params { count: u32, rows: u32, chunk_rows: u32, h: u32, w: u32, ci: u32, co: u32 }
var<immediate> p: Params; // rows = B·H

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> partial: array<f32>;

@compute @workgroup_size(WG)
fn conv3x3_weight_grad(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
                       @builtin(local_invocation_index) local: u32) {
    let tile = (id.y * groups.x + id.x) * WG + local;
    if tile >= p.count { return; }
    let out_tiles = (p.co + OUTS - 1u) / OUTS;
    let in_tiles = (p.ci + INS - 1u) / INS;
    let o0 = tile % out_tiles * OUTS;
    let i0 = tile / out_tiles % in_tiles * INS;
    let ky = tile / (out_tiles * in_tiles) % 3u;
    let chunk = tile / (3u * out_tiles * in_tiles);

    var acc: array<array<array<f32, 3>, OUTS>, INS>; // [i][o][kx]
    let last = min((chunk + 1u) * p.chunk_rows, p.rows);
    for (var row = chunk * p.chunk_rows; row < last; row++) {
        let v = row % p.h + ky; // one more than the input's row
        if v < 1u || v > p.h { continue; }
        let x_row = (row + ky - 1u) * p.w;
        var a: array<array<f32, STEP + 2u>, INS>; // columns u−1 … u+STEP of the input
        for (var i = 0u; i < INS; i++) {
            a[i][0] = 0.0;
            a[i][1] = x[x_row * p.ci + min(i0 + i, p.ci - 1u)];
        }
        for (var u = 0u; u < p.w; u += STEP) {
            for (var s = 0u; s < STEP; s++) {
                let next = u + s + 1u;
                let at = (x_row + min(next, p.w - 1u)) * p.ci;
                for (var i = 0u; i < INS; i++) {
                    a[i][s + 2u] = select(0.0, x[at + min(i0 + i, p.ci - 1u)], next < p.w);
                }
            }
            for (var o = 0u; o < OUTS; o++) {
                var g: array<f32, STEP>;
                for (var s = 0u; s < STEP; s++) {
                    let at = (row * p.w + min(u + s, p.w - 1u)) * p.co;
                    g[s] = select(0.0, dy[at + min(o0 + o, p.co - 1u)], u + s < p.w);
                }
                for (var i = 0u; i < INS; i++) {
                    for (var kx = 0u; kx < 3u; kx++) {
                        var sum = acc[i][o][kx];
                        for (var s = 0u; s < STEP; s++) { sum = fma(a[i][s + kx], g[s], sum); }
                        acc[i][o][kx] = sum;
                    }
                }
            }
            for (var i = 0u; i < INS; i++) {
                a[i][0] = a[i][STEP];
                a[i][1] = a[i][STEP + 1u];
            }
        }
    }

    for (var i = 0u; i < INS; i++) {
        for (var o = 0u; o < OUTS; o++) {
            if i0 + i >= p.ci || o0 + o >= p.co { continue; }
            for (var kx = 0u; kx < 3u; kx++) {
                let tap = (chunk * 3u + ky) * 3u + kx;
                partial[(tap * p.ci + i0 + i) * p.co + o0 + o] = acc[i][o][kx];
            }
        }
    }
}
