// 2. A workgroup shares what it loads.
//
// Bindings: x [M, K], w [N, K], output y [M, N]; all f32. Constants M, N, K.
// Grid: N / TILE × M / TILE workgroups of TILE × TILE invocations; each workgroup makes that tile of y.
//
// The workgroup walks along K in slabs. It copies the slab's part of x and of w into memory of its
// own, every invocation one number of each, and then all multiply from there: what is loaded from
// far away serves a whole row or column of the tile, 16 numbers instead of one. Between copying and
// multiplying all must wait for each other: that is what the barriers do.

const TILE = 16u;
const SLAB = 8u; // of K: the two parts have 2 · 16 · 8 numbers, one per invocation

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

var<workgroup> x_part: array<array<f32, SLAB>, TILE>;
var<workgroup> w_part: array<array<f32, SLAB>, TILE>;

@compute @workgroup_size(TILE, TILE)
fn tiled(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_id) local: vec3u,
         @builtin(local_invocation_index) index: u32) {
    let m0 = id.y * TILE;
    let n0 = id.x * TILE;
    var sum = 0.0;
    for (var k0 = 0u; k0 < K; k0 += SLAB) {
        let line = index / SLAB % TILE; // the first half of the invocations copies x, the other w
        let k = index % SLAB;
        if index < TILE * SLAB {
            x_part[line][k] = x[(m0 + line) * K + k0 + k];
        } else {
            w_part[line][k] = w[(n0 + line) * K + k0 + k];
        }
        workgroupBarrier();
        for (var i = 0u; i < SLAB; i++) {
            sum = fma(x_part[local.y][i], w_part[local.x][i], sum);
        }
        workgroupBarrier(); // nobody may overwrite what another still reads
    }
    y[(m0 + local.y) * N + n0 + local.x] = sum;
}
