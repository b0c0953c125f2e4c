// owner[n] = the m with the largest ⟨x[n], centres[m]⟩, the lowest m on ties.
//
// Bindings: x [N, C], centres [M, C], both rows of unit length, f32; output owner [N] u32.
// Constants: WG. Params: count, N; centres, M; c. Grid: one invocation per token.

import package::lib::index::{Grid, index};
import constants::WG;

struct Params { count: u32, centres: u32, c: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> centres: array<f32>;
@group(0) @binding(2) var<storage, read_write> owner: array<u32>;

@compute @workgroup_size(WG)
fn nearest_centre(grid: Grid) {
    let n = index(grid);
    if n >= p.count { return; }
    var largest = -3.0e38;
    var nearest = 0u;
    for (var m = 0u; m < p.centres; m++) {
        var inner = 0.0;
        for (var c = 0u; c < p.c; c++) { inner = fma(x[n * p.c + c], centres[m * p.c + c], inner); }
        if inner > largest { // not on a tie
            largest = inner;
            nearest = m;
        }
    }
    owner[n] = nearest;
}
