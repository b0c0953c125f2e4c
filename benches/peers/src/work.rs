//! What is measured: one table, in which a new work is one line.

use catanet::multi_adds::MultiAdds;
use serde::{Deserialize, Serialize};

/// One work, as every contestant is told it (in JSON). Kernels have the sizes they have in a ×2
/// network at 64×64.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Work {
    /// One image, evaluation mode.
    Forward {
        scale: usize,
        height: usize,
        width: usize,
    },
    /// Forward, L1 loss, backward and Adam, of `batch` low-resolution crops side×side.
    Train {
        scale: usize,
        batch: usize,
        side: usize,
    },
    /// From the start of a process to its first result, that of one image side×side. With `cold` no
    /// compiled kernel is kept from earlier processes.
    Start {
        scale: usize,
        side: usize,
        cold: bool,
    },
    /// `[rows, inputs]` to `[rows, outputs]`.
    Linear {
        rows: usize,
        inputs: usize,
        outputs: usize,
        bias: bool,
    },
    /// Dense 3×3 with bias, of one image.
    #[serde(rename = "conv3x3")]
    Conv3x3 {
        side: usize,
        inputs: usize,
        outputs: usize,
    },
    /// Depthwise 5×5 with bias, of one image.
    #[serde(rename = "depthwise5x5")]
    Depthwise5x5 { side: usize, channels: usize },
    /// Over the channels of `[rows, channels]`.
    LayerNorm { rows: usize, channels: usize },
    /// Every token to those of its window; queries and keys dk wide, values dv.
    Attention {
        windows: usize,
        tokens: usize,
        heads: usize,
        dk: usize,
        dv: usize,
    },
}

const fn forward(scale: usize, width: usize, height: usize) -> Work {
    Work::Forward {
        scale,
        height,
        width,
    }
}

const fn train(batch: usize) -> Work {
    Work::Train {
        scale: 2,
        batch,
        side: 64,
    }
}

const fn start(cold: bool) -> Work {
    Work::Start {
        scale: 2,
        side: 64,
        cold,
    }
}

const fn linear(inputs: usize, outputs: usize, bias: bool) -> Work {
    Work::Linear {
        rows: 64 * 64,
        inputs,
        outputs,
        bias,
    }
}

const fn conv3x3(inputs: usize, outputs: usize) -> Work {
    Work::Conv3x3 {
        side: 64,
        inputs,
        outputs,
    }
}

const fn attention(windows: usize, side: usize) -> Work {
    Work::Attention {
        windows,
        tokens: side * side,
        heads: 4,
        dk: 9,
        dv: 10,
    }
}

/// Every work by its name.
#[rustfmt::skip] // a table
pub const WORKS: [(&str, Work); 20] = [
    ("forward_x2_64", forward(2, 64, 64)),
    ("forward_x4_64", forward(4, 64, 64)),
    ("forward_x4_128", forward(4, 128, 128)),
    ("forward_x4_256", forward(4, 256, 256)),
    ("forward_x2_320x180", forward(2, 320, 180)),
    ("forward_x2_640x360", forward(2, 640, 360)),
    ("train_x2_b1", train(1)),
    ("train_x2_b4", train(4)),
    ("train_x2_b16", train(16)),
    ("start_x2_64", start(false)),
    ("start_x2_64_cold", start(true)),
    ("kernel_linear_40x40", linear(40, 40, false)),
    ("kernel_linear_40x96", linear(40, 96, true)),
    ("kernel_linear_96x40", linear(96, 40, true)),
    ("kernel_conv3x3_40x40", conv3x3(40, 40)),
    ("kernel_conv3x3_40x160", conv3x3(40, 160)),
    ("kernel_depthwise5x5_96", Work::Depthwise5x5 { side: 64, channels: 96 }),
    ("kernel_layer_norm_40", Work::LayerNorm { rows: 64 * 64, channels: 40 }),
    ("kernel_attention_16", attention(16, 16)),
    ("kernel_attention_28", attention(9, 28)),
];

impl Work {
    /// Whether it is one kernel rather than the network: burn has it too, and it is so short that
    /// it is repeated within a run.
    pub fn is_kernel(self) -> bool {
        !matches!(
            self,
            Work::Forward { .. } | Work::Train { .. } | Work::Start { .. }
        )
    }

    /// Floating-point operations, a multiply-add counting two; exponentials not counted, backward
    /// counted as two forward passes. None where arithmetic is not what it is about.
    pub fn flops(self) -> Option<f64> {
        let multiply_adds = match self {
            Work::Forward {
                scale,
                height,
                width,
            } => MultiAdds::of(scale, height, width).with_attention as usize,
            Work::Train { scale, batch, side } => {
                3 * batch * MultiAdds::of(scale, side, side).with_attention as usize
            }
            Work::Linear {
                rows,
                inputs,
                outputs,
                ..
            } => rows * inputs * outputs,
            Work::Conv3x3 {
                side,
                inputs,
                outputs,
            } => side * side * 9 * inputs * outputs,
            Work::Depthwise5x5 { side, channels } => side * side * 25 * channels,
            Work::Start { .. } | Work::LayerNorm { .. } => return None,
            Work::Attention {
                windows,
                tokens,
                heads,
                dk,
                dv,
            } => windows * heads * tokens * tokens * (dk + dv),
        };
        Some(2.0 * multiply_adds as f64)
    }
}

/// The works whose names begin with one of `only`, all if there is none; in the table's order.
///
/// # Errors
/// One that no work's name begins with.
pub fn select(only: &[String]) -> anyhow::Result<Vec<(&'static str, Work)>> {
    for wanted in only {
        if !WORKS.iter().any(|(name, _)| name.starts_with(wanted)) {
            let names = WORKS.map(|(name, _)| name).join(", ");
            anyhow::bail!("--only {wanted}: no work's name begins so; there are {names}");
        }
    }
    let wanted = |name: &str| only.is_empty() || matches(name, only);
    Ok(WORKS.into_iter().filter(|(name, _)| wanted(name)).collect())
}

/// Whether `name` is one of `wanted`, or begins with one of them where none is the name itself.
fn matches(name: &str, wanted: &[String]) -> bool {
    wanted.iter().any(|w| {
        let exact = WORKS.iter().any(|(name, _)| name == w);
        if exact {
            name == w
        } else {
            name.starts_with(w)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::select;

    fn names(only: &[&str]) -> Vec<&'static str> {
        let only: Vec<_> = only.iter().map(|s| s.to_string()).collect();
        let works = select(&only).expect("they exist");
        works.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn only_takes_a_name_or_else_what_begins_so() {
        assert_eq!(names(&["train_x2_b1"]), ["train_x2_b1"]); // not b16
        assert_eq!(names(&["forward_x2_64", "train_x2_b4"]).len(), 2);
        assert!(names(&["kernel_"]).iter().all(|n| n.starts_with("kernel_")));
        assert_eq!(names(&[]).len(), super::WORKS.len());
        assert!(select(&["forward_x9".to_owned()]).is_err());
    }
}
