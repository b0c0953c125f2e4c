// y = act(x·wᵀ + bias) + residual: the matrix product of every linear layer (and, with w
// transposed before, its input gradient). K and N are multiples of 4; linear_any.wgsl takes others.
//
// Bindings: x [M, K], w [N, K], bias [N], residual [M, N] (read only if BIAS, RESIDUAL), outputs
// y [M, N] and, only if KEEP, h [M, N], what the GELU is of; in fours. x, residual and y may be f16.
// Constants: K4 = K / 4, N4 = N / 4; R rows × C columns per invocation, C divides N; KB fours of K in
// each of CHUNKS chunks; LANES, WG; BIAS, GELU, RESIDUAL, KEEP.
// Grid: x and z number the row tiles, y the column tiles: LANES invocations make R·LANES rows × C.
//
// The rows of a tile stay in registers (or where the compiler keeps what those do not hold, which is
// nearly as near) while the columns pass by, STEP of them at a time: every lane loads some fours of
// their weights, which are then spread. So a tile loads KB·(4·R + C·4 / LANES) numbers, by fours, for
// 4·KB·R·C multiply-adds, and a sum is in a register from its bias to its end if K is one chunk.
// Nothing branches: rows beyond the end repeat the last one and store its values once more. (The
// software driver's loads and stores take half the time where no lane can be switched off.)

struct Params { m: u32, row_tiles: u32 }
var<immediate> p: Params;

const STEP = max(LANES / 2u, 4u); // columns at a time
const STEPS = (C + STEP - 1u) / STEP;
const LOADS = (STEP * KB + LANES - 1u) / LANES; // fours of weights for each lane

@group(0) @binding(0) var<storage, read> x: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read> w: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<vec4<T3>>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<T4>>;
@group(0) @binding(5) var<storage, read_write> kept: array<vec4f>;

@compute @workgroup_size(WG)
fn linear(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
          @builtin(local_invocation_index) local: u32) {
    let tile = min(((id.z * groups.x + id.x) * WG + local) / LANES, p.row_tiles - 1u);
    let lane = local % LANES;
    let column = id.y * C;
    var m: array<u32, R>;
    for (var r = 0u; r < R; r++) { m[r] = min((tile * R + r) * LANES + lane, p.m - 1u); }

    var acc: array<array<array<f32, STEP>, STEPS + 1u>, R>; // between chunks
    for (var chunk = 0u; chunk < CHUNKS; chunk += 1u) {
        var row: array<array<vec4f, KB>, R>;
        for (var h = 0u; h < KB; h++) {
            let k = min(chunk * KB + h, K4 - 1u);
            for (var r = 0u; r < R; r++) { row[r][h] = vec4f(x[m[r] * K4 + k]); }
        }
        // This stays a loop (unrolled, it would outgrow the instruction cache): it counts by += 1u, see
        // tensor/src/unroll.rs, and acc is longer than it, so that Mesa does not unroll it for acc's sake.
        for (var c = 0u; c < STEPS; c += 1u) {
            var weight: array<array<array<f32, 4>, KB>, STEP>; // zero beyond K
            var part: array<vec4f, LOADS>;
            for (var i = 0u; i < LOADS; i++) {
                let piece = min(i * LANES + lane, STEP * KB - 1u);
                let h = chunk * KB + piece % KB;
                part[i] = w[column_of(column, c, piece / KB) * K4 + min(h, K4 - 1u)];
                if K4 % KB != 0u { part[i] = select(vec4f(), part[i], h < K4); }
            }
            for (var i = 0u; i < LOADS; i++) {
                for (var e = 0u; e < 4u; e++) {
                    let values = spread(part[i][e]);
                    for (var l = 0u; l < LANES; l++) {
                        let at = min(i * LANES + l, STEP * KB - 1u);
                        weight[at / KB][at % KB][e] = values[l];
                    }
                }
            }
            var sum: array<array<f32, STEP>, R>;
            for (var s = 0u; s < STEP; s++) {
                var start = 0.0;
                if BIAS == 1u { start = bias[column_of(column, c, s)]; }
                for (var r = 0u; r < R; r++) {
                    sum[r][s] = start;
                    if chunk > 0u { sum[r][s] = acc[r][c][s]; }
                }
                for (var h = 0u; h < KB; h++) {
                    for (var e = 0u; e < 4u; e++) {
                        for (var r = 0u; r < R; r++) {
                            sum[r][s] = fma(row[r][h][e], weight[s][h][e], sum[r][s]);
                        }
                    }
                }
            }
            if chunk + 1u < CHUNKS {
                for (var r = 0u; r < R; r++) { acc[r][c] = sum[r]; }
                continue;
            }
            for (var r = 0u; r < R; r++) {
                for (var s = 0u; s < STEP; s += 4u) {
                    let at = m[r] * N4 + column_of(column, c, s) / 4u;
                    var four = vec4f(sum[r][s], sum[r][s + 1u], sum[r][s + 2u], sum[r][s + 3u]);
                    if KEEP == 1u { kept[at] = four; }
                    if GELU == 1u {
                        for (var e = 0u; e < 4u; e++) { four[e] = gelu_of(four[e]); }
                    }
                    if RESIDUAL == 1u { four += vec4f(residual[at]); }
                    y[at] = vec4<T4>(four);
                }
            }
        }
    }
}

/// The s-th column of a step; of fours beyond the tile, the last once more.
fn column_of(tile: u32, step: u32, s: u32) -> u32 {
    return tile + min(step * STEP + s / 4u * 4u, C - 4u) + s % 4u;
}
