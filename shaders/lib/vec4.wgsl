// V, what a kernel loads and stores at once: here four numbers, where the channels can be divided
// so, as a load of four costs little more than one. `lib::vec` is this file where VEC = 4.

alias V = vec4f;

fn sum_of(v: V) -> f32 { return (v.x + v.y) + (v.z + v.w); }
