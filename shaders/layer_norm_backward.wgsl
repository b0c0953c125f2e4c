// The gradient of layer_norm.wgsl. With n = (x − mean)·rstd the normed row and g = dy·w:
//
//   dx = rstd·(g − mean(g) − n·mean(g·n)),   dw = Σ_rows dy·n,   db = Σ_rows dy
//
// Bindings: x, dy [rows, C], w [C], stats [rows, 2] of the forward pass, outputs dx [rows, C] and
// dy_n [rows, C] = dy·n, whose column sum is dw; f32. Constant C.
// Grid: one invocation per row, folded into two dimensions.

struct Params { rows: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> stats: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;
@group(0) @binding(5) var<storage, read_write> dy_n: array<f32>;

@compute @workgroup_size(WG)
fn layer_norm_backward(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
                       @builtin(local_invocation_index) local: u32) {
    let row = (id.y * groups.x + id.x) * WG + local;
    if row >= p.rows { return; }
    let mean = stats[row * 2u];
    let rstd = stats[row * 2u + 1u];
    var n: array<f32, C>;
    var g: array<f32, C>;
    var mean_g = 0.0;
    var mean_gn = 0.0;
    for (var c = 0u; c < C; c++) {
        let upstream = dy[row * C + c];
        n[c] = (x[row * C + c] - mean) * rstd;
        g[c] = upstream * w[c];
        mean_g += g[c];
        mean_gn += g[c] * n[c];
        dy_n[row * C + c] = upstream * n[c];
    }
    mean_g /= f32(C);
    mean_gn /= f32(C);
    for (var c = 0u; c < C; c++) { dx[row * C + c] = rstd * (g[c] - mean_g - n[c] * mean_gn); }
}
