// Attention of listed rows to listed rows: y = softmax(q·k·scale)·v per group and head.
//
// Inputs q [B, N, H·DK], k [B, M, H·DK], v [B, M, H·DV] f32; query_rows [groups · queries] (NONE:
// an empty slot), key_rows [groups · keys] u32. Outputs y [B, groups · queries, H·DV] and
// lse [B, H, groups · queries], the log of the softmax's denominator; zeros in empty slots.
// Grid: an invocation holds R consecutive slots of one head in registers and walks over the keys
// of its group. Every load of a key then serves R rows: on the software driver, where a load costs
// as much as dozens of FMAs, R alone decides the speed. Scores are never stored: the softmax is
// taken online. Keys come KB at a time, so that sums are rescaled only once a block.

struct Params {
    count: u32, groups: u32, queries: u32, keys: u32, // count of invocations; per group
    rows: u32, key_rows: u32, scale: f32,             // N, M; scale · log2(e)
}
var<immediate> p: Params;

const NONE = 0xffffffffu;
const LOW = -1e30; // below every score, yet finite

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read> query_rows: array<u32>;
@group(0) @binding(4) var<storage, read> key_rows: array<u32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read_write> lse: array<f32>;

@compute @workgroup_size(WG)
fn attention(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u,
             @builtin(local_invocation_index) local: u32) {
    let i = (id.y * workgroups.x + id.x) * WG + local;
    if i >= p.count { return; }
    let tiles = (p.queries + R - 1u) / R;
    let first = i % tiles * R; // this invocation's first slot in its group
    let head = i / tiles % H;
    let group = i / (tiles * H) % p.groups;
    let batch = i / (tiles * H * p.groups);
    let last = p.queries - 1u;

    var qs: array<array<f32, DK>, R>; // scaled, so that scores are exponents of 2
    var acc: array<array<f32, DV>, R>;
    var top: array<f32, R>; // the running maximum
    var sum: array<f32, R>;
    for (var r = 0u; r < R; r++) {
        let row = query_rows[group * p.queries + min(first + r, last)];
        let base = ((batch * p.rows + select(row, 0u, row == NONE)) * H + head) * DK;
        for (var d = 0u; d < DK; d++) { qs[r][d] = q[base + d] * p.scale; }
        for (var d = 0u; d < DV; d++) { acc[r][d] = 0.0; }
        top[r] = LOW;
        sum[r] = 0.0;
    }

    for (var block = 0u; block < p.keys; block += KB) {
        var base: array<u32, KB>;
        var s: array<array<f32, KB>, R>;
        for (var j = 0u; j < KB; j++) {
            let row = key_rows[group * p.keys + min(block + j, p.keys - 1u)];
            base[j] = (batch * p.key_rows + row) * H + head;
            var key: array<f32, DK>;
            for (var d = 0u; d < DK; d++) { key[d] = k[base[j] * DK + d]; }
            let start = select(LOW, 0.0, block + j < p.keys); // keys past the end get no weight
            for (var r = 0u; r < R; r++) {
                s[r][j] = start;
                for (var d = 0u; d < DK; d++) { s[r][j] = fma(qs[r][d], key[d], s[r][j]); }
            }
        }
        for (var r = 0u; r < R; r++) {
            var high = top[r];
            for (var j = 0u; j < KB; j++) { high = max(high, s[r][j]); }
            let shrink = exp2(top[r] - high);
            top[r] = high;
            sum[r] *= shrink;
            for (var d = 0u; d < DV; d++) { acc[r][d] *= shrink; }
            for (var j = 0u; j < KB; j++) {
                s[r][j] = exp2(s[r][j] - high);
                sum[r] += s[r][j];
            }
        }
        for (var j = 0u; j < KB; j++) {
            var value: array<f32, DV>;
            for (var d = 0u; d < DV; d++) { value[d] = v[base[j] * DV + d]; }
            for (var r = 0u; r < R; r++) {
                for (var d = 0u; d < DV; d++) { acc[r][d] = fma(s[r][j], value[d], acc[r][d]); }
            }
        }
    }

    let slots = p.groups * p.queries;
    for (var r = 0u; r < R; r++) {
        if first + r > last { break; }
        let slot = group * p.queries + first + r;
        let live = query_rows[slot] != NONE;
        let base = ((batch * slots + slot) * H + head) * DV;
        for (var d = 0u; d < DV; d++) { y[base + d] = select(0.0, acc[r][d] / sum[r], live); }
        lse[(batch * H + head) * slots + slot] =
            select(0.0, (top[r] + log2(sum[r])) * 0.69314718, live);
    }
}
