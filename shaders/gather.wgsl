// Rows taken by a list, and the derivative: the sum over the slots that took each row.
//
// gather:      inputs x [B, rows, C], index [B or 1, slots] u32; output y [B, slots, C].
//              index NONE gives a row of zeros.
// segment_sum: inputs y [B, slots, C], offsets [rows + 1] u32, list [≥ 1] u32;
//              output x [B, rows, C]; row r sums the slots list[offsets[r] .. offsets[r + 1]].
// x and y may be f16. Constants: VEC channels in a V, CV = C / VEC; PART V's for each invocation.
// Grid: CV / PART invocations per output row, folded into two dimensions; beyond the end, the last
// again. A GPU takes PART = 1 (neighbours write neighbours); the software driver, which loads lane
// by lane anyway, takes whole rows and so reads the index once a row.

struct Params { slots: u32, rows: u32, count: u32, index_stride: u32 }
var<immediate> p: Params;

const NONE = 0xffffffffu;
const CHUNK = 32u; // slots per partial sum: keeps the rounding of long sums small
const PARTS = CV / PART;

@group(0) @binding(0) var<storage, read> source: array<V0>;
@group(0) @binding(1) var<storage, read> index: array<u32>; // or offsets
@group(0) @binding(2) var<storage, read_write> gathered: array<V2>;
@group(0) @binding(2) var<storage, read> list: array<u32>;
@group(0) @binding(3) var<storage, read_write> summed: array<V3>;

@compute @workgroup_size(WG)
fn gather(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
          @builtin(local_invocation_index) local: u32) {
    let i = min((id.y * groups.x + id.x) * WG + local, p.count - 1u);
    let first = i % PARTS * PART;
    let out = i / PARTS; // over batch and slots
    let batch = out / p.slots;
    let row = index[batch * p.index_stride + out % p.slots];
    let base = (batch * p.rows + select(row, 0u, row == NONE)) * CV;
    for (var c = first; c < first + PART; c++) {
        gathered[out * CV + c] = V2(select(V(source[base + c]), V(), row == NONE));
    }
}

@compute @workgroup_size(WG)
fn segment_sum(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
               @builtin(local_invocation_index) local: u32) {
    let i = min((id.y * groups.x + id.x) * WG + local, p.count - 1u);
    let first = i % PARTS * PART;
    let out = i / PARTS; // over batch and rows
    let row = out % p.rows;
    let base = out / p.rows * p.slots;
    let end = index[row + 1u];
    var sum: array<V, PART>;
    for (var chunk = index[row]; chunk < end; chunk += CHUNK) {
        var partial: array<V, PART>;
        for (var c = 0u; c < PART; c++) { partial[c] = V(); }
        for (var j = chunk; j < min(chunk + CHUNK, end); j++) {
            let slot = (base + list[j]) * CV + first;
            for (var c = 0u; c < PART; c++) { partial[c] += V(source[slot + c]); }
        }
        for (var c = 0u; c < PART; c++) { sum[c] += partial[c]; }
    }
    for (var c = 0u; c < PART; c++) { summed[out * CV + first + c] = V3(sum[c]); }
}
