// Dense 3×3 convolution, stride 1, zero padding 1:
//   y[b, v, u, o] = bias[o] + Σ_{ky, kx, i} x[b, v+ky−1, u+kx−1, i] · w[ky, kx, i, o].
//
// Bindings: x [B, H, W, Ci], w [3, 3, Ci, Co] or its mirror by strides, bias [Co] (not read unless
// has_bias), output y [B, H, W, Co].
// Grid: one invocation per tile of ROWS × COLS pixels × OUTS output channels, folded into two
// dimensions; the tiles of one pixel follow each other, so that neighbours read the same inputs.
// Constants: WG, ROWS, COLS, OUTS.
//
// The weights are addressed by strides, so the same kernel gives the input's gradient: taps
// mirrored, channels exchanged. Per input channel a tile loads (ROWS+2)(COLS+2) inputs and 9·OUTS
// weights for 9·ROWS·COLS·OUTS multiply-adds: loads are what costs, so the tile lives in registers.

struct Params {
    count: u32, // of tiles
    h: u32, w: u32, ci: u32, co: u32,
    w_base: u32, w_tap: u32, w_in: u32, w_out: u32, // w_tap may be negative, modulo 2³²
    has_bias: u32,
}
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn conv3x3(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_index) local: u32) {
    let tile = (id.y * groups.x + id.x) * WG + local;
    if tile >= p.count { return; }
    let out_tiles = (p.co + OUTS - 1u) / OUTS;
    let col_tiles = (p.w + COLS - 1u) / COLS;
    let row_tiles = (p.h + ROWS - 1u) / ROWS;
    let o0 = tile % out_tiles * OUTS;
    let u0 = tile / out_tiles % col_tiles * COLS;
    let band = tile / (out_tiles * col_tiles); // b·row_tiles + row tile
    let v0 = band % row_tiles * ROWS;
    let image = band / row_tiles * p.h * p.w;

    // Where the inputs lie; those outside of the image read some pixel inside and count as zero.
    var row: array<u32, ROWS + 2u>;
    var col: array<u32, COLS + 2u>;
    var row_inside: array<bool, ROWS + 2u>;
    var col_inside: array<bool, COLS + 2u>;
    for (var r = 0u; r < ROWS + 2u; r++) {
        let v = v0 + r; // one more than the row
        row_inside[r] = v >= 1u && v <= p.h;
        row[r] = (image + (clamp(v, 1u, p.h) - 1u) * p.w) * p.ci;
    }
    for (var q = 0u; q < COLS + 2u; q++) {
        let u = u0 + q;
        col_inside[q] = u >= 1u && u <= p.w;
        col[q] = (clamp(u, 1u, p.w) - 1u) * p.ci;
    }
    var out: array<u32, OUTS>;
    for (var o = 0u; o < OUTS; o++) { out[o] = p.w_base + min(o0 + o, p.co - 1u) * p.w_out; }

    var acc: array<array<array<f32, COLS>, ROWS>, OUTS>;
    for (var i = 0u; i < p.ci; i++) {
        var a: array<array<f32, COLS + 2u>, ROWS + 2u>;
        for (var r = 0u; r < ROWS + 2u; r++) {
            for (var q = 0u; q < COLS + 2u; q++) {
                a[r][q] = select(0.0, x[row[r] + col[q] + i], row_inside[r] && col_inside[q]);
            }
        }
        for (var o = 0u; o < OUTS; o++) {
            var k: array<f32, 9>;
            for (var t = 0u; t < 9u; t++) { k[t] = weight[out[o] + t * p.w_tap + i * p.w_in]; }
            // The nine taps of one output after each other, in a register; their sum is added
            // as one, which leaves a ninth of the rounding errors.
            for (var r = 0u; r < ROWS; r++) {
                for (var q = 0u; q < COLS; q++) {
                    var sum = 0.0;
                    for (var ky = 0u; ky < 3u; ky++) {
                        for (var kx = 0u; kx < 3u; kx++) {
                            sum = fma(a[r + ky][q + kx], k[3u * ky + kx], sum);
                        }
                    }
                    acc[o][r][q] += sum;
                }
            }
        }
    }

    for (var o = 0u; o < OUTS; o++) {
        if o0 + o >= p.co { continue; }
        var b = 0.0;
        if p.has_bias != 0u { b = bias[o0 + o]; }
        for (var r = 0u; r < ROWS; r++) {
            for (var q = 0u; q < COLS; q++) {
                if v0 + r < p.h && u0 + q < p.w {
                    y[(image + (v0 + r) * p.w + u0 + q) * p.co + o0 + o] = acc[o][r][q] + b;
                }
            }
        }
    }
}
