//! The network as the paper draws it (CATANet, CVPR 2025, section 3): one type per named part.
//!
//! Images and tokens are channels last: `[B, H, W, C]` and `[B, N, C]` with N = H·W are the same memory.

#![allow(clippy::upper_case_acronyms)] // the paper's names

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use autograd::{Var, add, reshape};
use nn::{Attention, Conv2d, DepthwiseConv2d, LayerNorm, Linear, Module, Rng, State, attend, join};
use tensor::ops::{self, RowLists};
use tensor::{Device, Tensor};

use crate::geometry::Geometry;

/// Channels C of a token.
pub const DIM: usize = 40;
/// Channels of queries and keys: 4 heads of 9.
pub const QK_DIM: usize = 36;
/// Channels inside ConvFFN.
pub const MLP_DIM: usize = 96;
/// Attention heads.
pub const HEADS: usize = 4;
/// LRSA window of each block.
pub const WINDOWS: [usize; 8] = [16, 20, 24, 28, 16, 20, 24, 28];
/// Token centres M of each block.
pub const CENTRES: [usize; 8] = [16, 32, 64, 128, 16, 32, 64, 128];
/// IASA sub-group of each block.
pub const GROUPS: [usize; 8] = [256, 128, 64, 32, 256, 128, 64, 32];
/// The smallest side that every window fits; smaller images are padded in evaluation.
pub const MIN_SIDE: usize = 28;
/// Refinements of the centres in a training step.
const REFINEMENTS: usize = 5;
/// Stored centres and those of the step, as they are mixed after a training step.
const EMA: [f32; 2] = [0.999, 0.001];

/// Whether the centres move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Centres are refined by the batch, and the stored ones follow slowly.
    Train,
    /// Stored centres are used as they are.
    Eval,
}

/// What a block needs to know of the map it works on.
struct Map<'a> {
    height: usize,
    width: usize,
    geometry: &'a Geometry,
    mode: Mode,
}

/// ConvFFN: `a = gelu(fc1(x))`, then `fc2(a + gelu(dwconv(a)))`, with its norm before and its
/// residual around.
struct ConvFFN {
    norm: LayerNorm,
    fc1: Linear,
    dwconv: DepthwiseConv2d,
    fc2: Linear,
}

impl ConvFFN {
    fn new(device: &Device, rng: &mut Rng) -> Self {
        ConvFFN {
            norm: LayerNorm::new(device, DIM),
            fc1: Linear::new(device, DIM, MLP_DIM, true, rng),
            dwconv: DepthwiseConv2d::new(device, MLP_DIM, rng),
            fc2: Linear::new(device, MLP_DIM, DIM, true, rng),
        }
    }

    fn forward(&self, x: &Var, map: &Map) -> Var {
        let &[b, n, _] = x.shape() else {
            unreachable!("tokens are [B, N, C]")
        };
        let a = self.fc1.forward_gelu(&self.norm.forward(x)); // [B, N, 96]
        let image = reshape(&a, &[b, map.height, map.width, MLP_DIM]);
        let a = reshape(&self.dwconv.forward_gelu_add(&image), &[b, n, MLP_DIM]);
        self.fc2.forward_onto(&a, x) // [B, N, C]
    }

    /// `norm` and `fn` are siblings in the published names.
    fn visit(&self, name: &str, visitor: &mut dyn FnMut(String, State)) {
        self.norm.visit(&join(name, "norm"), visitor);
        self.fc1.visit(&join(name, "fn.fc1"), visitor);
        self.dwconv
            .visit(&join(name, "fn.dwconv.depthwise_conv.0"), visitor);
        self.fc2.visit(&join(name, "fn.fc2"), visitor);
    }
}

/// IRCA, inter-group cross-attention: keys and values of the token centres, for all tokens alike.
struct IRCA {
    to_k: Linear,
    to_v: Linear,
}

impl IRCA {
    fn forward(&self, centres: &Var) -> (Var, Var) {
        let one_image = |t: Var| reshape(&t, &[1, t.rows(), t.channels()]);
        (
            one_image(self.to_k.forward(centres)),
            one_image(self.to_v.forward(centres)),
        )
    }
}

