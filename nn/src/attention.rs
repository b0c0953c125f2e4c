//! Multi-head attention over index lists.

use std::sync::Arc;

use autograd::Var;
use tensor::ops::AttentionLists;

use crate::{Linear, Module, ParameterStore, State, join};

/// Multi-head attention over index lists: for every list and head `softmax(q·kᵀ/√d)·v`, with
/// `q = x·to_qᵀ` of the list's queries, and k and v so of its keys. No projection has a bias.
///
/// ```
/// use std::sync::Arc;
/// use autograd::Var;
/// use nn::{Attention, ParameterStore};
/// use tensor::ops::{AttentionLists, RowLists};
/// use tensor::{Device, Tensor};
/// # fn main() -> Result<(), tensor::Error> {
/// let device = Device::open(None)?;
/// let layer = Attention::new(&mut ParameterStore::new(&device, 0), 2, 2, 1);
/// layer.to_v.weight.value().set(&[1.0, 0.0, 0.0, 1.0]); // v = x
/// layer.to_q.weight.value().set(&[0.0; 4]); // all scores 0: every key counts alike
/// // Two lists: tokens 0 and 1 attend to each other, token 2 to itself.
/// let lists = Arc::new(AttentionLists {
///     queries: RowLists::new(&device, &[0, 1, 2, RowLists::NONE], 2, 3),
///     keys: RowLists::new(&device, &[0, 1, 2, 2], 2, 3),
/// });
/// let x = Var::constant(Tensor::new(&device, &[1., 5., 3., 9., 4., 4.], &[1, 3, 2]));
/// let y = layer.attend(&x, &lists); // before `proj`
/// assert_eq!(y.value().to_vec()?, [2., 7., 2., 7., 4., 4.]);
/// # Ok(()) }
/// ```
pub struct Attention {
    /// [H·dk, C]
    pub to_q: Linear,
    /// [H·dk, C]
    pub to_k: Linear,
    /// [C, C]
    pub to_v: Linear,
    /// [C, C]
    pub proj: Linear,
    /// H
    pub heads: usize,
}

impl Attention {
    /// `channels` C in and out, queries and keys of `qk` = H·dk.
    pub fn new(store: &mut ParameterStore, channels: usize, qk: usize, heads: usize) -> Self {
        let mut linear = |outputs| Linear::new(store, channels, outputs, false);
        let (to_q, to_k, to_v, proj) = (linear(qk), linear(qk), linear(channels), linear(channels));
        Attention {
            to_q,
            to_k,
            to_v,
            proj,
            heads,
        }
    }

    /// Attention of every list's queries to its keys, before `proj`; a token's results in several
    /// lists are added up. Projections act per token, so they run once on all tokens, however many
    /// lists a token is in. [B, N, C] → [B, N, C]
    #[track_caller]
    pub fn attend(&self, x: &Var, lists: &Arc<AttentionLists>) -> Var {
        let (q, k, v) = (
            self.to_q.forward(x),
            self.to_k.forward(x),
            self.to_v.forward(x),
        );
        attend(&q, &k, &v, lists, self.heads)
    }
}

/// Attention of every list's queries to its keys, each row's results added up over its lists.
/// `q` [B, N, H·dk], `k` [B, Nk, H·dk], `v` [B, Nk, C] → [B, N, C]
#[track_caller]
pub fn attend(q: &Var, k: &Var, v: &Var, lists: &Arc<AttentionLists>, heads: usize) -> Var {
    let slots = autograd::attention(q, k, v, lists, heads); // [B, slots, C]
    autograd::segment_sum(&slots, &lists.queries)
}

impl Module for Attention {
    fn visit(&self, name: &str, visitor: &mut dyn FnMut(String, State)) {
        self.to_q.visit(&join(name, "to_q"), visitor);
        self.to_k.visit(&join(name, "to_k"), visitor);
        self.to_v.visit(&join(name, "to_v"), visitor);
        self.proj.visit(&join(name, "proj"), visitor);
    }
}
