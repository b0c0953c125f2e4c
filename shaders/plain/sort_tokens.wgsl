// Tokens in another order: y[b, i] = x[b, order[b, i]]. With the inverse order, it is what undoes
// this, and what this one's derivative is.
//
// Bindings: x [B, N, C], order [B, N] u32, a permutation for each image, output y [B, N, C]. x and
// y may be f16.
// Constants: WG; VEC channels in a V, CV = C / VEC; PART V's for each invocation, which divides CV.
// Params: count, the invocations; tokens, N.
// Grid: CV / PART invocations per token: as gather.wgsl.

import package::lib::index::{Grid, index_below};
import package::lib::vec::V;
import constants::{WG, CV, PART};

struct Params { count: u32, tokens: u32 }
var<immediate> p: Params;

const PARTS = CV / PART;

@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read> order: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<V2>;

@compute @workgroup_size(WG)
fn sort_tokens(grid: Grid) {
    let i = index_below(grid, p.count);
    let first = i % PARTS * PART;
    let out = i / PARTS; // b, i
    let base = (out / p.tokens * p.tokens + order[out]) * CV;
    for (var c = first; c < first + PART; c++) { y[out * CV + c] = V2(V(x[base + c])); }
}
