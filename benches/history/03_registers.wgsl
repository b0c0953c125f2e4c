// 3. An invocation makes a tile of the result, and keeps it in registers.
//
// Bindings: x [M, K], w [N, K], output y [M, N]; all f32. Constants M, N, K.
// Grid: N / 48 × M / 64 workgroups of 8 × 8 invocations; each invocation makes R × C numbers of y.
//
// The slabs of 2 stay, but each number read from them is used more than once: R numbers of x and C
// of w give R · C multiply-adds, 48 for 14 loads instead of one for two. The sums are a private array
// whose indices are all known when the kernel is compiled, so it lies in registers; with an index
// that is not, it would lie in memory and everything would be lost. Rows and columns of an
// invocation are 8 apart: neighbours then read and write neighbouring numbers.

const SIDE = 8u; // of a workgroup
const R = 8u;
const C = 6u;
const SLAB = 8u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// Turned over, so that neighbours read neighbouring words.
var<workgroup> x_part: array<array<f32, SIDE * R>, SLAB>;
var<workgroup> w_part: array<array<f32, SIDE * C>, SLAB>;

@compute @workgroup_size(SIDE, SIDE)
fn registers(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_id) local: vec3u) {
    let m0 = id.y * SIDE * R;
    let n0 = id.x * SIDE * C;
    var sum: array<array<f32, C>, R>;
    for (var r = 0u; r < R; r++) { for (var c = 0u; c < C; c++) { sum[r][c] = 0.0; } }
    for (var k0 = 0u; k0 < K; k0 += SLAB) {
        let k = k0 + local.x; // an invocation copies one column of the slab: SLAB is SIDE
        for (var r = 0u; r < R; r++) {
            let line = r * SIDE + local.y;
            x_part[local.x][line] = x[(m0 + line) * K + k];
        }
        for (var c = 0u; c < C; c++) {
            let line = c * SIDE + local.y;
            w_part[local.x][line] = w[(n0 + line) * K + k];
        }
        workgroupBarrier();
        for (var i = 0u; i < SLAB; i++) {
            var a = array<f32, R>();
            for (var r = 0u; r < R; r++) { a[r] = x_part[i][r * SIDE + local.y]; }
            for (var c = 0u; c < C; c++) {
                let b = w_part[i][c * SIDE + local.x];
                for (var r = 0u; r < R; r++) { sum[r][c] = fma(a[r], b, sum[r][c]); }
            }
        }
        workgroupBarrier();
    }
    for (var r = 0u; r < R; r++) {
        for (var c = 0u; c < C; c++) {
            y[(m0 + r * SIDE + local.y) * N + n0 + c * SIDE + local.x] = sum[r][c];
        }
    }
}
