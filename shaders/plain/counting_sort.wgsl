// Sorts the tokens of every image by their owner; tokens of one owner keep their order
// (the sort is stable).
//
// Bindings: owner [B, N] u32, below M; outputs starts [B, M, chunks], of which the first of each
// owner's is set, to where its tokens begin in order; order [B, N], the token at each position;
// inverse [B, N], the position of each token; all u32.
// Constants: WG. Params: count, B·M; tokens, N; centres, M; chunks.
// Grid: one invocation per image and centre.

import package::lib::index::{Grid, index};
import constants::WG;

struct Params { count: u32, tokens: u32, centres: u32, chunks: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> owner: array<u32>;
@group(0) @binding(1) var<storage, read_write> starts: array<u32>;
@group(0) @binding(2) var<storage, read_write> order: array<u32>;
@group(0) @binding(3) var<storage, read_write> inverse: array<u32>;

@compute @workgroup_size(WG)
fn counting_sort(grid: Grid) {
    let at = index(grid); // b, m
    if at >= p.count { return; }
    let m = at % p.centres;
    let image = at / p.centres * p.tokens;
    var next = 0u;
    for (var t = 0u; t < p.tokens; t++) {
        if owner[image + t] < m { next++; }
    }
    starts[at * p.chunks] = next;
    for (var t = 0u; t < p.tokens; t++) {
        if owner[image + t] == m {
            order[image + next] = t;
            inverse[image + t] = next;
            next++;
        }
    }
}
