// y = x / max(‖x‖, 1e-12) for every row, and its gradient.
//
// Constants: WG; VEC channels in a V, CV = C / VEC. Params: count, the rows. Grid:
// one invocation per row.

import package::lib::index::{Grid, index_below};
import package::lib::vec::{V, sum_of};
import constants::{WG, CV};

struct Params { count: u32 }
var<immediate> p: Params;

const EPS = 1e-12;

@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read_write> y: array<V>;

// Bindings: x [N, C], which may be f16, output y [N, C].
@compute @workgroup_size(WG)
fn unit(grid: Grid) {
    let row = index_below(grid, p.count);
    var value: array<V, CV>;
    var square = V();
    for (var c = 0u; c < CV; c++) {
        value[c] = V(x[row * CV + c]);
        square += value[c] * value[c];
    }
    let length = max(sqrt(sum_of(square)), EPS);
    for (var c = 0u; c < CV; c++) { y[row * CV + c] = value[c] / length; }
}

@group(0) @binding(1) var<storage, read> dy: array<V>;
@group(0) @binding(2) var<storage, read_write> dx: array<V>;

// dx = (dy − y·⟨y, dy⟩) / ‖x‖; where ‖x‖ is cut off at EPS, it is a constant: dx = dy / EPS.
//
// Bindings: x, which may be f16, dy [N, C], output dx [N, C].
@compute @workgroup_size(WG)
fn unit_backward(grid: Grid) {
    let row = index_below(grid, p.count);
    var value: array<V, CV>;
    var upstream: array<V, CV>;
    var square = V();
    var inner = V();
    for (var c = 0u; c < CV; c++) {
        value[c] = V(x[row * CV + c]);
        upstream[c] = dy[row * CV + c];
        square += value[c] * value[c];
        inner += value[c] * upstream[c];
    }
    let length = max(sqrt(sum_of(square)), EPS);
    let along = select(0.0, sum_of(inner), length > EPS) / (length * length);
    for (var c = 0u; c < CV; c++) {
        dx[row * CV + c] = (upstream[c] - value[c] * along) / length;
    }
}
