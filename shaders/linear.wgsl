// y = act(x·wᵀ + bias) + residual: the matrix product of every linear layer (and, with w
// transposed before, its input gradient). K and N are multiples of 4; linear_any.wgsl takes others.
//
// Bindings: x [M, K], w [N, K], bias [N], residual [M, N] (read only if BIAS, RESIDUAL), outputs
// y [M, N] and, only if KEEP, h [M, N], what the GELU is of; in fours. x, residual and y may be f16.
// Constants: K4 = K / 4, N4 = N / 4; R rows × C columns per invocation, C divides N; LANES, WG;
// BIAS, GELU, RESIDUAL, KEEP.
// Grid: x and z number the row tiles, y the column tiles: LANES invocations make R·LANES rows × C.
//
// A step takes 8 of K. Its part of the rows stays in registers while the columns pass by, STEP of
// them at a time: every lane loads four of their weights, and they are spread. So a tile loads
// 8·(R + C / LANES) numbers, by fours, for 8·R·C multiply-adds, and touches a sum once in a step.
// Nothing branches: rows beyond the end repeat the last one and store its values once more. (The
// software driver's loads and stores take half the time where no lane can be switched off.)

struct Params { m: u32, row_tiles: u32 }
var<immediate> p: Params;

const STEP = max(LANES / 2u, 4u); // columns at a time: 8·STEP weights
const LOADS = 2u * STEP / LANES;  // fours of them for each lane
const STEPS = (C + STEP - 1u) / STEP;

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

    // Mesa unrolls a loop of any size if its rounds (at most 32) are the length of an array that it
    // runs over, others only if small; and in one that is not unrolled such arrays go to memory.
    // Hence two loops over the columns, everywhere.
    var acc: array<array<array<f32, STEP>, STEPS>, R>;
    if BIAS == 1u {
        for (var c = 0u; c < STEPS; c++) {
            for (var s = 0u; s < STEP; s++) {
                let b = bias[min(column + c * STEP + s, 4u * N4 - 1u)];
                for (var r = 0u; r < R; r++) { acc[r][c][s] = b; }
            }
        }
    }
    for (var k = 0u; k < K4; k += 2u) {
        var row: array<array<f32, 8>, R>;
        for (var r = 0u; r < R; r++) {
            for (var h = 0u; h < 2u; h++) {
                let four = vec4f(x[m[r] * K4 + min(k + h, K4 - 1u)]);
                for (var e = 0u; e < 4u; e++) { row[r][4u * h + e] = four[e]; }
            }
        }
        for (var c = 0u; c < STEPS; c++) {
            var weight: array<array<f32, 8>, STEP>; // zero beyond K
            for (var i = 0u; i < LOADS; i++) {
                let piece = i * LANES + lane;
                let n = min(column + c * STEP + piece / 2u, 4u * N4 - 1u);
                let h = k + piece % 2u;
                var four = w[n * K4 + min(h, K4 - 1u)];
                if K4 % 2u != 0u { four = select(vec4f(), four, h < K4); }
                for (var e = 0u; e < 4u; e++) {
                    let values = spread(four[e]);
                    for (var l = 0u; l < LANES; l++) {
                        weight[(i * LANES + l) / 2u][(i * LANES + l) % 2u * 4u + e] = values[l];
                    }
                }
            }
            for (var s = 0u; s < STEP; s++) {
                for (var r = 0u; r < R; r++) {
                    var sum = acc[r][c][s];
                    for (var e = 0u; e < 8u; e++) { sum = fma(row[r][e], weight[s][e], sum); }
                    acc[r][c][s] = sum;
                }
            }
        }
    }

    if KEEP == 1u {
        for (var c = 0u; c < STEPS; c++) {
            for (var s = 0u; s < STEP; s += 4u) {
                for (var r = 0u; r < R; r++) {
                    if c * STEP + s < C {
                        var four: vec4f;
                        for (var e = 0u; e < 4u; e++) { four[e] = acc[r][c][s + e]; }
                        kept[m[r] * N4 + (column + c * STEP + s) / 4u] = four;
                    }
                }
            }
        }
    }
    if GELU == 1u {
        for (var c = 0u; c < STEPS; c++) {
            for (var s = 0u; s < STEP; s++) {
                for (var r = 0u; r < R; r++) { acc[r][c][s] = gelu_of(acc[r][c][s]); }
            }
        }
    }
    for (var c = 0u; c < STEPS; c++) {
        for (var s = 0u; s < STEP; s += 4u) {
            for (var r = 0u; r < R; r++) {
                if c * STEP + s < C {
                    let at = m[r] * N4 + (column + c * STEP + s) / 4u;
                    var four: vec4f;
                    for (var e = 0u; e < 4u; e++) { four[e] = acc[r][c][s + e]; }
                    if RESIDUAL == 1u { four += vec4f(residual[at]); }
                    y[at] = vec4<T4>(four);
                }
            }
        }
    }
}
