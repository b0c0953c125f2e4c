// y = act(x·wᵀ + bias) + residual: the matrix product of every linear layer, and of its input
// gradient (w read with its strides exchanged).
//
// Bindings: x [M, K], w read at n·stride_n + k·stride_k, bias [N], residual [M, N] (only if BIAS,
// RESIDUAL), output y [M, N]; all f32.
// Constants: R rows × C columns per invocation, WG invocations per workgroup; BIAS, GELU, RESIDUAL.
// Grid: x and z number the row tiles, y the column tiles: a workgroup makes WG·R rows × C columns.
//
// K is short (40 or 96) and M long, so there is no reuse to stage beyond registers: per step of k
// an invocation loads R + C numbers for R·C multiply-adds. Neighbouring invocations take
// neighbouring rows; the weights they read are the same and stay in the first-level cache.

struct Params { m: u32, n: u32, k: u32, stride_n: u32, stride_k: u32, row_tiles: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn linear(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
          @builtin(local_invocation_index) local: u32) {
    let tile = id.z * groups.x + id.x;
    if tile >= p.row_tiles { return; }
    let column = id.y * C;
    let first = tile * (WG * R) + local;

    // Rows and columns beyond the end repeat the last one; only their stores are left out.
    var x_at: array<u32, R>;
    for (var r = 0u; r < R; r++) { x_at[r] = min(first + r * WG, p.m - 1u) * p.k; }
    var w_at: array<u32, C>;
    for (var c = 0u; c < C; c++) { w_at[c] = min(column + c, p.n - 1u) * p.stride_n; }

    var acc: array<array<f32, C>, R>;
    for (var r = 0u; r < R; r++) { for (var c = 0u; c < C; c++) { acc[r][c] = 0.0; } }
    for (var k = 0u; k < p.k; k++) {
        var row: array<f32, R>;
        for (var r = 0u; r < R; r++) { row[r] = x[x_at[r] + k]; }
        for (var c = 0u; c < C; c++) {
            let weight = w[w_at[c] + k * p.stride_k];
            for (var r = 0u; r < R; r++) { acc[r][c] = fma(row[r], weight, acc[r][c]); }
        }
    }

    for (var c = 0u; c < C; c++) {
        var b = 0.0;
        if BIAS == 1u { b = bias[min(column + c, p.n - 1u)]; }
        for (var r = 0u; r < R; r++) {
            let m = first + r * WG;
            if m < p.m && column + c < p.n {
                var value = acc[r][c] + b;
                if GELU == 1u { value = gelu_of(value); }
                if RESIDUAL == 1u { value += residual[m * p.n + column + c]; }
                y[m * p.n + column + c] = value;
            }
        }
    }
}
