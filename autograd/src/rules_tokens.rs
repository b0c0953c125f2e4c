//! The rules of tokens: attention over index lists, moving rows, token centres.

use std::sync::Arc;

use tensor::Tensor;
use tensor::ops::{self, AttentionLists, RowLists, SortedTokens};

use crate::tape::Var;

/// `y = softmax(q·kᵀ/√d)·v` for every list and head. With p the probabilities and D = Σ dy·y,
/// ds = p·(dy·vᵀ − D)/√d:  dq = ds·k, dk = dsᵀ·q, dv = pᵀ·dy, each added up over the lists that
/// the row takes part in. The scores are never stored; backward computes them again.
/// `q [B, N, H·dk]`, `k [B, Nk, H·dk]`, `v [B, Nk, H·dv]` → [B, slots, H·dv], in slot order.
#[track_caller]
pub fn attention(q: &Var, k: &Var, v: &Var, lists: &Arc<AttentionLists>, heads: usize) -> Var {
    let (y, lse) = ops::attention(q, k, v, lists, heads);
    let [tq, tk, tv] = [q, k, v].map(|t| t.value().clone());
    let (saved, lists) = (y.clone(), lists.clone());
    Var::from_op(y, [q, k, v], move |dy, _| {
        ops::attention_grad([&tq, &tk, &tv], (&saved, &lse), dy, &lists, heads).map(Some)
    })
}

/// Rows taken by a list:  a row's gradient is the sum over the slots that took it.
/// `x [B, N, C]` → [B, slots, C].
#[track_caller]
pub fn gather(x: &Var, lists: &RowLists) -> Var {
    let saved = lists.clone();
    Var::from_op(ops::gather(x, lists), [x], move |dy, _| {
        [Some(ops::segment_sum(dy, &saved))]
    })
}

/// Slots added up into the rows they were taken from:  the derivative is [`gather`].
/// `y [B, slots, C]` → [B, N, C].
#[track_caller]
pub fn segment_sum(y: &Var, lists: &RowLists) -> Var {
    let saved = lists.clone();
    Var::from_op(ops::segment_sum(y, lists), [y], move |dy, _| {
        [Some(ops::gather(dy, &saved))]
    })
}

/// Tokens in the order of their centres:  the derivative puts them back. [B, N, C].
#[track_caller]
pub fn sort_tokens(x: &Var, sorted: &SortedTokens) -> Var {
    let inverse = sorted.inverse.clone();
    Var::from_op(ops::permute_rows(x, &sorted.order), [x], move |dy, _| {
        [Some(ops::permute_rows(dy, &inverse))]
    })
}

/// Sorted tokens back at their places:  the derivative sorts. [B, N, C].
#[track_caller]
pub fn unsort_tokens(x: &Var, sorted: &SortedTokens) -> Var {
    let order = sorted.order.clone();
    Var::from_op(ops::permute_rows(x, &sorted.inverse), [x], move |dy, _| {
        [Some(ops::permute_rows(dy, &order))]
    })
}

/// Every row times its own constant factor:  dx = factor·dy. `x [B, N, C]`, `factor [N]`.
#[track_caller]
pub fn scale_rows(x: &Var, factor: &Tensor) -> Var {
    let saved = factor.clone();
    Var::from_op(ops::scale_rows(x, factor), [x], move |dy, _| {
        [Some(ops::scale_rows(dy, &saved))]
    })
}

/// `y = x/‖x‖` for every row:  dx = (dy − y·⟨y, dy⟩)/‖x‖.
pub fn unit(x: &Var) -> Var {
    let saved = x.value().clone();
    Var::from_op(ops::unit(x), [x], move |dy, _| {
        [Some(ops::unit_backward(&saved, dy))]
    })
}

/// `c'_m = unit(Σ of the tokens that centre m owns)`; one that owns nothing keeps its value. The
/// assignment is a constant, so every token gets the gradient of its owner's sum.
/// `x [B, N, C]` and `centres [M, C]`, rows of unit length → [M, C].
#[track_caller]
pub fn refine_centres(x: &Var, centres: &Tensor) -> Var {
    let (refined, sums, owner) = ops::refine_centres(x, centres);
    let batched = x.shape().to_vec();
    Var::from_op(refined, [x], move |dy, _| {
        // A centre without tokens gets a gradient too, but no token takes it.
        let dsums = ops::unit_backward(&sums, dy);
        [Some(ops::take_rows(&dsums, &owner).reshape(&batched))]
    })
}
