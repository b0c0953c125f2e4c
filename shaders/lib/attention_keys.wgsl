// How attention.wgsl and attention_backward_q.wgsl walk over the packed keys, bindings 1 and 2.

import package::lib::attention::p;
import package::lib::attention_tile::{Tile, STEP, LOADS, part_start};
import package::lib::vec::V;
import constants::{HEADS, FOURS, LISTED};

@group(0) @binding(1) var<storage, read> keys: array<V1>;
@group(0) @binding(2) var<storage, read> key_rows: array<u32>;

// The lane's part of key j of the tile's list, or of the last one beyond the end.
fn key_part(tile: Tile, lane: u32, j: u32) -> array<V, LOADS> {
    var key = tile.list * p.keys + min(j, p.keys - 1u);
    if LISTED == 0u {
        let row = key_rows[tile.group * p.keys + min(j, p.keys - 1u)];
        key = (tile.batch * p.key_rows + row) * HEADS + tile.head;
    }
    var part: array<V, LOADS>;
    for (var f = 0u; f < LOADS; f++) {
        part[f] = V(keys[key * FOURS + part_start(lane / STEP) + f]);
    }
    return part;
}
