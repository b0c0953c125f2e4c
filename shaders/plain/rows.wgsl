// Whole rows: taken by an index made on the device, or scaled each by its own factor.
//
// Constants: WG; VEC channels in a V, CV = C / VEC.
// Params: count, the V's of the output; first, of take_rows (of scale_rows 0); rows.
// Grid: one invocation per V of the output.

import package::lib::index::{Grid, index_below};
import package::lib::vec::V;
import constants::{WG, CV};

struct Params { count: u32, first: u32, rows: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read> row_of: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<V2>;

// y[n] = x[row_of[n] − first], where x has that row: what is bound is `rows` of a larger x's rows.
//
// Bindings: x [rows, C], row_of [N] u32, output y [N, C]. x and y may be f16.
@compute @workgroup_size(WG)
fn take_rows(grid: Grid) {
    let i = index_below(grid, p.count);
    let row = row_of[i / CV] - p.first;
    if row < p.rows { y[i] = V2(x[row * CV + i % CV]); }
}

@group(0) @binding(1) var<storage, read> factor: array<f32>;

// y[n] = factor[n mod rows]·x[n]
//
// Bindings: x [N, C], factor [rows] f32, output y [N, C]. x and y may be f16.
@compute @workgroup_size(WG)
fn scale_rows(grid: Grid) {
    let i = index_below(grid, p.count);
    y[i] = V2(factor[i / CV % p.rows] * V(x[i]));
}
