// dw[n, k] = Σ_m dy[m, n]·x[m, k], the first of two stages: sums over chunks of rows.
//
// Bindings: dy [M, N], x [M, K], output partial [chunks, N, K]; all f32.
// Constants: TN × TK tile per invocation, WG invocations per workgroup.
// Grid: (⌈tiles / WG⌉, chunks), tiles = ⌈N / TN⌉·⌈K / TK⌉.
//
// The sum is long and the result small, so the rows are split to occupy the device; chunks are
// added up afterwards in fixed order. Short chunks also keep the rounding error small.

struct Params { m: u32, n: u32, k: u32, rows_per_chunk: u32, tiles: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> partial: array<f32>;

@compute @workgroup_size(WG)
fn linear_weight_grad(@builtin(workgroup_id) id: vec3u,
                      @builtin(local_invocation_index) local: u32) {
    let tile = id.x * WG + local;
    if tile >= p.tiles { return; }
    let tiles_k = (p.k + TK - 1u) / TK;
    let n0 = tile / tiles_k * TN;
    let k0 = tile % tiles_k * TK;
    let chunk = id.y;
    let end = min((chunk + 1u) * p.rows_per_chunk, p.m);

    var acc: array<array<f32, TK>, TN>;
    for (var i = 0u; i < TN; i++) { for (var j = 0u; j < TK; j++) { acc[i][j] = 0.0; } }
    for (var m = chunk * p.rows_per_chunk; m < end; m++) {
        var a: array<f32, TN>;
        for (var i = 0u; i < TN; i++) { a[i] = dy[m * p.n + min(n0 + i, p.n - 1u)]; }
        for (var j = 0u; j < TK; j++) {
            let b = x[m * p.k + min(k0 + j, p.k - 1u)];
            for (var i = 0u; i < TN; i++) { acc[i][j] = fma(a[i], b, acc[i][j]); }
        }
    }
    for (var i = 0u; i < TN; i++) {
        for (var j = 0u; j < TK; j++) {
            if n0 + i < p.n && k0 + j < p.k {
                partial[(chunk * p.n + n0 + i) * p.k + k0 + j] = acc[i][j];
            }
        }
    }
}
