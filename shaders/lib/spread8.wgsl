// spread(v), the values that the LANES invocations of a subgroup hold in v, for all of them.
// `lib::spread` is this file where LANES = 8.
//
// Where lanes are loaded one after another, as on a software driver, a value that all of them need
// is loaded by one: 8 different values at the cost of one load. The lanes must be in step: a
// workgroup of whole subgroups, none of whose invocations has returned. It is written out because
// the lane of a broadcast must be a constant expression.

fn spread(v: f32) -> array<f32, 8> {
    return array<f32, 8>(
        subgroupBroadcast(v, 0u), subgroupBroadcast(v, 1u),
        subgroupBroadcast(v, 2u), subgroupBroadcast(v, 3u),
        subgroupBroadcast(v, 4u), subgroupBroadcast(v, 5u),
        subgroupBroadcast(v, 6u), subgroupBroadcast(v, 7u),
    );
}
