//! Memory for time: parts of the forward pass that are run again on the way back, or in parts.

use std::any::Any;
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use tensor::{Tensor, ops};

use crate::recording::{no_grad, with_recording};
use crate::tape::Var;

/// What [`once`] has computed in a part of the forward pass, in order.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<Box<dyn Any + Send>>>>);

/// A part that is being run.
struct Run {
    memory: Memory,
    done: usize, // of what is in the memory
    again: bool,
}

thread_local! {
    /// The innermost part that this thread is running.
    static RUN: RefCell<Option<Run>> = const { RefCell::new(None) };
}

fn with_run<T>(run: Option<Run>, f: impl FnOnce() -> T) -> T {
    struct Restore(Option<Run>);
    impl Drop for Restore {
        fn drop(&mut self) {
            RUN.set(self.0.take()); // also when `f` panics
        }
    }
    let _restore = Restore(RUN.replace(run));
    f()
}

/// `f(inputs)`, of which only the inputs and the result are kept: the walk back runs `f` again for
/// the rest, and goes on through what it notes then. No bit changes, provided that `f` gives the
/// same again; what it is to do a single time goes into [`once`].
///
/// Chen et al. 2016, "Training deep nets with sublinear memory cost".
///
/// ```
/// use autograd::{Var, gelu, mul, recompute, sum};
/// use tensor::{Device, Tensor};
/// # fn main() -> Result<(), tensor::Error> {
/// let device = Device::open(None)?;
/// let x = Var::parameter(Tensor::new(&device, &[0.5, -1.0, 2.0], &[3]));
/// let part = |x: &Var| mul(&gelu(x), x);
/// sum(&part(&x)).backward();
/// let kept = x.grad().expect("x was used").to_vec()?;
/// x.zero_grad();
/// sum(&recompute(&[&x], move |v| part(&v[0]))).backward();
/// assert_eq!(x.grad().expect("x was used").to_vec()?, kept);
/// # Ok(()) }
/// ```
pub fn recompute(inputs: &[&Var], f: impl Fn(&[Var]) -> Var + Send + 'static) -> Var {
    let inputs: Vec<Var> = inputs.iter().map(|&v| v.clone()).collect();
    let memory = once(Memory::default); // within a part that is run again, that of the first time
    let again = RUN.with_borrow(|run| run.as_ref().is_some_and(|run| run.again));
    let start = |memory, again| {
        Some(Run {
            memory,
            done: 0,
            again,
        })
    };
    // Noted and dropped, not run without noting: ops may take other kernels then.
    let y = with_run(start(memory.clone(), again), || f(&inputs));
    if !y.needs_grad() {
        return y;
    }
    let (values, nodes): (Vec<Tensor>, Vec<_>) = inputs.into_iter().map(Var::into_parts).unzip();
    let (y, _) = y.into_parts();
    Var::noted(y, nodes, move |dy, grads| {
        let input = |(i, value)| grads.input(i, value);
        let inputs: Vec<Var> = values.into_iter().enumerate().map(input).collect();
        let run = || with_run(start(memory, true), || f(&inputs));
        grads.go_on_through(with_recording(true, run), dy);
    })
}

/// What `f` gives, run a single time: when [`recompute`] runs the part of the forward pass again that
/// this is in, it hands out what the first run got, and what else `f` does is not done again.
/// Outside of such a part it just runs. Either way the result is data: no gradient flows through.
///
/// ```
/// # use std::sync::atomic::{AtomicUsize, Ordering};
/// # use autograd::{Var, recompute, scale};
/// # use tensor::{Device, Tensor};
/// # fn main() -> Result<(), tensor::Error> {
/// # let device = Device::open(None)?;
/// let x = Var::parameter(Tensor::full(&device, 3.0, &[1]));
/// static CALLS: AtomicUsize = AtomicUsize::new(0);
/// let y = recompute(&[&x], |v| {
///     let factor = autograd::once(|| CALLS.fetch_add(1, Ordering::Relaxed) + 1);
///     scale(&v[0], factor as f32)
/// });
/// y.backward(); // runs it again
/// assert_eq!(CALLS.load(Ordering::Relaxed), 1);
/// assert_eq!(x.grad().expect("x was used").item()?, 1.0);
/// # Ok(()) }
/// ```
///
/// # Panics
/// If the part calls for other things when it is run again.
#[track_caller]
pub fn once<T: Clone + Send + 'static>(f: impl FnOnce() -> T) -> T {
    let run = RUN.with_borrow_mut(|run| {
        let run = run.as_mut()?;
        run.done += 1;
        Some((run.memory.clone(), run.done - 1, run.again))
    });
    // `f` is not run again: what it asks for in its turn is not kept.
    let compute = || with_run(None, || no_grad(f));
    match run {
        None => compute(),
        Some((memory, at, true)) => {
            let kept = memory.0.lock();
            let value = kept.get(at).and_then(|value| value.downcast_ref::<T>());
            let Some(value) = value else {
                panic!("once: the part does other things when it is run again")
            };
            value.clone()
        }
        Some((memory, _, false)) => {
            let value = compute();
            memory.0.lock().push(Box::new(value.clone()));
            value
        }
    }
}

/// `f` of parts of the `inputs`, which are along their first axis: of images of a batch, say, too large
/// to be worked on together. The results are put one after another; a parameter's gradient is the
/// sum over the parts.
///
/// # Panics
/// If the parts are not from the first item to the last, one after another.
pub fn in_parts(inputs: &[&Var], parts: &[Range<usize>], f: impl Fn(&[Var]) -> Var) -> Var {
    let len = parts.last().map_or(0, |range| range.end);
    let mut tapes = Vec::with_capacity(parts.len());
    let results = parts.iter().map(|range| {
        let part = |x: &&Var| match ops::slice(x.value(), range.clone()) {
            part if x.needs_grad() => Var::parameter(part),
            part => Var::constant(part),
        };
        let inputs: Vec<Var> = inputs.iter().map(part).collect();
        let (y, node) = f(&inputs).into_parts();
        let leaves: Vec<_> = inputs.into_iter().map(|x| x.into_parts().1).collect();
        tapes.push((range.clone(), leaves, node));
        y
    });
    let value = ops::concat(len, results);
    if tapes.iter().all(|(_, _, node)| node.is_none()) {
        return Var::constant(value);
    }
    let nodes = inputs.iter().map(|&x| x.clone().into_parts().1).collect();
    let items: Vec<_> = inputs.iter().map(|x| x.shape()[1..].to_vec()).collect();
    let counts: Vec<_> = parts.iter().map(Range::len).collect();
    let mut gradients = vec![vec![]; inputs.len()]; // of the parts
    Var::noted(value, nodes, move |dy, grads| {
        for (range, leaves, node) in tapes {
            if let Some(node) = node {
                node.walk_back(ops::slice(dy, range));
            }
            for (of, leaf) in gradients.iter_mut().zip(leaves) {
                of.push(leaf.and_then(|leaf| leaf.take_gradient()));
            }
        }
        for (input, parts) in gradients.into_iter().enumerate() {
            if parts.iter().all(Option::is_none) {
                continue;
            }
            // A part that does not use the input has none.
            let shape = |count| [&[count], &items[input][..]].concat();
            let zeros = |count| Tensor::full(dy.device(), 0.0, &shape(count));
            let parts = parts.into_iter().zip(&counts);
            let parts =
                parts.map(|(part, &count): (Option<_>, _)| part.unwrap_or_else(|| zeros(count)));
            grads.give(input, || ops::concat(len, parts));
        }
    })
}
