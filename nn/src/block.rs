//! A block of memory in which parameters lie side by side, and where each of them is.

use std::ops::Range;
use std::sync::OnceLock;

use tensor::{Tensor, ops};

/// Parameters begin at multiples of so many elements: 256 bytes, where every adapter's kernels can
/// begin to read.
const ALIGN: usize = 64;

/// Parameters side by side.
pub(crate) struct Block {
    /// [L], as all rows of a block.
    pub values: Tensor,
    gradients: OnceLock<Tensor>, // from the first backward on
}

/// Where a parameter is in its block.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Position {
    /// Its number, from 0.
    pub index: usize,
    /// Its numbers in the block's rows.
    pub range: Range<usize>,
}

impl Position {
    /// Of the next parameter, of so many numbers.
    pub fn next(&self, len: usize) -> Position {
        let start = self.range.end.next_multiple_of(ALIGN);
        Position {
            index: self.index + 1,
            range: start..start + len,
        }
    }
}

impl Block {
    /// A block of its own for one parameter, which may move for it: kernels have to be able to begin at
    /// its first number.
    pub fn of_one(value: &Tensor) -> (Block, Position) {
        let len = value.len();
        let range = 0..len;
        let values = ops::slice(&value.reshape(&[len]), range.clone());
        (Block::new(values), Position { index: 0, range })
    }

    /// Parameters of these values.
    pub fn new(values: Tensor) -> Block {
        let gradients = OnceLock::new();
        Block { values, gradients }
    }

    /// Their gradients; where there is none, anything.
    pub fn gradients(&self) -> &Tensor {
        let values = &self.values;
        self.gradients
            .get_or_init(|| Tensor::full(values.device(), 0.0, values.shape()))
    }
}
