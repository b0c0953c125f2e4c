// What the tuned attention kernels share: sizes, what is packed for one head of a row, and lists.

import constants::{HEADS, DK, DV};

struct Params {
    count: u32, first: u32,               // tiles, or what is packed; the first of their lists
    groups: u32, queries: u32, keys: u32, // G; Q and K, of each group
    rows: u32, key_rows: u32, scale: f32, // Nq, Nk; scale · log2(e): scores are exponents of 2
}
var<immediate> p: Params;

const NONE = 0xffffffffu; // an empty slot
const LOW = -1e30;        // below every score, yet finite

// What attention_pack.wgsl packs for one head of a row or slot: of a key k, v, in KEY_FOURS fours;
// of a query, in QUERY_FOURS, q · scale, dy, and then two numbers for the gradient, the score's
// start (−lse in units of log2; LOW for an empty slot) and Σ dy·y.
const START = DK + DV;
const DELTA = START + 1u;
const KEY_FOURS = (DK + DV + 3u) / 4u;
const QUERY_FOURS = (DK + DV + 5u) / 4u;

// The slots of one group for one head. Lists are numbered by batch, group and head.
struct List { head: u32, group: u32, batch: u32 }

fn list_of(number: u32) -> List {
    return List(number % HEADS, number / HEADS % p.groups, number / (HEADS * p.groups));
}
