//! The tape: what a `Var` remembers, and the walk back.
//!
//! There is no global list. Every result of an op holds its node, and the node holds those of its
//! inputs: dropping the result drops the tape. Nodes are numbered as they are made, so an op's
//! number is above its inputs', and walking by falling number visits every op after all its users.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::{Deref, Range};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tensor::{Tensor, ops};

/// A tensor, and where gradients are wanted, the op that made it. Cloning shares both.
#[derive(Clone)]
pub struct Var {
    value: Tensor,
    node: Option<Arc<Node>>,
}

/// From the gradient of an op's output to those of its inputs (None: not wanted).
type Rule = Box<dyn FnOnce(&Tensor, &mut Sums) -> Vec<Option<Tensor>> + Send>;
/// Nodes that the walk back has yet to come to, by number, and the gradients they have so far.
type Waiting = BTreeMap<u64, (Arc<Node>, Tensor)>;
/// What the inputs of an op have been given by their other users so far.
pub(crate) struct Sums<'a> {
    waiting: &'a mut Waiting,
    inputs: &'a [Option<Arc<Node>>],
}

impl Sums<'_> {
    /// Hands out the sum of this input's gradients, if there is one, to a rule whose kernel adds to it
    /// what it gives for the input: no tensor of its own is written then, and none read for the sum.
    pub fn take(&mut self, input: usize) -> Option<Tensor> {
        let node = self.inputs[input].as_ref()?;
        self.waiting.remove(&node.id).map(|(_, sum)| sum)
    }
}

/// A part of the forward pass.
type Run = Box<dyn FnOnce(&[Var]) -> Var + Send>;

struct Node {
    id: u64,
    state: Mutex<State>,
}

enum State {
    /// A parameter: gradients end and add up here.
    Leaf { grad: Option<Tensor> },
    /// An op's result: the inputs' nodes and the rule, until the walk back has used them.
    Op {
        inputs: Vec<Option<Arc<Node>>>,
        rule: Rule,
    },
    /// The result of a part of the forward pass that kept nothing but what it began with: it is run
    /// again when the walk back comes to it.
    Replay { inputs: Vec<Var>, run: Run },
    /// An op's result whose rule has run; its saved tensors are back in the pool.
    Spent,
}

impl Node {
    fn new(state: State) -> Arc<Node> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let id = COUNT.fetch_add(1, Ordering::Relaxed);
        Arc::new(Node {
            id,
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The gradient that a leaf has collected; it has none then.
    fn take_gradient(&self) -> Option<Tensor> {
        match &mut *self.state() {
            State::Leaf { grad } => grad.take(),
            _ => None,
        }
    }

    /// The nodes that an unused op holds; it holds them no more.
    fn take_inputs(&mut self) -> Vec<Option<Arc<Node>>> {
        match self.state.get_mut().unwrap_or_else(PoisonError::into_inner) {
            State::Op { inputs, .. } => std::mem::take(inputs),
            State::Replay { inputs, .. } => inputs.drain(..).map(|v| v.node).collect(),
            _ => Vec::new(),
        }
    }
}

/// A tape that is dropped without a walk back is taken apart in a loop: node within node, a long
/// one would overflow the stack.
impl Drop for Node {
    fn drop(&mut self) {
        let mut rest = self.take_inputs();
        while let Some(node) = rest.pop() {
            if let Some(mut node) = node.and_then(Arc::into_inner) {
                rest.append(&mut node.take_inputs());
            }
        }
    }
}

thread_local! {
    static RECORDING: Cell<bool> = const { Cell::new(true) };
}

/// Whether ops of this thread note how they were made; not inside [`no_grad`].
pub fn is_recording() -> bool {
    RECORDING.get()
}

/// Runs `f` without noting anything, so that every intermediate result is freed on its last use.
pub fn no_grad<T>(f: impl FnOnce() -> T) -> T {
    with_recording(false, f)
}

fn with_recording<T>(recording: bool, f: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            RECORDING.set(self.0); // also when `f` panics
        }
    }
    let _restore = Restore(RECORDING.replace(recording));
    f()
}

/// `f(inputs)`, of which only the inputs and the result are kept: the walk back runs `f` again for
/// the rest, and goes on through what it notes then. Memory against time; all bits stay the same,
/// provided that `f` gives the same again. What else `f` does, it does twice.
///
/// Chen et al. 2016, "Training deep nets with sublinear memory cost".
pub fn checkpoint(inputs: &[&Var], f: impl Fn(&[Var]) -> Var + Send + 'static) -> Var {
    let inputs: Vec<Var> = inputs.iter().map(|&v| v.clone()).collect();
    // Noted and dropped, not run without noting: ops may take other kernels then.
    let y = f(&inputs);
    if !y.needs_grad() {
        return y;
    }
    let run: Run = Box::new(f);
    Var {
        value: y.value,
        node: Some(Node::new(State::Replay { inputs, run })),
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
        let part = |x: &&Var| match ops::slice(x, range.clone()) {
            part if x.needs_grad() => Var::parameter(part),
            part => Var::constant(part),
        };
        let inputs: Vec<Var> = inputs.iter().map(part).collect();
        let y = f(&inputs);
        let leaves: Vec<_> = inputs.into_iter().map(|x| x.node).collect();
        tapes.push((range.clone(), leaves, y.node));
        y.value
    });
    let value = ops::concat(len, results);
    if tapes.iter().all(|(_, _, node)| node.is_none()) {
        return Var::constant(value);
    }
    let count = inputs.len();
    let rule: Rule = Box::new(move |dy, _| {
        let mut gradients: Vec<Vec<Option<Tensor>>> = vec![];
        for (range, leaves, node) in tapes {
            if let Some(node) = node {
                walk_back(&node, ops::slice(dy, range));
            }
            gradients.push(
                leaves
                    .iter()
                    .map(|leaf| leaf.as_ref()?.take_gradient())
                    .collect(),
            );
        }
        let input = |i: usize| {
            let parts: Option<Vec<_>> = gradients.iter().map(|of| of[i].clone()).collect();
            parts.map(|parts| ops::concat(len, parts))
        };
        (0..count).map(input).collect()
    });
    let inputs = inputs.iter().map(|x| x.node.clone()).collect();
    Var {
        value,
        node: Some(Node::new(State::Op { inputs, rule })),
    }
}

