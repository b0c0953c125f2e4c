// y[j, i] = x[i, j]: of small matrices, such as a layer's weights.
//
// Bindings: x [rows, columns], output y [columns, rows]; f32.
// Constants: WG. Params: count, the elements; rows; columns. Grid: one invocation per element of y.

import package::lib::index::{Grid, index};
import constants::WG;

struct Params { count: u32, rows: u32, columns: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn transpose(grid: Grid) {
    let i = index(grid);
    if i < p.count { y[i] = x[i % p.rows * p.columns + i / p.rows]; }
}
