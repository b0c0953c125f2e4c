// How attention.wgsl and attention_dq.wgsl walk over keys; put before each of them.

const FOURS = KEY_FOURS;

/// The lane's part of the record of key j of the place's list, or of the last one beyond the end.
fn key_part(at: Place, lane: u32, j: u32) -> array<V, LOADS> {
    var record = at.list * p.keys + min(j, p.keys - 1u);
    if LISTED == 0u {
        let row = key_rows[at.group * p.keys + min(j, p.keys - 1u)];
        record = (at.batch * p.key_rows + row) * H + at.head;
    }
    var part: array<V, LOADS>;
    for (var f = 0u; f < LOADS; f++) { part[f] = V(keys[record * FOURS + part_start(lane / STEP) + f]); }
    return part;
}

