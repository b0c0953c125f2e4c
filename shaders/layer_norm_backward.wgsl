// The gradient of layer_norm.wgsl. With n = (x − mean)·rstd the normed row and g = dy·w:
//
//   dx = rstd·(g − mean(g) − n·mean(g·n)),   dw = Σ_rows dy·n,   db = Σ_rows dy
//
// Bindings: x, dy [rows, C], w [C], stats [rows, 2] of the forward pass, outputs dx [rows, C] and
// dy_n [rows, C] = dy·n, whose column sum is dw; f32, in V's (stats in twos). Constants VEC numbers
// in a V, CV = C / VEC.
// Grid: one invocation per row, folded into two dimensions; beyond the end, the last row again.

struct Params { rows: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read> dy: array<V>;
@group(0) @binding(2) var<storage, read> w: array<V>;
@group(0) @binding(3) var<storage, read> stats: array<vec2f>;
@group(0) @binding(4) var<storage, read_write> dx: array<V>;
@group(0) @binding(5) var<storage, read_write> dy_n: array<V>;

@compute @workgroup_size(WG)
fn layer_norm_backward(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
                       @builtin(local_invocation_index) local: u32) {
    let row = min((id.y * groups.x + id.x) * WG + local, p.rows - 1u);
    let stat = stats[row]; // mean, rstd
    var n: array<V, CV>;
    var g: array<V, CV>;
    var total_g = V();
    var total_gn = V();
    for (var c = 0u; c < CV; c++) {
        let upstream = dy[row * CV + c];
        n[c] = (x[row * CV + c] - stat.x) * stat.y;
        g[c] = upstream * w[c];
        total_g += g[c];
        total_gn += g[c] * n[c];
        dy_n[row * CV + c] = upstream * n[c];
    }
    let mean_g = sum_of(total_g) / f32(VEC * CV);
    let mean_gn = sum_of(total_gn) / f32(VEC * CV);
    for (var c = 0u; c < CV; c++) { dx[row * CV + c] = stat.y * (g[c] - mean_g - n[c] * mean_gn); }
}