/// TAB, the token aggregation block: tokens are grouped by their nearest centre, and attend within
/// their group (IASA) and to all centres (IRCA).
struct TAB {
    group: usize,
    norm: LayerNorm,
    irca: IRCA,
    iasa: Attention,
    conv1x1: Linear,
    mlp: ConvFFN,
    means: Tensor, // [M, C]
    initted: AtomicBool,
}

impl TAB {
    fn new(device: &Device, centres: usize, group: usize, rng: &mut Rng) -> Self {
        TAB {
            group,
            norm: LayerNorm::new(device, DIM),
            irca: IRCA {
                to_k: Linear::new(device, DIM, QK_DIM, false, rng),
                to_v: Linear::new(device, DIM, DIM, false, rng),
            },
            iasa: Attention::new(device, DIM, QK_DIM, HEADS, rng),
            conv1x1: Linear::conv1x1(device, DIM, DIM, rng),
            mlp: ConvFFN::new(device, rng),
            means: Tensor::full(device, 0.0, &[centres, DIM]), // pooled on first use
            initted: AtomicBool::new(false),
        }
    }

    /// The centres of this step: stored or pooled ones, in training refined five times by the
    /// batch's tokens, the last time with gradient. `tokens` are the unit rows of `x`.
    /// `[B, N, C]` → `[M, C]`
    fn centres(&self, x: &Var, tokens: &Var, mode: Mode) -> Var {
        let m = self.means.shape()[0];
        let stored = match self.initted.load(Ordering::Relaxed) {
            true => self.means.clone(),
            false => ops::pool_tokens(x, m),
        };
        if mode == Mode::Eval {
            return Var::constant(stored); // neither refined nor made unit
        }
        let mut centres = ops::unit(&stored);
        for _ in 1..REFINEMENTS {
            centres = ops::unit(&ops::refine_centres(tokens, &centres).0);
        }
        let refined = autograd::refine_centres(tokens, &centres);
        if self.initted.swap(true, Ordering::Relaxed) {
            self.means
                .copy_from(&ops::weighted_sum(&self.means, EMA[0], &refined, EMA[1]));
        } else {
            self.means.copy_from(&refined);
        }
        refined
    }

    fn forward(&self, residual: &Var, map: &Map) -> Var {
        let &[b, n, _] = residual.shape() else {
            unreachable!("tokens are [B, N, C]")
        };
        let device = residual.device();
        let m = self.means.shape()[0];
        let x = self.norm.forward(residual); // [B, N, C]

        let tokens = autograd::unit(&x);
        let centres = self.centres(&x, &tokens, map.mode); // [M, C]
        let (k_c, v_c) = self.irca.forward(&centres); // [1, M, 36], [1, M, C]
        let owner = ops::nearest_centre(&tokens, &ops::unit(&centres)); // [B, N]
        let sorted = ops::counting_sort(&owner, m);

        let x = autograd::sort_tokens(&x, &sorted);
        let q = self.iasa.to_q.forward(&x); // [B, N, 36]
        let k = self.iasa.to_k.forward(&x); // [B, N, 36]
        let v = self.iasa.to_v.forward(&x); // [B, N, C]
        let own = attend(
            &q,
            &k,
            &v,
            &map.geometry.sub_groups(device, n, self.group),
            HEADS,
        );
        // All images share the centres: for them the batch is one long list of tokens.
        let q = reshape(&q, &[1, b * n, QK_DIM]);
        let all = attend(
            &q,
            &k_c,
            &v_c,
            &map.geometry.to_centres(device, b * n, m),
            HEADS,
        );
        let y = add(&own, &reshape(&all, &[b, n, DIM]));
        let y = self
            .iasa
            .proj
            .forward(&autograd::unsort_tokens(&y, &sorted)); // [B, N, C]

        self.mlp
            .forward(&self.conv1x1.forward_onto(&y, residual), map)
    }

    fn visit(&self, name: &str, visitor: &mut dyn FnMut(String, State)) {
        self.norm.visit(&join(name, "norm"), visitor);
        self.mlp.visit(&join(name, "mlp"), visitor);
        self.irca.to_k.visit(&join(name, "irca_attn.to_k"), visitor);
        self.irca.to_v.visit(&join(name, "irca_attn.to_v"), visitor);
        self.iasa.visit(&join(name, "iasa_attn"), visitor);
        self.conv1x1.visit(&join(name, "conv1x1"), visitor);
        visitor(join(name, "means"), State::Buffer(&self.means));
        visitor(join(name, "initted"), State::Flag(&self.initted));
    }
}

