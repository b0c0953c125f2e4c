// Token centres: the sums of their tokens, their refinement, and the initial ones.
//
// Constants: WG; C, the channels; M, the centres; PARTS of a centre's sum.
// Params: count, the elements of the output; batch, B; tokens, N; chunks, of
// starts (pool_tokens: any).
// Grid: one invocation per element of the output.

import package::lib::index::{Grid, index};
import constants::{WG, C, M, PARTS};

struct Params { count: u32, batch: u32, tokens: u32, chunks: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read> order: array<u32>;
@group(0) @binding(2) var<storage, read> starts: array<u32>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;

// Where the tokens of image b's centre m begin in order.
fn first_of(b: u32, m: u32) -> u32 {
    if m >= M { return p.tokens; }
    return starts[(b * M + m) * p.chunks];
}

// partial[b, part, m] = Σ x[b, order[b, t]] over every PARTS-th of the positions t of centre m's
// tokens, from its part-th on. Splitting shares out a crowded centre's work and keeps the sum's
// error small; sum_rows ends it.
//
// Bindings: x [B, N, C] f32 or f16; order [B, N] and starts [B, M, chunks] u32 by counting_sort.wgsl; output
// partial [B, PARTS, M, C].
@compute @workgroup_size(WG)
fn centre_sums(grid: Grid) {
    let i = index(grid);
    if i >= p.count { return; }
    let c = i % C;
    let m = i / C % M;
    let part = i / (C * M) % PARTS;
    let b = i / (C * M * PARTS);
    let end = first_of(b, m + 1u);
    var sum = 0.0;
    for (var t = first_of(b, m) + part; t < end; t += PARTS) {
        sum += f32(x[(b * p.tokens + order[b * p.tokens + t]) * C + c]);
    }
    partial[i] = sum;
}

@group(0) @binding(0) var<storage, read> fresh: array<f32>;
@group(0) @binding(1) var<storage, read> old: array<f32>;
@group(0) @binding(3) var<storage, read_write> kept: array<f32>;

// kept[m] = fresh[m], or old[m] where no image of the batch has a token of centre m.
//
// Bindings: fresh, old [M, C]; starts [B, M, chunks] u32; output kept [M, C]; f32.
@compute @workgroup_size(WG)
fn keep_empty(grid: Grid) {
    let i = index(grid);
    if i >= p.count { return; }
    let m = i / C;
    var count = 0u;
    for (var b = 0u; b < p.batch; b++) { count += first_of(b, m + 1u) - first_of(b, m); }
    kept[i] = select(old[i], fresh[i], count > 0u);
}

@group(0) @binding(1) var<storage, read_write> pooled: array<f32>;

// The initial centres: the tokens, with the last `pad` mirrored behind them, are cut into M equal
// runs; each run's mean over the batch. pad = M − N mod M, a full M where M divides N.
//
// Bindings: x [B, N, C] f32 or f16, output pooled [M, C].
@compute @workgroup_size(WG)
fn pool_tokens(grid: Grid) {
    let i = index(grid);
    if i >= p.count { return; }
    let c = i % C;
    let run = p.tokens / M + 1u;
    let first = i / C * run;
    var mean = 0.0;
    for (var b = 0u; b < p.batch; b++) {
        var sum = 0.0;
        for (var j = first; j < first + run; j++) {
            // Mirrored, back and forth where there are fewer tokens than the pad.
            let around = j % (2u * p.tokens);
            let t = select(around, 2u * p.tokens - 1u - around, around >= p.tokens);
            sum += f32(x[(b * p.tokens + t) * C + c]);
        }
        mean += sum / f32(run);
    }
    pooled[i] = mean / f32(p.batch);
}
