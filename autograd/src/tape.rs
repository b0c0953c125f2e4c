//! The tape: what a `Var` remembers, and the walk back.
//!
//! There is no global list. Every result of an op holds its node, and the node holds those of its
//! inputs: dropping the result drops the tape. Nodes are numbered as they are made, so an op's
//! number is above its inputs', and walking by falling number visits every op after all its users.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tensor::ops::{self, RowSum};
use tensor::{Device, Tensor};

use crate::recording::is_recording;
use crate::trace;

/// A tensor, and where gradients are wanted, the op that made it. Cloning shares both.
///
/// The functions of this crate compute with it and note what they do. [`Var::value`] is the tensor
/// alone: what is computed from that is not noted, and no gradient flows back through it.
#[derive(Clone)]
pub struct Var {
    value: Tensor,
    node: Option<Arc<Node>>,
}

impl Var {
    /// Data: no gradient is wanted for it.
    pub fn constant(value: Tensor) -> Var {
        Var { value, node: None }
    }

    /// A leaf that collects its gradient.
    pub fn parameter(value: Tensor) -> Var {
        Var::leaf(value, None)
    }

    /// A leaf that collects its gradient in a given tensor, which [`Var::grad`] then is: it changes with
    /// the next `backward`. `gradient` is asked for it when there is one to collect, so that a network
    /// that is not trained needs no memory for any; what is in it then does not matter.
    pub fn parameter_with_gradient(
        value: Tensor,
        gradient: impl Fn() -> Tensor + Send + 'static,
    ) -> Var {
        Var::leaf(value, Some(Box::new(gradient)))
    }

    fn leaf(value: Tensor, target: Option<Target>) -> Var {
        let id = Node::next_id();
        let state = Mutex::new(State::Leaf(Leaf { target, sum: None }));
        let node = Some(Arc::new(Node { id, state }));
        Var { value, node }
    }

    /// The result of an op on `inputs`, of which one that is absent never wants a gradient. `rule`
    /// is dropped unused where no input wants one.
    pub(crate) fn from_op<'a, V: Into<Option<&'a Var>>>(
        value: Tensor,
        inputs: impl IntoIterator<Item = V>,
        rule: impl FnOnce(&Tensor, &mut Gradients) + Send + 'static,
    ) -> Var {
        let inputs: Vec<_> = inputs.into_iter().map(|v| v.into()?.node.clone()).collect();
        match is_recording() && inputs.iter().any(Option::is_some) {
            true => Var::noted(value, inputs, rule),
            false => Var::constant(value),
        }
    }

    /// What `rule` takes gradients back from, to these inputs or wherever.
    pub(crate) fn noted<R: FnOnce(&Tensor, &mut Gradients) + Send + 'static>(
        value: Tensor,
        inputs: Vec<Option<Arc<Node>>>,
        rule: R,
    ) -> Var {
        let id = Node::next_id();
        trace::note::<R>(
            id,
            &value,
            inputs.iter().map(|node| Some(node.as_ref()?.id)),
        );
        let rule = Box::new(rule);
        let state = Mutex::new(State::Op { inputs, rule });
        let node = Some(Arc::new(Node { id, state }));
        Var { value, node }
    }

    /// Its number on the tape, above those of all that it was computed from; None for data.
    pub fn id(&self) -> Option<u64> {
        Some(self.node.as_ref()?.id)
    }

    /// The tensor, cut off from how it was made.
    pub fn value(&self) -> &Tensor {
        &self.value
    }

    /// The lengths of its axes, outermost first.
    pub fn shape(&self) -> &[usize] {
        self.value.shape()
    }

    /// The number of elements.
    #[allow(clippy::len_without_is_empty)] // no tensor is empty
    pub fn len(&self) -> usize {
        self.value.len()
    }

    /// The length of the last axis: the channels.
    pub fn channels(&self) -> usize {
        self.value.channels()
    }

    /// The number of rows of `channels()` elements.
    pub fn rows(&self) -> usize {
        self.value.rows()
    }

    /// Where it lives.
    pub fn device(&self) -> &Device {
        self.value.device()
    }

    /// The only element of a one-element tensor, read back.
    ///
    /// # Errors
    /// As [`Tensor::to_vec`].
    pub fn item(&self) -> tensor::Result<f32> {
        self.value.item()
    }

    /// Whether gradients flow into it.
    pub fn needs_grad(&self) -> bool {
        self.node.is_some()
    }

    /// The same tensor as a constant, cut off from how it was made.
    pub fn detach(&self) -> Var {
        Var::constant(self.value.clone())
    }

    /// A parameter's gradient, summed over all calls of `backward` since [`Var::zero_grad`].
    pub fn grad(&self) -> Option<Tensor> {
        match &*self.node.as_ref()?.state.lock() {
            State::Leaf(leaf) => leaf.sum.clone(),
            _ => None,
        }
    }

    /// Forgets a parameter's gradient.
    pub fn zero_grad(&self) {
        if let Some(node) = &self.node {
            node.take_gradient();
        }
    }

    /// Adds the gradient of this scalar to every parameter it was computed from, and uses up the
    /// tape on the way: what an op had saved is freed as soon as its rule has run.
    ///
    /// # Panics
    /// If this is not one number, or its tape has been used already.
    #[track_caller]
    pub fn backward(&self) {
        let shape = self.shape();
        assert_eq!(self.len(), 1, "backward: {shape:?} is not a scalar");
        if let Some(node) = &self.node {
            node.walk_back(Tensor::full(self.device(), 1.0, shape));
        }
    }

    pub(crate) fn into_parts(self) -> (Tensor, Option<Arc<Node>>) {
        (self.value, self.node)
    }
}

