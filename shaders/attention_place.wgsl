// What the attention kernels share; put before each of them.

struct Params {
    count: u32, groups: u32, queries: u32, keys: u32, // count of tiles; per group
    rows: u32, key_rows: u32, scale: f32,             // N, M; scale · log2(e)
}
var<immediate> p: Params;

const NONE = 0xffffffffu; // an empty slot
const LOW = -1e30;        // below every score, yet finite

/// What attention_records.wgsl packs for a row or slot and one head, in so many fours: of a key k, v; of
/// a query q · scale, dy, and then two numbers for the gradient, the score's start (−lse in units
/// of log2; LOW for an empty slot) and Σ dy·y. An even number, so that two lanes can share a load.
const FOURS = (DK + DV + 9u) / 8u * 2u;
const START = DK + DV;
const DELTA = START + 1u;

/// A step loads BLOCK records, STEP at once: where a block has fewer than LANES, as many lanes as
/// SHARE it load a part of one record each, and all of them get what they need by spread.
const SHARE = max(LANES / BLOCK, 1u);
const STEP = LANES / SHARE;
const PART = 4u * FOURS / SHARE; // numbers

/// Number c of the STEP records whose parts the lanes hold: from element c / PART · STEP on.
fn spread_number(part: array<V, FOURS / SHARE>, c: u32) -> array<f32, LANES> {
    return spread(part[c % PART / 4u][c % 4u]);
}

/// A tile of R·LANES consecutive slots of one group and head: each of its LANES invocations holds
/// the R slots first, first + LANES, … in registers.
struct Place { first: u32, head: u32, group: u32, batch: u32 }

fn place(tile: u32, lane: u32, slots_per_group: u32) -> Place {
    let tiles = (slots_per_group + R * LANES - 1u) / (R * LANES);
    return Place(
        tile % tiles * (R * LANES) + lane,
        tile / tiles % H,
        tile / (tiles * H) % p.groups,
        tile / (tiles * H * p.groups),
    );
}

/// 2^x of each, for x below 100. Written out for a software driver: Mesa's own exp2 is twice as long
/// at 512 bits, and sums that need not wait for each other keep the processor's pipelines full.
fn powers_of_2(x: array<f32, BLOCK>) -> array<f32, BLOCK> {
    var y: array<f32, BLOCK>;
    if LANES == 1u {
        for (var b = 0u; b < BLOCK; b++) { y[b] = exp2(x[b]); }
        return y;
    }
    var low: array<f32, BLOCK>;
    var f: array<f32, BLOCK>;
    for (var b = 0u; b < BLOCK; b++) { low[b] = select(x[b], -126.0, x[b] < -126.0); }
    for (var b = 0u; b < BLOCK; b++) { f[b] = low[b] - round(low[b]); } // [−1/2, 1/2]
    // The minimax polynomial of degree 5: 7.5e-8.
    for (var b = 0u; b < BLOCK; b++) { y[b] = fma(0.0013276471, f[b], 0.009675541); }
    for (var b = 0u; b < BLOCK; b++) { y[b] = fma(y[b], f[b], 0.05550713); }
    for (var b = 0u; b < BLOCK; b++) { y[b] = fma(y[b], f[b], 0.2402212); }
    for (var b = 0u; b < BLOCK; b++) { y[b] = fma(y[b], f[b], 0.69314694); }
    for (var b = 0u; b < BLOCK; b++) { y[b] = fma(y[b], f[b], 1.0000001); }
    // Added to 1.5·2^23 a number is rounded, and stands in the last bits: moved up, in the exponent.
    for (var b = 0u; b < BLOCK; b++) {
        y[b] = bitcast<f32>(bitcast<i32>(y[b]) + (bitcast<i32>(low[b] + 12582912.0) << 23u));
    }
    return y;
}