impl Var {
    /// Data: no gradient is wanted for it.
    pub fn constant(value: Tensor) -> Var {
        Var { value, node: None }
    }

    /// A leaf that collects its gradient.
    pub fn parameter(value: Tensor) -> Var {
        Var {
            value,
            node: Some(Node::new(State::Leaf { grad: None })),
        }
    }

    /// The result of an op on `inputs`. `rule` maps the output's gradient to the inputs', None
    /// where there is none, with what it has taken of the [`Sums`]; it is dropped unused where no
    /// input wants a gradient.
    pub(crate) fn from_op<const N: usize>(
        value: Tensor,
        inputs: [&Var; N],
        rule: impl FnOnce(&Tensor, &mut Sums) -> [Option<Tensor>; N] + Send + 'static,
    ) -> Var {
        if !is_recording() || inputs.iter().all(|v| v.node.is_none()) {
            return Var::constant(value);
        }
        let inputs = inputs.iter().map(|v| v.node.clone()).collect();
        let rule: Rule = Box::new(|dy, sums| rule(dy, sums).into());
        Var {
            value,
            node: Some(Node::new(State::Op { inputs, rule })),
        }
    }

    /// The tensor.
    pub fn value(&self) -> &Tensor {
        &self.value
    }

    /// Whether gradients flow into it.
    pub fn needs_grad(&self) -> bool {
        self.node.is_some()
    }

    /// The same tensor, cut off from how it was made.
    pub fn detach(&self) -> Var {
        Var::constant(self.value.clone())
    }

    /// A parameter's gradient, summed over all calls of `backward` since [`Var::zero_grad`].
    pub fn grad(&self) -> Option<Tensor> {
        match &*self.node.as_ref()?.state() {
            State::Leaf { grad } => grad.clone(),
            _ => None,
        }
    }

    /// Forgets a parameter's gradient.
    pub fn zero_grad(&self) {
        if let Some(node) = &self.node
            && let State::Leaf { grad } = &mut *node.state()
        {
            *grad = None;
        }
    }

    /// Adds the gradient of this scalar to every parameter it was computed from, and uses up the
    /// tape on the way: what an op had saved is freed as soon as its rule has run.
    ///
    /// # Panics
    /// If this is not one number, or its tape has been used already.
    #[track_caller]
    pub fn backward(&self) {
        assert_eq!(
            self.value.len(),
            1,
            "backward: {:?} is not a scalar",
            self.value.shape()
        );
        if let Some(node) = &self.node {
            let one = Tensor::full(self.value.device(), 1.0, self.value.shape());
            walk_back(node, one);
        }
    }
}

/// Takes the gradient of a node's value to every leaf that it was computed from.
fn walk_back(from: &Arc<Node>, dy: Tensor) {
    let mut waiting = Waiting::from([(from.id, (from.clone(), dy))]);
    while let Some((_, (node, dy))) = waiting.pop_last() {
        let mut state = node.state();
        if let State::Leaf { grad } = &mut *state {
            *grad = Some(match grad.take() {
                Some(sum) => ops::add(&sum, &dy),
                None => dy,
            });
            continue;
        }
        match std::mem::replace(&mut *state, State::Spent) {
            State::Op { inputs, rule } => {
                let sums = &mut Sums {
                    waiting: &mut waiting,
                    inputs: &inputs,
                };
                let gradients = rule(&dy, sums);
                for (input, gradient) in inputs.into_iter().zip(gradients) {
                    if let (Some(input), Some(gradient)) = (input, gradient) {
                        give(&mut waiting, input, gradient);
                    }
                }
            }
            State::Replay { inputs, run } => {
                // What it notes now is numbered above all that is waiting: it is next, and
                // gradients add up in the order in which they would have.
                if let Some(node) = with_recording(true, || run(&inputs)).node {
                    give(&mut waiting, node, dy);
                }
            }
            _ => panic!("backward: this tape has been used; run the forward pass again"),
        }
    }
}

fn give(waiting: &mut Waiting, node: Arc<Node>, gradient: Tensor) {
    let sum = match waiting.remove(&node.id) {
        Some((_, sum)) => ops::add(&sum, &gradient),
        None => gradient,
    };
    waiting.insert(node.id, (node, sum));
}

/// A `Var` can be read as its tensor: for shapes and read-backs. Beware that `tensor::ops` take it so
/// too, and what they return is cut off from the tape; for a gradient use this crate's functions.
impl Deref for Var {
    type Target = Tensor;
    fn deref(&self) -> &Tensor {
        &self.value
    }
}
