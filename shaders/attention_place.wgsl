// What the attention kernels share; put before each of them.

struct Params {
    count: u32, groups: u32, queries: u32, keys: u32, // count of tiles; per group
    rows: u32, key_rows: u32, scale: f32,             // N, M; scale · log2(e)
}
var<immediate> p: Params;

const NONE = 0xffffffffu; // an empty slot
const LOW = -1e30;        // below every score, yet finite

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

/// What the gradient needs of a query besides q and dy; lse in units of log2, delta is Σ dy·y.
struct Query { row: u32, lse: f32, delta: f32 }