/// LRSA, local-region self-attention: attention in overlapping windows, the overlaps averaged.
struct LRSA {
    window: usize,
    norm: LayerNorm,
    attention: Attention,
    mlp: ConvFFN,
}

impl LRSA {
    fn new(device: &Device, window: usize, rng: &mut Rng) -> Self {
        LRSA {
            window,
            norm: LayerNorm::new(device, DIM),
            attention: Attention::new(device, DIM, QK_DIM, HEADS, rng),
            mlp: ConvFFN::new(device, rng),
        }
    }

    /// In every window t + proj(attention(norm(t))), averaged where windows overlap. `proj` is
    /// linear, so the average is taken before it.
    fn forward(&self, x: &Var, map: &Map) -> Var {
        let windows = map
            .geometry
            .windows(x.device(), map.height, map.width, self.window);
        let y = self.attention.attend(&self.norm.forward(x), &windows.lists); // [B, N, C]
        let y = autograd::scale_rows(&y, &windows.average);
        let x = match &windows.residual {
            Some(factor) => self
                .attention
                .proj
                .forward_onto(&y, &autograd::scale_rows(x, factor)),
            None => self.attention.proj.forward_onto(&y, x),
        };
        self.mlp.forward(&x, map)
    }

    fn visit(&self, name: &str, visitor: &mut dyn FnMut(String, State)) {
        self.norm.visit(&join(name, "layer.0.norm"), visitor);
        self.attention.visit(&join(name, "layer.0.fn"), visitor);
        self.mlp.visit(&join(name, "layer.1"), visitor);
    }
}

/// One of the eight blocks: `f + mid_conv(LRSA(TAB(f)))`.
struct Block {
    tab: TAB,
    lrsa: LRSA,
    mid_conv: Conv2d,
}

/// The network, for one scale.
pub struct CATANet {
    scale: usize,
    first_conv: Conv2d,
    blocks: Vec<Block>,
    upconvs: Vec<(&'static str, Conv2d, usize)>, // name, convolution, factor
    last_conv: Conv2d,
    geometry: Geometry,
    frames: Mutex<Option<(FrameSize, Arc<Frame>)>>,
}

type FrameSize = [usize; 4]; // height, width, padded height and width

/// How a small image is padded, and what of the result is kept.
struct Frame {
    pad: RowLists,
    crop: RowLists,
}

impl CATANet {
    /// A network of this scale with fresh weights, the same for the same seed.
    ///
    /// # Panics
    /// If `scale` is not 1, 2, 3 or 4.
    pub fn new(device: &Device, scale: usize, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut conv = |ci, co| Conv2d::new(device, ci, co, &mut rng);
        let first_conv = conv(3, DIM);
        let upconvs = match scale {
            1 => vec![],
            2 | 3 => vec![("upconv", conv(DIM, DIM * scale * scale), scale)],
            4 => vec![
                ("upconv1", conv(DIM, DIM * 4), 2),
                ("upconv2", conv(DIM, DIM * 4), 2),
            ],
            _ => panic!("CATANet::new: there is no scale {scale}, only 1, 2, 3 and 4"),
        };
        let last_conv = conv(DIM, 3);
        let sizes = WINDOWS.into_iter().zip(CENTRES).zip(GROUPS);
        let blocks = sizes.map(|((window, centres), group)| Block {
            tab: TAB::new(device, centres, group, &mut rng),
            lrsa: LRSA::new(device, window, &mut rng),
            mid_conv: Conv2d::new(device, DIM, DIM, &mut rng),
        });
        CATANet {
            scale,
            first_conv,
            blocks: blocks.collect(),
            upconvs,
            last_conv,
            geometry: Geometry::default(),
            frames: Mutex::new(None),
        }
    }

    /// The factor by which it enlarges.
    pub fn scale(&self) -> usize {
        self.scale
    }

