//! What a tape notes, written down to be looked at: `catanet graph` draws it.

use std::cell::RefCell;
use std::time::Instant;

use tensor::Tensor;

/// An op that was noted.
#[derive(Debug, Clone, PartialEq)]
pub struct TracedOp {
    /// The number of its result, [`Var::id`](crate::Var::id).
    pub id: u64,
    /// Its function's name: `layer_norm`.
    pub name: &'static str,
    /// The numbers of its inputs; None for data, which no gradient flows into.
    pub inputs: Vec<Option<u64>>,
    /// The lengths of its result's axes, outermost first.
    pub shape: Vec<usize>,
    /// What its result takes on the device.
    pub bytes: usize,
    /// From the end of the op before to the end of this one, on the host's clock: all that was computed in
    /// between, ops that need no gradient included.
    pub seconds: f64,
}

struct Traced {
    ops: Vec<TracedOp>,
    since: Instant,
}

thread_local! {
    static TRACED: RefCell<Option<Traced>> = const { RefCell::new(None) };
}

/// Runs `f`, and lists the ops that this thread noted meanwhile. The device is waited for after each, so that
/// each has a time of its own: all together take longer than without.
pub fn trace<T>(f: impl FnOnce() -> T) -> (T, Vec<TracedOp>) {
    struct Stop;
    impl Drop for Stop {
        fn drop(&mut self) {
            TRACED.take(); // also when `f` panics
        }
    }
    TRACED.set(Some(Traced {
        ops: Vec::new(),
        since: Instant::now(),
    }));
    let stop = Stop;
    let result = f();
    let traced = TRACED.take();
    drop(stop);
    (result, traced.map(|traced| traced.ops).unwrap_or_default())
}

/// Lists an op, if anybody wants to know. `R` is its rule, which is a closure in its function and so has the
/// function's name in its own.
pub(crate) fn note<R>(id: u64, value: &Tensor, inputs: impl Iterator<Item = Option<u64>>) {
    TRACED.with_borrow_mut(|traced| {
        let Some(traced) = traced else {
            return;
        };
        // A device that is lost is told by whoever reads from it next.
        let _ = value.device().wait_idle();
        let size = if value.is_half() { 2 } else { 4 };
        traced.ops.push(TracedOp {
            id,
            name: function(std::any::type_name::<R>()),
            inputs: inputs.collect(),
            shape: value.shape().to_vec(),
            bytes: value.len() * size,
            seconds: traced.since.elapsed().as_secs_f64(),
        });
        traced.since = Instant::now();
    });
}

/// `layer_norm` of `autograd::rules::layer_norm::{{closure}}`.
fn function(name: &'static str) -> &'static str {
    let outside = name.split("::{{closure}}").next().unwrap_or(name);
    let outside = outside.split('<').next().unwrap_or(outside);
    outside.rsplit("::").next().unwrap_or(outside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closure_has_its_functions_name() {
        let closure = "autograd::rules::layer_norm::{{closure}}::{{closure}}";
        assert_eq!(function(closure), "layer_norm");
        assert_eq!(function("a::in_parts<b::c>::{{closure}}"), "in_parts");
    }
}
