//! A trained tensor.

use std::ops::Deref;
use std::sync::Arc;

use autograd::Var;
use tensor::{Tensor, ops};

use crate::block::{Block, Position};

/// A trained tensor, and how PyTorch lays it out in files. Cloning shares it.
///
/// It can be read as the [`Var`] that it is.
#[derive(Clone)]
pub struct Parameter {
    var: Var,
    layout: Layout,
    block: Arc<Block>,
    position: Position,
}

impl Parameter {
    /// A parameter that starts at `value`, in memory of its own. A network's layers take theirs from a
    /// [`ParameterStore`](crate::ParameterStore).
    pub fn new(value: Tensor, layout: Layout) -> Self {
        let (block, position) = Block::of_one(&value);
        Parameter::in_block(Arc::new(block), position, value.shape(), layout)
    }

    pub(crate) fn in_block(
        block: Arc<Block>,
        position: Position,
        shape: &[usize],
        layout: Layout,
    ) -> Self {
        let value = ops::slice(&block.values, position.range.clone()).reshape(shape);
        let (of, range, shape) = (block.clone(), position.range.clone(), shape.to_vec());
        let gradient = move || ops::slice(of.gradients(), range.clone()).reshape(&shape);
        Parameter {
            var: Var::parameter_with_gradient(value, gradient),
            layout,
            block,
            position,
        }
    }

    /// How PyTorch lays it out in files.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    pub(crate) fn block(&self) -> &Arc<Block> {
        &self.block
    }

    pub(crate) fn position(&self) -> &Position {
        &self.position
    }
}

impl Deref for Parameter {
    type Target = Var;
    fn deref(&self) -> &Var {
        &self.var
    }
}

/// How PyTorch lays a parameter out, where it differs from ours. Convolutions here are channels
/// last; their weights are turned once, when a file is read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// The same.
    Same,
    /// [N, K] here, [N, K, 1, 1] there.
    Conv1x1,
    /// [3, 3, Ci, Co] here, [Co, Ci, 3, 3] there.
    Conv3x3,
    /// [5, 5, C] here, [C, 1, 5, 5] there.
    Depthwise5x5,
}

impl Layout {
    /// PyTorch's shape of a parameter that has `shape` here.
    pub(crate) fn file_shape(self, shape: &[usize]) -> Vec<usize> {
        match (self, shape) {
            (Layout::Conv1x1, &[n, k]) => vec![n, k, 1, 1],
            (Layout::Conv3x3, &[kh, kw, ci, co]) => vec![co, ci, kh, kw],
            (Layout::Depthwise5x5, &[kh, kw, c]) => vec![c, 1, kh, kw],
            _ => shape.to_vec(),
        }
    }

    /// Both turned layouts exchange a [taps, channels] matrix: [9, Ci, Co] ↔ [Co, Ci, 9] and
    /// [25, 1, C] ↔ [C, 1, 25] reverse three axes, so one function serves both directions.
    fn reverse(data: &[f32], [a, b, c]: [usize; 3]) -> Vec<f32> {
        let mut out = Vec::with_capacity(data.len());
        for k in 0..c {
            for j in 0..b {
                out.extend((0..a).map(|i| data[(i * b + j) * c + k]));
            }
        }
        out
    }

    pub(crate) fn to_file(self, data: Vec<f32>, shape: &[usize]) -> Vec<f32> {
        match (self, shape) {
            (Layout::Conv3x3, &[kh, kw, ci, co]) => Self::reverse(&data, [kh * kw, ci, co]),
            (Layout::Depthwise5x5, &[kh, kw, c]) => Self::reverse(&data, [kh * kw, 1, c]),
            _ => data,
        }
    }

    pub(crate) fn to_ours(self, data: &[f32], shape: &[usize]) -> Vec<f32> {
        match (self, shape) {
            (Layout::Conv3x3, &[kh, kw, ci, co]) => Self::reverse(data, [co, ci, kh * kw]),
            (Layout::Depthwise5x5, &[kh, kw, c]) => Self::reverse(data, [c, 1, kh * kw]),
            _ => data.to_vec(),
        }
    }
}
