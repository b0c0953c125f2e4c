// What an invocation of a channel-wise kernel works on: four neighbouring channels, which a software
// driver loads in little more than the time of two. Preceded by erf.wgsl.
alias Value = vec4f;
fn gelu_of_value(x: Value) -> Value {
    return vec4f(gelu_of(x.x), gelu_of(x.y), gelu_of(x.z), gelu_of(x.w));
}
