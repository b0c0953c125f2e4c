// As plain/counting_sort.wgsl, in three kernels; 4 times as fast on a software driver (16 lanes),
// because the tokens are counted and placed by many invocations, CHUNK of them each.
//
// Bindings: sort_count: owner [B, N], output starts [B, M, chunks]; sort_scan: starts, changed;
// sort_place: owner, starts, outputs order, inverse [B, N]; all u32. chunks = ⌈N / CHUNK⌉.
// Constants: WG; CHUNK; LANES.
// Params: tokens, N; centres, M; chunks; count, the invocations.
// Grid: sort_count: LANES owners of a chunk per LANES invocations; sort_scan: a workgroup per
// image; sort_place: one invocation per position in a chunk. Those that are none do nothing.
//
// `sort_count` counts the tokens of every (owner, chunk); `sort_scan` turns the counts into the
// position of each one's first token, which is a prefix sum in this very memory order; `sort_place`
// adds to it how many tokens of the chunk before a token have its owner: the sort is stable, and
// needs no atomics. In count and place every lane loads one of LANES tokens, to be spread.

import package::lib::index::{Grid, index};
import package::lib::spread::spread;
import constants::{WG, CHUNK, LANES};

struct Params { tokens: u32, centres: u32, chunks: u32, count: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> owner: array<u32>;
@group(0) @binding(1) var<storage, read_write> counts: array<u32>; // of sort_count
@group(0) @binding(0) var<storage, read_write> scanned: array<u32>; // of sort_scan, in position
@group(0) @binding(1) var<storage, read> starts: array<u32>; // of sort_place
@group(0) @binding(2) var<storage, read_write> order: array<u32>;
@group(0) @binding(3) var<storage, read_write> inverse: array<u32>;

// The owners of the LANES tokens from t on, as numbers that `spread` takes; −1 beyond the end.
fn owners(b: u32, t: u32, lane: u32) -> array<f32, LANES> {
    let mine = f32(owner[b * p.tokens + min(t + lane, p.tokens - 1u)]);
    return spread(select(-1.0, mine, t + lane < p.tokens));
}

@compute @workgroup_size(WG)
fn sort_count(grid: Grid) {
    let i = index(grid);
    let lane = grid.local % LANES;
    let blocks = (p.centres + LANES - 1u) / LANES;
    let m = i / LANES % blocks * LANES + lane;
    let chunk = i / (LANES * blocks) % p.chunks;
    let b = min(i, p.count - 1u) / (LANES * blocks * p.chunks);
    var count = 0u;
    for (var t = chunk * CHUNK; t < (chunk + 1u) * CHUNK; t += LANES) {
        let others = owners(b, t, lane);
        for (var l = 0u; l < LANES; l++) { count += select(0u, 1u, others[l] == f32(m)); }
    }
    if i < p.count && m < p.centres { counts[(b * p.centres + m) * p.chunks + chunk] = count; }
}

var<workgroup> sums: array<u32, WG>;

@compute @workgroup_size(WG)
fn sort_scan(grid: Grid) {
    let n = p.centres * p.chunks;
    let base = grid.id.x * n;
    let share = (n + WG - 1u) / WG;
    let first = min(grid.local * share, n);
    let end = min(first + share, n);
    var sum = 0u;
    for (var i = first; i < end; i++) { sum += scanned[base + i]; }
    sums[grid.local] = sum;
    workgroupBarrier();
    var position = 0u;
    for (var i = 0u; i < grid.local; i++) { position += sums[i]; }
    for (var i = first; i < end; i++) {
        let count = scanned[base + i];
        scanned[base + i] = position;
        position += count;
    }
}

@compute @workgroup_size(WG)
fn sort_place(grid: Grid) {
    let i = index(grid);
    let lane = grid.local % LANES;
    let positions = p.chunks * CHUNK; // of an image
    let b = min(i, p.count - 1u) / positions;
    let t = i % positions;
    let chunk = t / CHUNK;
    let mine = owner[b * p.tokens + min(t, p.tokens - 1u)];
    var before = 0u;
    for (var first = chunk * CHUNK; first <= t - lane; first += LANES) {
        let others = owners(b, first, lane);
        for (var l = 0u; l < LANES; l++) {
            before += select(0u, 1u, others[l] == f32(mine) && first + l < t);
        }
    }
    if i >= p.count || t >= p.tokens { return; }
    let position = starts[(b * p.centres + mine) * p.chunks + chunk] + before;
    order[b * p.tokens + position] = t;
    inverse[b * p.tokens + t] = position;
}
