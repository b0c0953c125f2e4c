// A stable counting sort of tokens by their owner, in three kernels, for every image of a batch.
//
// Bindings: owner [B, N] u32 below M; starts [B, M, chunks] u32; order, inverse [B, N] u32.
// The tokens are cut into chunks of CHUNK. `sort_count` counts the tokens of every (owner, chunk);
// `sort_scan` turns the counts into the place of each one's first token, which is a prefix sum
// in this very memory order; `sort_place` writes them there. One invocation owns an (owner, chunk)
// and walks its tokens in order, which makes the sort stable and needs no atomics.
//
// Grid: count and place: one invocation per (b, owner, chunk), folded; scan: a workgroup per b.

struct Params { tokens: u32, centres: u32, chunks: u32, lists: u32 } // lists = B·M·chunks
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> owner: array<u32>;
@group(0) @binding(1) var<storage, read_write> counts: array<u32>; // of sort_count
@group(0) @binding(0) var<storage, read_write> scanned: array<u32>; // of sort_scan, in place
@group(0) @binding(1) var<storage, read> starts: array<u32>; // of sort_place
@group(0) @binding(2) var<storage, read_write> order: array<u32>;
@group(0) @binding(3) var<storage, read_write> inverse: array<u32>;

// Neighbouring invocations take neighbouring owners of one chunk: they read the same tokens.
struct List { b: u32, m: u32, chunk: u32 }
fn list(i: u32) -> List {
    let m = i % p.centres;
    let chunk = i / p.centres % p.chunks;
    return List(i / (p.centres * p.chunks), m, chunk);
}

@compute @workgroup_size(WG)
fn sort_count(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
              @builtin(local_invocation_index) local: u32) {
    let i = (id.y * groups.x + id.x) * WG + local;
    if i >= p.lists { return; }
    let l = list(i);
    let end = min((l.chunk + 1u) * CHUNK, p.tokens);
    var count = 0u;
    for (var t = l.chunk * CHUNK; t < end; t++) {
        count += select(0u, 1u, owner[l.b * p.tokens + t] == l.m);
    }
    counts[(l.b * p.centres + l.m) * p.chunks + l.chunk] = count;
}

var<workgroup> sums: array<u32, WG>;

@compute @workgroup_size(WG)
fn sort_scan(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) local: u32) {
    let n = p.centres * p.chunks;
    let base = id.x * n;
    let share = (n + WG - 1u) / WG;
    let first = min(local * share, n);
    let end = min(first + share, n);
    var sum = 0u;
    for (var i = first; i < end; i++) { sum += scanned[base + i]; }
    sums[local] = sum;
    workgroupBarrier();
    var place = 0u;
    for (var i = 0u; i < local; i++) { place += sums[i]; }
    for (var i = first; i < end; i++) {
        let count = scanned[base + i];
        scanned[base + i] = place;
        place += count;
    }
}

@compute @workgroup_size(WG)
fn sort_place(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
              @builtin(local_invocation_index) local: u32) {
    let i = (id.y * groups.x + id.x) * WG + local;
    if i >= p.lists { return; }
    let l = list(i);
    let base = l.b * p.tokens;
    let end = min((l.chunk + 1u) * CHUNK, p.tokens);
    var place = starts[(l.b * p.centres + l.m) * p.chunks + l.chunk];
    for (var t = l.chunk * CHUNK; t < end; t++) {
        if owner[base + t] == l.m {
            order[base + place] = t;
            inverse[base + t] = place;
            place++;
        }
    }
}
