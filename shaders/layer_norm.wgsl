// y = (x − mean) / √(variance + eps) · w + b over the channels of every row (Ba et al. 2016).
//
// Bindings: x [rows, C], w [C], b [C], outputs y [rows, C], stats [rows, 2] = (mean, 1/√…); f32.
// Constants: C channels; R rows per invocation.
// Grid: one invocation per R rows, WG apart, folded into two dimensions.
//
// A row (40 numbers) stays in registers, so mean and variance are exact two-pass sums. Several rows
// share the loads of w and b.

struct Params { rows: u32, eps: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> stats: array<f32>;

@compute @workgroup_size(WG)
fn layer_norm(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
              @builtin(local_invocation_index) local: u32) {
    let first = (id.y * groups.x + id.x) * (WG * R) + local;
    if first >= p.rows { return; }
    // Rows beyond the end repeat the last one; only their stores are left out.
    var value: array<array<f32, C>, R>;
    var rstd: array<f32, R>;
    for (var r = 0u; r < R; r++) {
        let row = min(first + r * WG, p.rows - 1u);
        var mean = 0.0;
        for (var c = 0u; c < C; c++) {
            value[r][c] = x[row * C + c];
            mean += value[r][c];
        }
        mean /= f32(C);
        var variance = 0.0;
        for (var c = 0u; c < C; c++) {
            value[r][c] -= mean;
            variance += value[r][c] * value[r][c];
        }
        rstd[r] = 1.0 / sqrt(variance / f32(C) + p.eps);
        if first + r * WG < p.rows {
            stats[row * 2u] = mean;
            stats[row * 2u + 1u] = rstd[r];
        }
    }
    for (var c = 0u; c < C; c++) {
        let weight = w[c];
        let bias = b[c];
        for (var r = 0u; r < R; r++) {
            let row = first + r * WG;
            if row < p.rows { y[row * C + c] = value[r][c] * rstd[r] * weight + bias; }
        }
    }
}
