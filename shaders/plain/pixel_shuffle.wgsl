// Pixel shuffle: channel c·r² + i·r + j of a pixel goes to channel c of row i, column j of the r×r
// pixels that take its place; and back.
//
// Bindings: pixel_shuffle: x [B, H, W, C·r²], output y [B, H·r, W·r, C];
// pixel_unshuffle: the reverse.
// Constants: WG. Params: count, B·H·W·C; w, the columns before the enlargement; c; r.
// Grid: one invocation per r² elements (a pixel's channel c), which share the
// divisions that find them.

import package::lib::index::{Grid, index};
import constants::WG;

struct Params { count: u32, w: u32, c: u32, r: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

// Where row 0, column 0 of the elements with number `n` lies in [B, H·r, W·r, C].
fn corner(n: u32) -> u32 {
    let pixel = n / p.c;
    return (pixel / p.w * p.r * p.w + pixel % p.w) * p.r * p.c + n % p.c;
}

@compute @workgroup_size(WG)
fn pixel_shuffle(grid: Grid) {
    let n = index(grid);
    if n >= p.count { return; }
    let large = corner(n);
    for (var i = 0u; i < p.r; i++) {
        for (var j = 0u; j < p.r; j++) {
            y[large + (i * p.w * p.r + j) * p.c] = x[(n * p.r + i) * p.r + j];
        }
    }
}

@compute @workgroup_size(WG)
fn pixel_unshuffle(grid: Grid) {
    let n = index(grid);
    if n >= p.count { return; }
    let large = corner(n);
    for (var i = 0u; i < p.r; i++) {
        for (var j = 0u; j < p.r; j++) {
            y[(n * p.r + i) * p.r + j] = x[large + (i * p.w * p.r + j) * p.c];
        }
    }
}