    /// Low-resolution images to high-resolution ones, values in `[0, 1]` in, about `[0, 1]` out (no
    /// clamp): `[B, H, W, 3]` → `[B, H·s, W·s, 3]`. In training H and W are at least [`MIN_SIDE`].
    #[track_caller]
    pub fn forward(&self, x: &Var, mode: Mode) -> Var {
        let &[b, height, width, 3] = x.shape() else {
            panic!("CATANet::forward: {:?} is not [B, H, W, 3]", x.shape())
        };
        assert!(
            height.min(width) >= MIN_SIDE,
            "CATANet::forward: {height}×{width} is below {MIN_SIDE}; see CATANet::upscale"
        );
        let map = Map {
            height,
            width,
            geometry: &self.geometry,
            mode,
        };
        let (image, tokens) = ([b, height, width, DIM], [b, height * width, DIM]);

        let base = if self.scale > 1 {
            autograd::bilinear(x, self.scale)
        } else {
            x.clone()
        };
        let shallow = self.first_conv.forward(x); // [B, H, W, C]
        let mut f = shallow.clone();
        for Block {
            tab,
            lrsa,
            mid_conv,
        } in &self.blocks
        {
            let y = lrsa.forward(&tab.forward(&reshape(&f, &tokens), &map), &map); // [B, N, C]
            f = mid_conv.forward_onto(&reshape(&y, &image), &f);
        }
        f = add(&f, &shallow);
        for (_, upconv, factor) in &self.upconvs {
            f = upconv.forward_leaky_relu_shuffle(&f, 0.1, *factor); // [B, H·r, W·r, C]
        }
        self.last_conv.forward_onto(&f, &base)
    }

    /// Enlarges images of any size from 1×1, without gradient: sides below [`MIN_SIDE`] are
    /// reflected to that, right and bottom, and the result is cropped.
    /// `[B, H, W, 3]` → `[B, H·s, W·s, 3]`
    #[track_caller]
    pub fn upscale(&self, x: &Tensor) -> Tensor {
        let &[b, h, w, 3] = x.shape() else {
            panic!("CATANet::upscale: {:?} is not [B, H, W, 3]", x.shape())
        };
        let run = |x: Tensor| autograd::no_grad(|| self.forward(&Var::constant(x), Mode::Eval));
        let (ph, pw) = (h.max(MIN_SIDE), w.max(MIN_SIDE));
        if (ph, pw) == (h, w) {
            return run(x.clone()).value().clone();
        }
        let frame = self.frame(x.device(), [h, w, ph, pw]);
        let padded = ops::gather(&x.reshape(&[b, h * w, 3]), &frame.pad);
        let large = run(padded.reshape(&[b, ph, pw, 3]));
        let rows = large.value().reshape(&[b, large.rows() / b, 3]);
        ops::gather(&rows, &frame.crop).reshape(&[b, h * self.scale, w * self.scale, 3])
    }

    fn frame(&self, device: &Device, size: FrameSize) -> Arc<Frame> {
        let mut last = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, frame)) = last.as_ref().filter(|(s, _)| *s == size) {
            return frame.clone();
        }
        let [h, w, ph, pw] = size;
        let s = self.scale;
        let frame = Arc::new(Frame {
            pad: RowLists::reflect_pad(device, [h, w], [ph, pw]),
            crop: RowLists::crop(device, [ph * s, pw * s], [h * s, w * s]),
        });
        *last = Some((size, frame.clone()));
        frame
    }
}

impl Module for CATANet {
    fn visit(&self, name: &str, visitor: &mut dyn FnMut(String, State)) {
        self.first_conv.visit(&join(name, "first_conv"), visitor);
        for (i, block) in self.blocks.iter().enumerate() {
            block
                .tab
                .visit(&join(name, &format!("blocks.{i}.0")), visitor);
            block
                .lrsa
                .visit(&join(name, &format!("blocks.{i}.1")), visitor);
            block
                .mid_conv
                .visit(&join(name, &format!("mid_convs.{i}")), visitor);
        }
        for (upconv, conv, _) in &self.upconvs {
            conv.visit(&join(name, upconv), visitor);
        }
        self.last_conv.visit(&join(name, "last_conv"), visitor);
    }
}
