// Attention of listed rows to listed rows: y = softmax(q·k·scale)·v per group and head.
//
// Inputs q [B, N, H·DK], k [B, M, H·DK], v [B, M, H·DV] f32; query_rows [groups · queries] (NONE:
// an empty slot), key_rows [groups · keys] u32. Outputs y [B, groups · queries, H·DV] and
// lse [B, H, groups · queries], the log of the softmax's denominator; zeros in empty slots.
// Grid: an invocation holds R consecutive slots of one head in registers and walks over the keys
// of its group. Every load of a key then serves R rows: on the software driver, where a load costs
// as much as dozens of FMAs, R alone decides the speed. Scores are never stored: a row's sums are
// kept relative to a reference score, the first one or one that was far above it. (The running
// maximum would do as well, but correcting all sums for every key costs as much as the products.)

struct Params {
    count: u32, groups: u32, queries: u32, keys: u32, // count of invocations; per group
    rows: u32, key_rows: u32, scale: f32,             // N, M; scale · log2(e)
}
var<immediate> p: Params;

const NONE = 0xffffffffu;
const LOW = -1e30; // below every score, yet finite
const HEADROOM = 40.0; // of a score above the reference: sums stay below 2^40 · keys

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
    var top: array<f32, R>; // the reference
    var sum: array<f32, R>;
    for (var r = 0u; r < R; r++) {
        let row = query_rows[group * p.queries + min(first + r, last)];
        let base = ((batch * p.rows + select(row, 0u, row == NONE)) * H + head) * DK;
        for (var d = 0u; d < DK; d++) { qs[r][d] = q[base + d] * p.scale; }
        for (var d = 0u; d < DV; d++) { acc[r][d] = 0.0; }
        top[r] = LOW;
        sum[r] = 0.0;
    }

    var s: array<f32, R>;
    var j = 0u;
    var raised_at = NONE; // the key that the references were last raised for
    loop {
        loop { // over the keys, as long as no score is far above its row's reference
            let base = (batch * p.key_rows + key_rows[group * p.keys + j]) * H + head;
            var key: array<f32, DK>;
            for (var d = 0u; d < DK; d++) { key[d] = k[base * DK + d]; }
            var excess = 0.0;
            for (var r = 0u; r < R; r++) {
                s[r] = 0.0;
                for (var d = 0u; d < DK; d++) { s[r] = fma(qs[r][d], key[d], s[r]); }
                excess = max(excess, s[r] - top[r]);
            }
            if excess > HEADROOM && j != raised_at { break; } // once a key: NaNs end as well
            var value: array<f32, DV>;
            for (var d = 0u; d < DV; d++) { value[d] = v[base * DV + d]; }
            for (var r = 0u; r < R; r++) {
                let weight = exp2(s[r] - top[r]);
                sum[r] += weight;
                for (var d = 0u; d < DV; d++) { acc[r][d] = fma(weight, value[d], acc[r][d]); }
            }
            j += 1u;
            if j == p.keys { break; }
        }
        if j == p.keys { break; }
        raised_at = j;
        for (var r = 0u; r < R; r++) {
            let raised = max(top[r], s[r]);
            let shrink = exp2(top[r] - raised);
            top[r] = raised;
            sum[r] *= shrink;
            for (var d = 0u; d < DV; d++) { acc[r][d] *= shrink; }
        }
    }

    let slots = p.groups * p.queries;
    for (var r = 0u; r < R; r++) {
        if first + r > last { continue; }
        let slot = group * p.queries + first + r;
        let live = query_rows[slot] != NONE;
        let base = ((batch * slots + slot) * H + head) * DV;
        for (var d = 0u; d < DV; d++) { y[base + d] = select(0.0, acc[r][d] / sum[r], live); }
        lse[(batch * H + head) * slots + slot] =
            select(0.0, (top[r] + log2(sum[r])) * 0.69314718, live);
    }
}
