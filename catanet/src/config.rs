//! The paper's table: the sizes of CATANet-L, the published network, and how its centres move.

/// Channels C of a token.
pub const DIM: usize = 40;
/// Channels of queries and keys, 9 for each head.
pub const QK: usize = 36;
/// Channels inside ConvFFN.
pub const MLP: usize = 96;
/// Attention heads.
pub const HEADS: usize = 4;

/// What the blocks differ in.
#[derive(Debug, Clone, Copy)]
pub struct BlockConfig {
    /// Side of LRSA's windows.
    pub window: usize,
    /// Token centres M of TAB.
    pub centres: usize,
    /// Tokens in a sub-group of IASA.
    pub group: usize,
}

/// The eight blocks, in order.
#[rustfmt::skip]
pub const BLOCKS: [BlockConfig; 8] = [
    BlockConfig { window: 16, centres:  16, group: 256 },
    BlockConfig { window: 20, centres:  32, group: 128 },
    BlockConfig { window: 24, centres:  64, group:  64 },
    BlockConfig { window: 28, centres: 128, group:  32 },
    BlockConfig { window: 16, centres:  16, group: 256 },
    BlockConfig { window: 20, centres:  32, group: 128 },
    BlockConfig { window: 24, centres:  64, group:  64 },
    BlockConfig { window: 28, centres: 128, group:  32 },
];

/// The smallest side that every window fits; smaller images are padded in evaluation.
pub const MIN_SIDE: usize = {
    let (mut side, mut i) = (0, 0);
    while i < BLOCKS.len() {
        if BLOCKS[i].window > side {
            side = BLOCKS[i].window;
        }
        i += 1;
    }
    side
};

/// Refinements of the centres in a training step; the last one with gradient.
pub const REFINEMENTS: usize = 5;
/// What the stored centres and those of a training step count for when they are mixed.
pub const EMA: [f32; 2] = [0.999, 0.001];
/// Slope of the upsampler's LeakyReLU below 0.
pub const SLOPE: f32 = 0.1;
