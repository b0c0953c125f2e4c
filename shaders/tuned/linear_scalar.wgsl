// As plain/linear.wgsl, where Ci and Co are multiples of 4; for GPUs. All invocations of a workgroup
// make the same columns, so that a weight is loaded once for a subgroup and a multiply-add takes it
// as a scalar.
//
// Bindings: as there, in fours: x [N, Ci/4], w [Co, Ci/4], bias [Co/4], residual [N, Co/4] (not read
// unless BIAS, RESIDUAL), outputs y [N, Co/4] and, only if KEEP, kept [N, Co/4]. x, residual and y
// may be f16. linear_backward_x is this with x = dy and w transposed before.
// Constants: WG; VEC (4); CI4 = Ci / 4, CO4 = Co / 4; R rows × OUTS columns per invocation, OUTS, a
// multiple of 4, divides Co; INS4 fours of Ci at a time, which divide Ci; BIAS, GELU, RESIDUAL, KEEP
// (0 or 1).
// Params: rows, N; ci4 = Ci / 4.
// Grid: x and z number workgroups of R·WG rows, y the tiles of columns.
//
// The sums stay in registers while Ci passes by: R·INS4 loads of an invocation's own and OUTS·INS4 that
// all share, by fours, for 4·INS4·R·OUTS multiply-adds, which are 85 % of the loop's instructions on
// RDNA 3. Rows beyond the end repeat the last one and store its values once more.

import package::lib::index::Grid;
import package::lib::erf::gelu_of;
import package::lib::vec::V;
import constants::{WG, CI4, CO4, R, OUTS, INS4, BIAS, GELU, RESIDUAL, KEEP};

struct Params { rows: u32, ci4: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read> w: array<V>;
@group(0) @binding(2) var<storage, read> bias: array<V>;
@group(0) @binding(3) var<storage, read> residual: array<V3>;
@group(0) @binding(4) var<storage, read_write> y: array<V4>;
@group(0) @binding(5) var<storage, read_write> kept: array<V>;

@compute @workgroup_size(WG)
fn linear(grid: Grid) {
    let first = (grid.id.z * grid.groups.x + grid.id.x) * (R * WG) + grid.local;
    let column = grid.id.y * OUTS;
    var n: array<u32, R>;
    for (var r = 0u; r < R; r++) { n[r] = min(first + r * WG, p.rows - 1u); }

    var sum: array<array<f32, OUTS>, R>;
    for (var i4 = 0u; i4 < p.ci4; i4 += INS4) {
        var row = array<array<V, INS4>, R>();
        for (var r = 0u; r < R; r++) {
            for (var h = 0u; h < INS4; h++) { row[r][h] = V(x[n[r] * CI4 + i4 + h]); }
        }
        for (var o = 0u; o < OUTS; o++) {
            for (var h = 0u; h < INS4; h++) {
                let weight = w[(column + o) * CI4 + i4 + h];
                for (var r = 0u; r < R; r++) {
                    for (var e = 0u; e < 4u; e++) { sum[r][o] = fma(row[r][h][e], weight[e], sum[r][o]); }
                }
            }
        }
    }

    for (var r = 0u; r < R; r++) {
        for (var o = 0u; o < OUTS; o += 4u) {
            let at = n[r] * CO4 + (column + o) / 4u;
            var four = V(sum[r][o], sum[r][o + 1u], sum[r][o + 2u], sum[r][o + 3u]);
            if BIAS == 1u { four += bias[(column + o) / 4u]; }
            if KEEP == 1u { kept[at] = four; }
            if GELU == 1u { four = gelu_of(four); }
            if RESIDUAL == 1u { four += V(residual[at]); }
            y[at] = V4(four);
        }
    }
}
