//! What the network costs: parameters and multiply-adds.

use crate::config::{BLOCKS, BlockConfig, DIM, MIN_SIDE, MLP, QK};
use crate::limits::window_slots;
use crate::model::CATANet;

/// Multiply-adds of one forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MultiAdds {
    /// Convolutions and linear layers, LRSA's counted once for every window a token lies in: what
    /// papers print.
    pub layers: u64,
    /// The products that no layer holds added: queries with keys, scores with values, and tokens
    /// with centres to find the nearest.
    pub with_attention: u64,
}

impl MultiAdds {
    /// The count for one image of `height`×`width` at `scale`. Smaller sides than [`MIN_SIDE`]
    /// count as that, which they are padded to; mirrored tokens that fill a group do not count.
    ///
    /// # Panics
    /// If `scale` is not 1, 2, 3 or 4.
    pub fn of(scale: usize, height: usize, width: usize) -> Self {
        let (height, width) = (height.max(MIN_SIDE), width.max(MIN_SIDE));
        let tokens = height * width;
        let conv3x3 = |inputs: usize, outputs: usize| 9 * inputs * outputs;
        let qkv = DIM * (2 * QK + DIM);
        let proj = DIM * DIM;
        let ffn = 2 * DIM * MLP + 25 * MLP;
        let attend = QK + DIM; // of a query with one key

        let mut layers = tokens * conv3x3(3, DIM);
        let mut attention = 0;
        for block in BLOCKS {
            let BlockConfig {
                window,
                centres,
                group,
            } = block;
            let in_windows = window_slots([height, width], window);
            let tab = tokens * (qkv + proj + DIM * DIM + ffn) + centres * DIM * (QK + DIM);
            let lrsa = in_windows * (qkv + proj) + tokens * ffn;
            layers += tab + lrsa + tokens * conv3x3(DIM, DIM);
            let keys = 2 * group.min(tokens) + centres;
            attention +=
                tokens * (keys * attend + centres * DIM) + in_windows * window * window * attend;
        }
        layers += match scale {
            1 => 0,
            2 | 3 => tokens * conv3x3(DIM, DIM * scale * scale),
            4 => 5 * tokens * conv3x3(DIM, DIM * 4), // once at ×1, once at ×2
            _ => panic!("MultiAdds::of: there is no scale {scale}, only 1, 2, 3 and 4"),
        };
        layers += tokens * scale * scale * conv3x3(DIM, 3);
        MultiAdds {
            layers: layers as u64,
            with_attention: (layers + attention) as u64,
        }
    }
}

/// The number of trained weights.
pub fn parameters(net: &CATANet) -> usize {
    nn::parameters(net)
        .iter()
        .map(|(_, p)| p.value().len())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_the_published_network_is_46_and_85_billion() {
        let count = MultiAdds::of(4, 256, 256);
        let billions = |n: u64| (n as f64 / 1e8).round() / 10.0;
        assert_eq!(billions(count.layers), 46.4);
        assert_eq!(billions(count.with_attention), 85.3);
    }

    #[test]
    fn the_smallest_images_count_as_what_they_are_padded_to() {
        assert_eq!(MultiAdds::of(2, 1, 1), MultiAdds::of(2, 28, 28));
        assert!(MultiAdds::of(2, 28, 29).layers > MultiAdds::of(2, 28, 28).layers);
    }
}
