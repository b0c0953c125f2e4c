// dw[n, k] = Σ_m dy[m, n]·x[m, k] and db[n] = Σ_m dy[m, n], the first of two stages: sums over
// chunks of rows. N and K are multiples of 4; linear_weight_grad_any.wgsl takes others.
//
// Bindings: dy [M, N], x [M, K], outputs partial [chunks, N, K], partial_b [chunks, N]; all f32, in
// fours. n4 and k4 are N / 4 and K / 4.
// Constants: TN × TK tile per invocation (fours: TN4, TK4), WG invocations per workgroup.
// Grid: x and z number chunks, y the tiles: (N / TN)·(K / TK) of them, which divide N and K.
//
// The sum is long and the result small, so the rows are split to occupy the device; chunks are
// added up afterwards in fixed order. Short chunks also keep the rounding error small. Two rows
// are taken at a time, so that a sum of the tile, which is larger than the registers, is touched
// once for both.

struct Params { m: u32, n4: u32, k4: u32, rows_per_chunk: u32, chunks: u32 }
var<immediate> p: Params;

const ROWS = 2u;
const TN = 4u * TN4;
const TK = 4u * TK4;

@group(0) @binding(0) var<storage, read> dy: array<vec4f>;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> partial: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> partial_b: array<vec4f>;

@compute @workgroup_size(WG)
fn linear_weight_grad(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
                      @builtin(local_invocation_index) local: u32) {
    let chunk = (id.z * groups.x + id.x) * WG + local;
    if chunk >= p.chunks { return; }
    let tiles_k = p.k4 / TK4;
    let n0 = id.y / tiles_k * TN4;
    let k0 = id.y % tiles_k * TK4;
    let end = min((chunk + 1u) * p.rows_per_chunk, p.m);

    var acc: array<array<f32, TK>, TN>;
    var acc_b: array<f32, TN>;
    for (var m0 = chunk * p.rows_per_chunk; m0 < end; m0 += ROWS) {
        var a: array<array<f32, TN>, ROWS>; // zero beyond the last row
        var b: array<array<f32, TK>, ROWS>;
        for (var r = 0u; r < ROWS; r++) {
            let m = min(m0 + r, end - 1u);
            for (var i = 0u; i < TN4; i++) {
                let four = dy[m * p.n4 + n0 + i];
                for (var e = 0u; e < 4u; e++) {
                    a[r][4u * i + e] = select(0.0, four[e], m0 + r < end);
                    acc_b[4u * i + e] += a[r][4u * i + e];
                }
            }
            for (var j = 0u; j < TK4; j++) {
                let four = x[m * p.k4 + k0 + j];
                for (var e = 0u; e < 4u; e++) { b[r][4u * j + e] = four[e]; }
            }
        }
        for (var i = 0u; i < TN; i++) {
            for (var j = 0u; j < TK; j++) {
                var sum = acc[i][j];
                for (var r = 0u; r < ROWS; r++) { sum = fma(a[r][i], b[r][j], sum); }
                acc[i][j] = sum;
            }
        }
    }
    for (var i = 0u; i < TN; i++) {
        for (var j = 0u; j < TK4; j++) {
            partial[(chunk * 4u * p.n4 + 4u * n0 + i) * p.k4 + k0 + j] =
                vec4f(acc[i][4u * j], acc[i][4u * j + 1u], acc[i][4u * j + 2u], acc[i][4u * j + 3u]);
        }
    }
    if k0 > 0u { return; } // the bias's part is the same in all tiles of these columns
    for (var i = 0u; i < TN4; i++) {
        partial_b[chunk * p.n4 + n0 + i] =
            vec4f(acc_b[4u * i], acc_b[4u * i + 1u], acc_b[4u * i + 2u], acc_b[4u * i + 3u]);
    }
}
