// How the tuned attention kernels share their work, and load what they walk over.

import package::lib::attention::{p, list_of};
import package::lib::spread::spread;
import package::lib::vec::V;
import constants::{LANES, R, BLOCK, FOURS};

// A tile is R·LANES consecutive slots of one list: each of its LANES invocations holds the R slots
// first, first + LANES, … in registers.
struct Tile { first: u32, list: u32, head: u32, group: u32, batch: u32 } // list: less p.first

fn tile_of(number: u32, lane: u32, slots_per_group: u32) -> Tile {
    let tiles = (slots_per_group + R * LANES - 1u) / (R * LANES);
    let number_of_list = number / tiles;
    let list = list_of(p.first + number_of_list);
    let first = number % tiles * (R * LANES) + lane;
    return Tile(first, number_of_list, list.head, list.group, list.batch);
}

// A step loads BLOCK packed keys or queries of FOURS fours, STEP at once: where a block has fewer
// than LANES, SHARE lanes load a part of one each, and all of them get what they need by spread.
const SHARE = max(LANES / BLOCK, 1u);
const STEP = LANES / SHARE;
const LOADS = (FOURS + SHARE - 1u) / SHARE; // of each lane

// Where a part begins, in fours. The last one overlaps the one before if need be.
fn part_start(part: u32) -> u32 { return min(part * LOADS, FOURS - LOADS); }

// Number c of all the STEP packed keys or queries whose parts the lanes hold.
fn spread_number(part: array<V, LOADS>, c: u32) -> array<f32, STEP> {
    let four = c / 4u;
    let all = spread(part[four - part_start(four / LOADS)][c % 4u]);
    var numbers: array<f32, STEP>;
    for (var l = 0u; l < STEP; l++) { numbers[l] = all[four / LOADS * STEP + l]; }
    return numbers;
}
