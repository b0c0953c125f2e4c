// The gradient of layer_norm.wgsl. With n = (x − mean)·rstd the normed row and g = dy·w:
//
//   dx = rstd·(g − mean(g) − n·mean(g·n)) + residual,   dw = Σ_rows dy·n,   db = Σ_rows dy
//
// Bindings: x, dy [rows, C], w [C], stats [rows, 2] of the forward pass, residual as dx (not read
// unless RESIDUAL), outputs dx [rows, C] and partial [invocations, 2·C], the sums of dw and db over
// an invocation's rows; f32, in V's (stats in twos).
// Constants: VEC numbers in a V, CV = C / VEC; R rows per invocation; RESIDUAL (0 or 1).
// Grid: one invocation per R rows, WG apart, p.groups workgroups folded into two dimensions; those beyond
// repeat the last. Rows beyond the end repeat the last one, and count as zero in the sums.

struct Params { rows: u32, groups: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read> dy: array<V>;
@group(0) @binding(2) var<storage, read> w: array<V>;
@group(0) @binding(3) var<storage, read> stats: array<vec2f>;
@group(0) @binding(4) var<storage, read> residual: array<V>;
@group(0) @binding(5) var<storage, read_write> dx: array<V>;
@group(0) @binding(6) var<storage, read_write> partial: array<V>;

@compute @workgroup_size(WG)
fn layer_norm_backward(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
                       @builtin(local_invocation_index) local: u32) {
    let group = min(id.y * groups.x + id.x, p.groups - 1u);
    let first = group * (WG * R) + local;
    var weight: array<V, CV>;
    var dw: array<V, CV>;
    var db: array<V, CV>;
    for (var c = 0u; c < CV; c++) { weight[c] = w[c]; }
    var row: array<u32, R>;
    for (var r = 0u; r < R; r++) {
        row[r] = min(first + r * WG, p.rows - 1u);
        let counts = select(0.0, 1.0, first + r * WG < p.rows);
        let stat = stats[row[r]]; // mean, rstd
        var n: array<V, CV>;
        var g: array<V, CV>;
        var total_g = V();
        var total_gn = V();
        for (var c = 0u; c < CV; c++) {
            let upstream = dy[row[r] * CV + c];
            n[c] = (x[row[r] * CV + c] - stat.x) * stat.y;
            g[c] = upstream * weight[c];
            total_g += g[c];
            total_gn += g[c] * n[c];
            dw[c] += counts * upstream * n[c];
            db[c] += counts * upstream;
        }
        let mean_g = sum_of(total_g) / f32(VEC * CV);
        let mean_gn = sum_of(total_gn) / f32(VEC * CV);
        for (var c = 0u; c < CV; c++) {
            var value = stat.y * (g[c] - mean_g - n[c] * mean_gn);
            if RESIDUAL == 1u { value += residual[row[r] * CV + c]; }
            dx[row[r] * CV + c] = value;
        }
    }
    let at = (group * WG + local) * (2u * CV);
    for (var c = 0u; c < CV; c++) { partial[at + c] = dw[c]; }
    for (var c = 0u; c < CV; c++) { partial[at + CV + c] = db[c]; }
}
