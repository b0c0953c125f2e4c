// dw[n, k] = Σ_m dy[m, n]·x[m, k] and db[n] = Σ_m dy[m, n], the first of two stages: sums over
// chunks of rows. N and K are multiples of 4; linear_weight_grad_any.wgsl takes others.
//
// Bindings: dy [M, N], x [M, K], outputs partial [chunks, N, K], partial_b [chunks, N]; all f32, x and
// partial in fours. k4 is K / 4.
// Constants: a tile of C·LANES columns n × TK4 fours of k, which divide K; LANES, WG.
// Grid: LANES invocations per tile and chunk, tiles innermost, folded into two dimensions; beyond the
// end, the last again. An invocation has C columns, LANES apart; beyond N, the last again.
//
// The sum is long and the result small, so the rows are split to occupy the device; chunks are
// added up afterwards in fixed order. Short chunks also keep the rounding error small. ROWS rows
// are taken at a time, so that a sum of the tile, which is larger than the registers, is touched
// once for all of them. Every lane loads its columns, and its share of x for all lanes: of a row
// the fours FOURS apart.

struct Params { m: u32, n: u32, k4: u32, rows_per_chunk: u32, tiles_n: u32, count: u32 } // of tiles
var<immediate> p: Params;

const ROWS = min(LANES, 8u);
const FOURS = LANES / ROWS;
const LOADS = (TK4 + FOURS - 1u) / FOURS;

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> partial: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> partial_b: array<f32>;

@compute @workgroup_size(WG)
fn linear_weight_grad(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
                      @builtin(local_invocation_index) local: u32) {
    let i = min(((id.y * groups.x + id.x) * WG + local) / LANES, p.count - 1u);
    let lane = local % LANES;
    let tiles_k = p.k4 / TK4;
    let k0 = i % tiles_k * TK4;
    let chunk = i / (tiles_k * p.tiles_n);
    let end = min((chunk + 1u) * p.rows_per_chunk, p.m);
    var n: array<u32, C>;
    for (var c = 0u; c < C; c++) {
        n[c] = min(((i / tiles_k % p.tiles_n) * C + c) * LANES + lane, p.n - 1u);
    }

    var acc: array<array<array<array<f32, 4>, FOURS>, LOADS>, C>;
    var acc_b: array<f32, C>;
    for (var m0 = chunk * p.rows_per_chunk; m0 < end; m0 += ROWS) {
        var a: array<array<f32, ROWS>, C>; // zero beyond the last row
        for (var r = 0u; r < ROWS; r++) {
            let m = min(m0 + r, end - 1u);
            for (var c = 0u; c < C; c++) {
                a[c][r] = select(0.0, dy[m * p.n + n[c]], m0 + r < end);
                acc_b[c] += a[c][r];
            }
        }
        let m = min(m0 + lane % ROWS, end - 1u);
        for (var j = 0u; j < LOADS; j++) {
            let share = x[m * p.k4 + k0 + min(j * FOURS + lane / ROWS, TK4 - 1u)];
            for (var e = 0u; e < 4u; e++) {
                let b = spread(share[e]);
                for (var f = 0u; f < FOURS; f++) {
                    for (var c = 0u; c < C; c++) {
                        var sum = acc[c][j][f][e];
                        for (var r = 0u; r < ROWS; r++) {
                            sum = fma(a[c][r], b[f * ROWS + r], sum);
                        }
                        acc[c][j][f][e] = sum;
                    }
                }
            }
        }
    }
    for (var c = 0u; c < C; c++) {
        let at = chunk * p.n + n[c];
        for (var j = 0u; j < LOADS; j++) {
            for (var f = 0u; f < FOURS; f++) {
                let sum = acc[c][j][f];
                let k = k0 + min(j * FOURS + f, TK4 - 1u);
                partial[at * p.k4 + k] = vec4f(sum[0], sum[1], sum[2], sum[3]);
            }
        }
        if k0 == 0u { partial_b[at] = acc_b[c]; } // the same in all tiles of these columns
    }
}