/// Whether an op on these inputs will be asked for a gradient: only then it need keep anything for it.
pub(crate) fn wants_grad<'a>(inputs: impl IntoIterator<Item = &'a Var>) -> bool {
    is_recording() && inputs.into_iter().any(Var::needs_grad)
}

/// From the gradient of an op's output to those of its inputs.
type Rule = Box<dyn FnOnce(&Tensor, &mut Gradients) + Send>;

pub(crate) struct Node {
    id: u64,
    state: Mutex<State>,
}

enum State {
    /// A parameter: gradients end and add up here.
    Leaf(Leaf),
    /// An op's result: the inputs' nodes and the rule, until the walk back has used them.
    Op {
        inputs: Vec<Option<Arc<Node>>>,
        rule: Rule,
    },
    /// An op's result whose rule has run; its saved tensors are back in the pool.
    Spent,
}

/// Tells the tensor in which a gradient is collected.
type Target = Box<dyn Fn() -> Tensor + Send>;

struct Leaf {
    target: Option<Target>, // where its gradient is to be written, if that was given
    sum: Option<Tensor>,    // its gradient so far: the target, if there is one
}

impl Leaf {
    fn add(&mut self, gradient: Tensor) {
        self.sum = Some(match (&self.target, self.sum.take()) {
            (Some(target), sum) => {
                let add = sum.is_some();
                let target = sum.unwrap_or_else(target);
                RowSum::from(gradient).write(&target, add);
                target
            }
            (None, Some(sum)) => ops::add(&sum, &gradient),
            (None, None) => gradient,
        });
    }
}

impl Node {
    fn next_id() -> u64 {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        COUNT.fetch_add(1, Ordering::Relaxed)
    }

    /// The gradient that a leaf has collected; it has none then.
    pub fn take_gradient(&self) -> Option<Tensor> {
        match &mut *self.state.lock() {
            State::Leaf(leaf) => leaf.sum.take(),
            _ => None,
        }
    }

    /// Where a leaf's gradient is to be written, if it has none yet; it counts as written then.
    fn claim_target(&self) -> Option<Tensor> {
        match &mut *self.state.lock() {
            State::Leaf(leaf) if leaf.sum.is_none() => {
                leaf.sum = leaf.target.as_ref().map(|target| target());
                leaf.sum.clone()
            }
            _ => None,
        }
    }

    /// The nodes that an unused op holds; it holds them no more.
    fn take_inputs(&mut self) -> Vec<Option<Arc<Node>>> {
        match self.state.get_mut() {
            State::Op { inputs, .. } => std::mem::take(inputs),
            _ => Vec::new(),
        }
    }

