// The gradient of attention by its keys and values: attention_dq.wgsl has the formulas.
//
// Inputs q [B, N, H·DK], k [B, M, H·DK], v [B, M, H·DV], dy [B, slots, H·DV],
// queries [B, H, slots] of Query (by attention_prepare), key_rows [groups · keys];
// outputs dk [B, key slots, H·DK], dv [B, key slots, H·DV].
// Grid: as attention.wgsl, R key slots in registers, walking over the queries of their group.

struct Params {
    count: u32, groups: u32, queries: u32, keys: u32, // count of invocations; per group
    rows: u32, key_rows: u32, scale: f32,             // N, M; scale · log2(e)
}
var<immediate> p: Params;

struct Query { row: u32, lse: f32, delta: f32 } // lse in units of log2, delta is D

const NONE = 0xffffffffu;

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read> queries: array<Query>;
@group(0) @binding(5) var<storage, read> key_rows: array<u32>;
@group(0) @binding(6) var<storage, read_write> dk: array<f32>;
@group(0) @binding(7) var<storage, read_write> dv: array<f32>;

@compute @workgroup_size(WG)
fn attention_dkv(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u,
                 @builtin(local_invocation_index) local: u32) {
    let i = (id.y * workgroups.x + id.x) * WG + local;
    if i >= p.count { return; }
    let tiles = (p.keys + R - 1u) / R;
    let first = i % tiles * R; // this invocation's first slot in its group
    let head = i / tiles % H;
    let group = i / (tiles * H) % p.groups;
    let batch = i / (tiles * H * p.groups);
    let last = p.keys - 1u;
    let slots = p.groups * p.queries;

    var key: array<array<f32, DK>, R>;
    var value: array<array<f32, DV>, R>;
    var key_acc: array<array<f32, DK>, R>;
    var value_acc: array<array<f32, DV>, R>;
    for (var r = 0u; r < R; r++) {
        let row = key_rows[group * p.keys + min(first + r, last)];
        let base = (batch * p.key_rows + row) * H + head;
        for (var d = 0u; d < DK; d++) {
            key[r][d] = k[base * DK + d] * p.scale;
            key_acc[r][d] = 0.0;
        }
        for (var d = 0u; d < DV; d++) {
            value[r][d] = v[base * DV + d];
            value_acc[r][d] = 0.0;
        }
    }

    for (var j = 0u; j < p.queries; j++) {
        let slot = group * p.queries + j;
        let query = queries[(batch * H + head) * slots + slot];
        let live = query.row != NONE;
        let base = (batch * p.rows + select(0u, query.row, live)) * H + head;
        let dy_base = ((batch * slots + slot) * H + head) * DV;
        var qs: array<f32, DK>;
        var dys: array<f32, DV>;
        for (var d = 0u; d < DK; d++) { qs[d] = select(0.0, q[base * DK + d], live); }
        for (var d = 0u; d < DV; d++) { dys[d] = select(0.0, dy[dy_base + d], live); }
        for (var r = 0u; r < R; r++) {
            var s = -query.lse;
            for (var d = 0u; d < DK; d++) { s = fma(qs[d], key[r][d], s); }
            let probability = exp2(s);
            var ds = -query.delta;
            for (var d = 0u; d < DV; d++) { ds = fma(dys[d], value[r][d], ds); }
            ds *= probability;
            for (var d = 0u; d < DK; d++) { key_acc[r][d] = fma(ds, qs[d], key_acc[r][d]); }
            for (var d = 0u; d < DV; d++) {
                value_acc[r][d] = fma(probability, dys[d], value_acc[r][d]);
            }
        }
    }

    for (var r = 0u; r < R; r++) {
        if first + r > last { continue; }
        let slot = batch * p.groups * p.keys + group * p.keys + first + r;
        let base = slot * H + head;
        for (var d = 0u; d < DK; d++) {
            dk[base * DK + d] = key_acc[r][d] * (p.scale * 0.69314718);
        }
        for (var d = 0u; d < DV; d++) { dv[base * DV + d] = value_acc[r][d]; }
    }
}
