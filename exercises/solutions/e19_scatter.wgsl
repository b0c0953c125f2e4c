// Results of slots, added up into the rows that the slots were taken from. A scatter would go over the slots and
// add each to its row: several at once to the same. So it is turned round: each row gathers its own slots.
//
//   y[row] = Σ x[slots[j]] over j from offsets[row] to before offsets[row + 1], in this order
//
// Bindings: x [S], offsets [ROWS + 1] u32, slots [S] u32, output y [ROWS]. Constant ROWS.
// Grid: at least ROWS invocations, in workgroups of 64.

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> offsets: array<u32>;
@group(0) @binding(2) var<storage, read> slots: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn gather_slots(@builtin(global_invocation_id) id: vec3u) {
    let row = id.x;
    if row >= ROWS { return; }
    var sum = 0.0;
    for (var j = offsets[row]; j < offsets[row + 1u]; j++) { sum += x[slots[j]]; }
    y[row] = sum;
}
