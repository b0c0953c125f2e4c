// What the attention kernels share; put before each of them.

struct Params {
    count: u32, first: u32, groups: u32, queries: u32, keys: u32, // tiles, their first list; per group
    rows: u32, key_rows: u32, scale: f32,                         // N, M; scale · log2(e)
}
var<immediate> p: Params;

const NONE = 0xffffffffu; // an empty slot
const LOW = -1e30;        // below every score, yet finite

/// What attention_records.wgsl packs for a row or slot and one head: of a key k, v, in KEY_FOURS fours;
/// of a query, in QUERY_FOURS, q · scale, dy, and then two numbers for the gradient, the score's start
/// (−lse in units of log2; LOW for an empty slot) and Σ dy·y.
const START = DK + DV;
const DELTA = START + 1u;

/// A step loads BLOCK records of FOURS fours, STEP at once: where a block has fewer than LANES,
/// SHARE lanes load a part of one record each, and all of them get what they need by spread.
const SHARE = max(LANES / BLOCK, 1u);
const STEP = LANES / SHARE;
const LOADS = (FOURS + SHARE - 1u) / SHARE; // of each lane

/// Where a part begins in its record, in fours. The last one overlaps the one before if need be.
fn part_start(part: u32) -> u32 { return min(part * LOADS, FOURS - LOADS); }

/// Number c of the STEP records whose parts the lanes hold.
fn spread_number(part: array<V, LOADS>, c: u32) -> array<f32, STEP> {
    let four = c / 4u;
    let all = spread(part[four - part_start(four / LOADS)][c % 4u]);
    var numbers: array<f32, STEP>;
    for (var l = 0u; l < STEP; l++) { numbers[l] = all[four / LOADS * STEP + l]; }
    return numbers;
}

/// A list is a group's for one head; they are numbered by batch, group and head, from p.first on.
/// A tile is R·LANES consecutive slots of one list: each of its LANES invocations holds the R slots first,
/// first + LANES, … in registers.
struct Place { first: u32, list: u32, head: u32, group: u32, batch: u32 } // list: less p.first

fn place(tile: u32, lane: u32, slots_per_group: u32) -> Place {
    let tiles = (slots_per_group + R * LANES - 1u) / (R * LANES);
    let list = tile / tiles;
    let at = place_of_list(p.first + list);
    return Place(tile % tiles * (R * LANES) + lane, list, at.head, at.group, at.batch);
}

fn place_of_list(list: u32) -> Place {
    return Place(0u, list, list % H, list / H % p.groups, list / (H * p.groups));
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
