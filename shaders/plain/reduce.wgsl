// Column sums of a tall matrix, and their derivative.
//
// Constants: WG; VEC columns in a V; CHUNK; ADD (0 or 1): the sums are added to what is in y.
// Params: count, the V's of the output; rows, N; then in V's: columns of y; stride, columns of x, and
// the first of those that are summed.
// Grid: one invocation per V of the output.

import package::lib::index::{Grid, index, index_below};
import package::lib::vec::V;
import constants::{WG, CHUNK, ADD};

struct Params { count: u32, rows: u32, columns: u32, stride: u32, first: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read_write> y: array<V>;

// One stage of the sums: y[s, c] = Σ x[n, first + c] over the CHUNK rows n of chunk s. Repeated until one
// row is left. The fixed tree makes the sum the same in every run, and its error grow with the
// logarithm of the length only.
//
// Bindings: x [N, stride], output y [⌈N / CHUNK⌉, C]; f32.
@compute @workgroup_size(WG)
fn sum_rows(grid: Grid) {
    let i = index_below(grid, p.count);
    let column = p.first + i % p.columns;
    let first = i / p.columns * CHUNK;
    var sum = V();
    for (var j = 0u; j < CHUNK; j++) {
        let value = x[min(first + j, p.rows - 1u) * p.stride + column];
        sum += select(V(), value, first + j < p.rows);
    }
    if ADD == 1u {
        if index(grid) >= p.count { return; } // or the last would be added twice
        sum = y[i] + sum;
    }
    y[i] = sum;
}

// y[n, c] = x[c]: the derivative of the sum. Bindings: x [C], output y [N, C]; f32.
@compute @workgroup_size(WG)
fn broadcast_rows(grid: Grid) {
    let i = index_below(grid, p.count);
    y[i] = x[i % p.columns];
}