    /// Takes the gradient of this node's value to every leaf that it was computed from.
    pub fn walk_back(self: &Arc<Node>, dy: Tensor) {
        let mut waiting = Waiting::default();
        waiting.give(self.clone(), dy.into());
        while let Some((_, Pending { node, sum, written })) = waiting.0.pop_last() {
            let mut state = node.state.lock();
            if let State::Leaf(leaf) = &mut *state {
                if !written {
                    leaf.add(sum);
                }
                continue;
            }
            let State::Op { inputs, rule } = std::mem::replace(&mut *state, State::Spent) else {
                panic!("backward: this tape has been used; run the forward pass again")
            };
            drop(state);
            let (waiting, inputs) = (&mut waiting, &inputs);
            rule(&sum, &mut Gradients { waiting, inputs });
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

/// The nodes that the walk back has yet to come to, by number.
#[derive(Default)]
struct Waiting(BTreeMap<u64, Pending>);

struct Pending {
    node: Arc<Node>,
    sum: Tensor,   // of the gradients it has so far
    written: bool, // the sum is in the leaf's target
}

impl Waiting {
    fn give(&mut self, node: Arc<Node>, gradient: RowSum) {
        match self.0.get_mut(&node.id) {
            Some(pending) if pending.written => gradient.write(&pending.sum, true),
            Some(pending) => pending.sum = ops::add(&pending.sum, &gradient.total()),
            None => {
                // A leaf's first gradient goes straight to its target. Where an earlier walk's is
                // there, this walk's add up first.
                let (sum, written) = match node.claim_target() {
                    Some(target) => {
                        gradient.write(&target, false);
                        (target, true)
                    }
                    None => (gradient.total(), false),
                };
                self.0.insert(node.id, Pending { node, sum, written });
            }
        }
    }

    fn take(&mut self, node: &Node) -> Option<Tensor> {
        let pending = self.0.remove(&node.id)?;
        if pending.written {
            pending.node.take_gradient(); // the target may be written again
        }
        Some(pending.sum)
    }
}

/// What a rule gives the gradients of its op's inputs to. It runs where at least one is wanted, and
/// what is not wanted is not computed.
pub(crate) struct Gradients<'a> {
    waiting: &'a mut Waiting,
    inputs: &'a [Option<Arc<Node>>],
}

impl Gradients<'_> {
    /// The gradient of an input, which the tape adds to what other users of the input gave.
    pub fn give<G: Into<RowSum>>(&mut self, input: usize, gradient: impl FnOnce() -> G) {
        if let Some(node) = &self.inputs[input] {
            self.waiting.give(node.clone(), gradient().into());
        }
    }

    /// As [`Gradients::give`], but a kernel that adds its result to a tensor is given that sum: no
    /// gradient of its own is written then, and none read for the sum.
    pub fn give_onto(&mut self, input: usize, gradient: impl FnOnce(Option<&Tensor>) -> Tensor) {
        if let Some(node) = &self.inputs[input] {
            let sum = self.waiting.take(node);
            self.waiting
                .give(node.clone(), gradient(sum.as_ref()).into());
        }
    }

    /// The gradients of several inputs out of one op, which runs if any is wanted.
    pub fn give_all<const N: usize, G: Into<RowSum>>(
        &mut self,
        inputs: [usize; N],
        gradients: impl FnOnce() -> [G; N],
    ) {
        if inputs.iter().any(|&i| self.inputs[i].is_some()) {
            for (input, gradient) in inputs.into_iter().zip(gradients()) {
                self.give(input, || gradient);
            }
        }
    }

    /// The sum of what other users gave an input, for an op that adds to it: what is given to the
    /// input next contains it.
    pub fn take(&mut self, input: usize) -> Option<Tensor> {
        self.waiting.take(self.inputs[input].as_ref()?)
    }

    /// An input as it was, given its value.
    pub fn input(&self, input: usize, value: Tensor) -> Var {
        let node = self.inputs[input].clone();
        Var { value, node }
    }

    /// Goes on through the tape of `y`, which was made just now: it is next, before all that waits.
    pub fn go_on_through(&mut self, y: Var, dy: &Tensor) {
        if let Some(node) = y.node {
            self.waiting.give(node, dy.clone().into());
        }
    }
}
