// Rows taken by a list, and the derivative: the sum over the slots that took each row.
//
// Constants: WG; VEC channels in a V, CV = C / VEC; PART V's for each invocation, which divides CV.
// Params: count, the invocations; slots, S; rows, N.
// Grid: CV / PART invocations per output row. A GPU takes PART = 1 (neighbours write
// neighbours); a software driver, which loads lane by lane anyway, takes whole rows and so reads
// the list once a row.

import package::lib::index::{Grid, index_below};
import package::lib::vec::V;
import constants::{WG, CV, PART};

struct Params { count: u32, slots: u32, rows: u32 }
var<immediate> p: Params;

const NONE = 0xffffffffu;
const CHUNK = 32u; // slots per partial sum: keeps the rounding of long sums small
const PARTS = CV / PART;

// y[b, slot] = x[b, row_of[slot]], zeros where that is NONE.
//
// Bindings: x [B, N, C], row_of [S] u32, output y [B, S, C]. x and y may be f16.

@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read> row_of: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<V2>;

@compute @workgroup_size(WG)
fn gather(grid: Grid) {
    let i = index_below(grid, p.count);
    let first = i % PARTS * PART;
    let out = i / PARTS; // b, slot
    let row = row_of[out % p.slots];
    let base = (out / p.slots * p.rows + select(row, 0u, row == NONE)) * CV;
    for (var c = first; c < first + PART; c++) {
        y[out * CV + c] = V2(select(V(x[base + c]), V(), row == NONE));
    }
}

// sums[b, row] = Σ x[b, list[j]] over j from offsets[row] to before offsets[row + 1]: the slots
// that hold the row, in ascending order.
//
// Bindings: x [B, S, C], offsets [N + 1], list [at least 1] u32, output sums [B, N, C]. x
// and sums may be f16.

@group(0) @binding(1) var<storage, read> offsets: array<u32>;
@group(0) @binding(2) var<storage, read> list: array<u32>;
@group(0) @binding(3) var<storage, read_write> sums: array<V3>;

@compute @workgroup_size(WG)
fn segment_sum(grid: Grid) {
    let i = index_below(grid, p.count);
    let first = i % PARTS * PART;
    let out = i / PARTS; // b, row
    let row = out % p.rows;
    let base = out / p.rows * p.slots;
    let end = offsets[row + 1u];
    var sum: array<V, PART>;
    for (var chunk = offsets[row]; chunk < end; chunk += CHUNK) {
        var partial = array<V, PART>();
        for (var j = chunk; j < min(chunk + CHUNK, end); j++) {
            let slot = (base + list[j]) * CV + first;
            for (var c = 0u; c < PART; c++) { partial[c] += V(x[slot + c]); }
        }
        for (var c = 0u; c < PART; c++) { sum[c] += partial[c]; }
    }
    for (var c = 0u; c < PART; c++) { sums[out * CV + first + c] = V3(sum[c]); }
}
