//! The network without one of its parts, and what comes out of each: what the parts are for.

use autograd::{Var, add};

use super::{CATANet, Mode};

/// A part of the network that is left out, to see what it gives; blocks are counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOut {
    /// All blocks: what remains are the convolutions around them.
    Body,
    /// A whole block: its input goes on.
    Block(usize),
    /// Its token aggregation.
    Tab(usize),
    /// Its attention in windows.
    Lrsa(usize),
}

impl CATANet {
    /// What comes out of each block in evaluation, in turn, `[B, H, W, C]` each: for images of some hundred pixels a
    /// side, as all stay on the device. `[B, H, W, 3]`
    pub fn features(&self, x: &Var) -> Vec<Var> {
        let mut f = self.first_conv.forward(x); // [B, H, W, C]
        let next = |block: &std::sync::Arc<super::Block>| {
            f = block.forward(&f, &self.geometry, Mode::Eval);
            f.clone()
        };
        self.blocks.iter().map(next).collect()
    }

    /// As [`CATANet::forward`] in evaluation, with one part left out. `[B, H, W, 3]` → `[B, H·s, W·s, 3]`
    pub fn forward_without(&self, x: &Var, left_out: LeftOut) -> Var {
        let shallow = self.first_conv.forward(x); // [B, H, W, C]
        let mut f = shallow.clone();
        for (i, block) in self.blocks.iter().enumerate() {
            if left_out == LeftOut::Body || left_out == LeftOut::Block(i) {
                continue;
            }
            let mut y = f.clone();
            if left_out != LeftOut::Tab(i) {
                y = block.tab.forward(&y, &self.geometry, Mode::Eval);
            }
            if left_out != LeftOut::Lrsa(i) {
                y = block.lrsa.forward(&y, &self.geometry);
            }
            f = block.mid_conv.forward_onto(&y, &f); // [B, H, W, C]
        }
        self.upsample(&add(&f, &shallow), x)
    }
}

#[cfg(test)]
mod tests;
