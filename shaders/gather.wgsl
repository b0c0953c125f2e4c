// Rows taken by a list, and the derivative: the sum over the slots that took each row.
//
// gather:      inputs x [B, rows, C] f32, index [B or 1, slots] u32; output y [B, slots, C].
//              index NONE gives a row of zeros.
// segment_sum: inputs y [B, slots, C] f32, offsets [rows + 1] u32, list [≥ 1] u32;
//              output x [B, rows, C]; row r sums the slots list[offsets[r] .. offsets[r + 1]].
// Grid: `parts` invocations per output row, which take its channels in turn; folded into two
// dimensions. A GPU takes parts = C (neighbours write neighbours); the software driver, which
// loads lane by lane anyway, takes parts = 1 and so reads the index once a row.

struct Params { slots: u32, rows: u32, channels: u32, parts: u32, count: u32, index_stride: u32 }
var<immediate> p: Params;

const NONE = 0xffffffffu;
const CHUNK = 32u; // slots per partial sum: keeps the rounding of long sums small

@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read> index: array<u32>; // or offsets
@group(0) @binding(2) var<storage, read_write> gathered: array<f32>;
@group(0) @binding(2) var<storage, read> list: array<u32>;
@group(0) @binding(3) var<storage, read_write> summed: array<f32>;

@compute @workgroup_size(WG)
fn gather(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
          @builtin(local_invocation_index) local: u32) {
    let i = (id.y * groups.x + id.x) * WG + local;
    if i >= p.count { return; }
    let part = i % p.parts;
    let out = i / p.parts; // over batch and slots
    let batch = out / p.slots;
    let row = index[batch * p.index_stride + out % p.slots];
    let base = (batch * p.rows + select(row, 0u, row == NONE)) * p.channels;
    for (var c = part; c < p.channels; c += p.parts) {
        gathered[out * p.channels + c] = select(source[base + c], 0.0, row == NONE);
    }
}

@compute @workgroup_size(WG)
fn segment_sum(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
               @builtin(local_invocation_index) local: u32) {
    let i = (id.y * groups.x + id.x) * WG + local;
    if i >= p.count { return; }
    let part = i % p.parts;
    let out = i / p.parts; // over batch and rows
    let row = out % p.rows;
    let base = out / p.rows * p.slots;
    let end = index[row + 1u];
    for (var c = part; c < p.channels; c += p.parts) {
        var sum = 0.0;
        for (var chunk = index[row]; chunk < end; chunk += CHUNK) {
            var partial = 0.0;
            for (var j = chunk; j < min(chunk + CHUNK, end); j++) {
                partial += source[(base + list[j]) * p.channels + c];
            }
            sum += partial;
        }
        summed[out * p.channels + c] = sum;
    }
}
