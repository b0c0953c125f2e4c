// spread(v), the values that the LANES invocations of a subgroup hold in v, for all of them: here
// there is one lane, and nothing is spread. `lib::spread` is this file where LANES = 1.

fn spread(v: f32) -> array<f32, 1> {
    return array<f32, 1>(v);
}
