//! The network as the paper draws it (CATANet, CVPR 2025, section 3): one type per named part.
//!
//! Images and tokens are channels last: `[B, H, W, C]` and `[B, N, C]` with N = H·W are the same memory.

#![allow(clippy::upper_case_acronyms)] // the paper's names

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use autograd::{Var, add, once, recompute, reshape};
use nn::{Attention, Conv2d, DepthwiseConv2d, LayerNorm, Linear, ParameterStore, attend};
use tensor::ops::{self, SortedTokens};
use tensor::{Device, Tensor};

use crate::bands::{in_bands, in_runs};
use crate::config::{BLOCKS, BlockConfig, DIM, EMA, HEADS, MIN_SIDE, MLP, QK, REFINEMENTS, SLOPE};
use crate::geometry::Geometry;
use crate::limits::Part;

pub mod look;
mod names;
mod runs;
mod upscale;
mod without;

pub use without::LeftOut;

/// Whether the centres move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Centres are refined by the batch, and the stored ones follow slowly.
    Train,
    /// Stored centres are used as they are.
    Eval,
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
    fn new(store: &mut ParameterStore) -> Self {
        ConvFFN {
            norm: LayerNorm::new(store, DIM),
            fc1: Linear::new(store, DIM, MLP, true),
            dwconv: DepthwiseConv2d::new(store, MLP),
            fc2: Linear::new(store, MLP, DIM, true),
        }
    }

    /// [B, H, W, C] → [B, H, W, C]
    fn forward(&self, x: &Var) -> Var {
        in_bands(&[x], Part::CONV_FFN, |x, _| {
            let mut a = self.norm.forward(&x[0]); // [B, H, W, C]
            a = self.fc1.forward_gelu(&a); // [B, H, W, 96]
            a = self.dwconv.forward_gelu_add(&a); // [B, H, W, 96]
            self.fc2.forward_onto(&a, &x[0]) // [B, H, W, C]
        })
    }
}

/// IRCA, inter-group cross-attention: every token attends to all token centres.
struct IRCA {
    to_k: Linear,
    to_v: Linear,
}

impl IRCA {
    /// Queries `[B, N, 36]` and centres `[M, C]` → `[B, N, C]`
    fn forward(&self, q: &Var, centres: &Var, geometry: &Geometry) -> Var {
        let &[b, n, _] = q.shape() else {
            unreachable!("queries are [B, N, 36]")
        };
        let m = centres.rows();
        // All images share the centres: for them the batch is one long list of tokens.
        let q = reshape(q, &[1, b * n, QK]); // [1, B·N, 36]
        let k = reshape(&self.to_k.forward(centres), &[1, m, QK]); // [1, M, 36]
        let v = reshape(&self.to_v.forward(centres), &[1, m, DIM]); // [1, M, C]
        let y = attend(&q, &k, &v, &geometry.to_centres(b * n, m), HEADS); // [1, B·N, C]
        reshape(&y, &[b, n, DIM]) // [B, N, C]
    }
}

/// IASA, intra-group self-attention: sorted tokens are cut into sub-groups, and each attends to its own
/// and the next one.
struct IASA {
    group: usize,
    attention: Attention,
}

impl IASA {
    /// Sorted tokens `[B, N, C]` and their queries `[B, N, 36]` → `[B, N, C]`
    fn forward(&self, x: &Var, q: &Var, geometry: &Geometry) -> Var {
        let k = self.attention.to_k.forward(x); // [B, N, 36]
        let v = self.attention.to_v.forward(x); // [B, N, C]
        let groups = geometry.sub_groups(x.shape()[1], self.group);
        attend(q, &k, &v, &groups, HEADS) // [B, N, C]
    }
}

/// TAB, the token aggregation block: tokens are grouped by their nearest centre, and attend within
/// their group (IASA) and to all centres (IRCA).
struct TAB {
    norm: LayerNorm,
    irca: IRCA,
    iasa: IASA,
    conv1x1: Linear,
    mlp: ConvFFN,
    means: Tensor, // [M, C]
    initted: AtomicBool,
}

impl TAB {
    fn new(store: &mut ParameterStore, config: BlockConfig) -> Self {
        TAB {
            norm: LayerNorm::new(store, DIM),
            irca: IRCA {
                to_k: Linear::new(store, DIM, QK, false),
                to_v: Linear::new(store, DIM, DIM, false),
            },
            iasa: IASA {
                group: config.group,
                attention: Attention::new(store, DIM, QK, HEADS),
            },
            conv1x1: Linear::conv1x1(store, DIM, DIM),
            mlp: ConvFFN::new(store),
            means: Tensor::full(store.device(), 0.0, &[config.centres, DIM]), // pooled on first use
            initted: AtomicBool::new(false),
        }
    }

    /// The centres of this step: stored or pooled ones, in training refined five times by the batch's
    /// tokens, the last time with gradient. `tokens` are the unit rows of `x`. `[B, N, C]` → `[M, C]`
    fn centres(&self, x: &Var, tokens: &Var, mode: Mode) -> Var {
        let stored = || match self.initted.load(Ordering::Relaxed) {
            true => self.means.clone(),
            false => ops::pool_tokens(x.value(), self.means.shape()[0]),
        };
        if mode == Mode::Eval {
            return Var::constant(stored()); // neither refined nor made unit
        }
        let centres = once(|| {
            (1..REFINEMENTS).fold(ops::unit(&stored()), |centres, _| {
                ops::unit(&ops::refine_centres(tokens.value(), &centres).0)
            })
        });
        let refined = autograd::refine_centres(tokens, &centres);
        once(|| self.follow(refined.value()));
        refined
    }

    /// The stored centres follow those of a training step.
    fn follow(&self, centres: &Tensor) {
        if self.initted.swap(true, Ordering::Relaxed) {
            let [kept, new] = EMA;
            let mixed = ops::weighted_sum(&self.means, kept, centres, new);
            self.means.copy_from(&mixed);
        } else {
            self.means.copy_from(centres);
        }
    }

    /// [B, H, W, C] → [B, H, W, C]
    fn forward(&self, x: &Var, geometry: &Geometry, mode: Mode) -> Var {
        let &[b, height, width, _] = x.shape() else {
            unreachable!("images are [B, H, W, C]")
        };
        let residual = reshape(x, &[b, height * width, DIM]); // [B, N, C]
        let stored = mode == Mode::Eval && self.initted.load(Ordering::Relaxed);
        let y = match in_runs(&residual, self.iasa.group) {
            Some(runs) if stored => self.attend_in_runs(&residual, &runs, geometry),
            _ => self.attend(&residual, geometry, mode),
        };
        self.mlp.forward(&reshape(&y, x.shape()))
    }

    /// Tokens sorted by their nearest centre. `[B, N, C]`
    fn grouped(&self, residual: &Var, mode: Mode) -> Grouped {
        let x = self.norm.forward(residual); // [B, N, C]
        let tokens = autograd::unit(&x); // [B, N, C]
        let centres = self.centres(&x, &tokens, mode); // [M, C]
        let owner = ops::nearest_centre(tokens.value(), &ops::unit(centres.value())); // [B, N]
        drop(tokens);
        let sorted = ops::counting_sort(&owner, centres.rows());
        Grouped {
            tokens: autograd::sort_tokens(&x, &sorted),
            centres,
            owner,
            sorted,
        }
    }

    /// All but ConvFFN. `[B, N, C]` → `[B, N, C]`
    fn attend(&self, residual: &Var, geometry: &Geometry, mode: Mode) -> Var {
        let Grouped {
            tokens: mut x,
            centres,
            sorted,
            ..
        } = self.grouped(residual, mode);
        x = self.attend_sorted(&x, &centres, geometry); // [B, N, C]
        x = autograd::unsort_tokens(&x, &sorted);
        x = self.iasa.attention.proj.forward(&x);
        self.conv1x1.forward_onto(&x, residual)
    }

    /// IASA and IRCA of sorted tokens. `[B, N, C]` and `[M, C]` → `[B, N, C]`
    fn attend_sorted(&self, x: &Var, centres: &Var, geometry: &Geometry) -> Var {
        let q = self.iasa.attention.to_q.forward(x); // [B, N, 36]
        let within = self.iasa.forward(x, &q, geometry); // [B, N, C]
        add(&within, &self.irca.forward(&q, centres, geometry))
    }
}

/// Tokens in the order of their centres.
struct Grouped {
    tokens: Var,          // [B, N, C], sorted
    centres: Var,         // [M, C]
    owner: Tensor<u32>,   // [B, N], not sorted
    sorted: SortedTokens, // where each went
}

/// LRSA, local-region self-attention: attention in overlapping windows, the overlaps averaged.
struct LRSA {
    window: usize,
    norm: LayerNorm,
    attention: Attention,
    mlp: ConvFFN,
}

impl LRSA {
    fn new(store: &mut ParameterStore, window: usize) -> Self {
        LRSA {
            window,
            norm: LayerNorm::new(store, DIM),
            attention: Attention::new(store, DIM, QK, HEADS),
            mlp: ConvFFN::new(store),
        }
    }

    /// In every window t + proj(attention(norm(t))), averaged where windows overlap. `proj` is
    /// linear, so the average is taken before it. [B, H, W, C] → [B, H, W, C]
    fn forward(&self, x: &Var, geometry: &Geometry) -> Var {
        let map = [x.shape()[1], x.shape()[2]];
        let y = in_bands(&[x], Part::Windows(self.window), |image, rows| {
            let image = &image[0];
            let x = reshape(image, &[image.shape()[0], rows.len() * map[1], DIM]); // [B, N, C]
            let windows = geometry.windows(map, self.window, rows);
            let y = self.norm.forward(&x); // [B, N, C]
            let y = self.attention.attend(&y, &windows.lists); // [B, N, C]
            let y = autograd::scale_rows(&y, &windows.average);
            let residual = match &windows.residual {
                Some(factor) => autograd::scale_rows(&x, factor),
                None => x,
            };
            let y = self.attention.proj.forward_onto(&y, &residual); // [B, N, C]
            reshape(&y, image.shape())
        });
        self.mlp.forward(&y)
    }
}

/// One of the eight blocks: `f + mid_conv(LRSA(TAB(f)))`.
struct Block {
    tab: TAB,
    lrsa: LRSA,
    mid_conv: Conv2d,
}

impl Block {
    fn new(store: &mut ParameterStore, config: BlockConfig) -> Self {
        Block {
            tab: TAB::new(store, config),
            lrsa: LRSA::new(store, config.window),
            mid_conv: Conv2d::new(store, DIM, DIM),
        }
    }

    /// [B, H, W, C] → [B, H, W, C]
    fn forward(&self, f: &Var, geometry: &Geometry, mode: Mode) -> Var {
        let y = self.tab.forward(f, geometry, mode);
        let y = self.lrsa.forward(&y, geometry);
        in_bands(&[f, &y], Part::MID_CONV, |x, _| {
            self.mid_conv.forward_onto(&x[1], &x[0])
        })
    }
}

/// The network, for one scale.
pub struct CATANet {
    scale: usize,
    first_conv: Conv2d,
    blocks: Vec<Arc<Block>>,
    upconvs: Vec<(&'static str, Conv2d, usize)>, // name, convolution, factor
    last_conv: Conv2d,
    geometry: Arc<Geometry>,
    recompute: bool,
    half: bool,
    frame: upscale::LastFrame,
}

impl CATANet {
    /// A network of this scale with fresh weights, the same for the same seed.
    ///
    /// # Panics
    /// If `scale` is not 1, 2, 3 or 4.
    pub fn new(device: &Device, scale: usize, seed: u64) -> Self {
        let mut store = ParameterStore::new(device, seed);
        let mut conv = |ci, co| Conv2d::new(&mut store, ci, co);
        let first_conv = conv(3, DIM);
        let factors: &[_] = match scale {
            1 => &[],
            2 | 3 => &[("upconv", scale)],
            4 => &[("upconv1", 2), ("upconv2", 2)],
            _ => panic!("CATANet::new: there is no scale {scale}, only 1, 2, 3 and 4"),
        };
        let upconv = |&(name, r)| (name, conv(DIM, DIM * r * r), r);
        let upconvs = factors.iter().map(upconv).collect();
        let last_conv = conv(DIM, 3);
        let blocks = BLOCKS.map(|config| Arc::new(Block::new(&mut store, config)));
        CATANet {
            scale,
            first_conv,
            blocks: blocks.into(),
            upconvs,
            last_conv,
            geometry: Arc::new(Geometry::new(device)),
            recompute: false,
            half: false,
            frame: Default::default(),
        }
    }

    /// Low-resolution images, at least [`MIN_SIDE`] a side, to high-resolution ones, values in `[0, 1]`
    /// in, about `[0, 1]` out (no clamp): `[B, H, W, 3]` → `[B, H·s, W·s, 3]`
    #[track_caller]
    pub fn forward(&self, x: &Var, mode: Mode) -> Var {
        match self.forward_watched(x, mode, &mut |_| true) {
            Some(y) => y,
            None => unreachable!("nobody asked to stop"),
        }
    }

    /// [`CATANet::forward`], which tells after each block how many are recorded; None where the answer is
    /// not to go on.
    #[track_caller]
    fn forward_watched(
        &self,
        x: &Var,
        mode: Mode,
        go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Option<Var> {
        let &[_, height, width, 3] = x.shape() else {
            panic!("CATANet::forward: {:?} is not [B, H, W, 3]", x.shape())
        };
        assert!(
            height.min(width) >= MIN_SIDE,
            "CATANet::forward: {height}×{width} is below {MIN_SIDE}; see CATANet::upscale"
        );
        let shallow = in_bands(&[x], Part::FIRST_CONV, |x, _| {
            self.first_conv.forward(&self.stored(&x[0]))
        }); // [B, H, W, C]
        let mut f = shallow.clone();
        for (i, block) in self.blocks.iter().enumerate() {
            let (block, geometry) = (block.clone(), self.geometry.clone());
            let forward = move |f: &[Var]| block.forward(&f[0], &geometry, mode);
            f = match self.recompute {
                true => recompute(&[&f], forward),
                false => forward(&[f]), // [B, H, W, C]
            };
            if !go_on(i + 1) {
                return None;
            }
        }
        let y = in_bands(&[&f, &shallow, x], Part::upsampler(self.scale), |x, _| {
            self.upsample(&add(&x[0], &x[1]), &x[2])
        }); // [B, H·s, W·s, 3]
        Some(y)
    }

    /// Features `[B, H, W, C]` and images `[B, H, W, 3]` → `[B, H·s, W·s, 3]`
    fn upsample(&self, f: &Var, x: &Var) -> Var {
        let mut f = f.clone();
        for (_, upconv, factor) in &self.upconvs {
            f = upconv.forward_leaky_relu_shuffle(&f, SLOPE, *factor); // [B, H·r, W·r, C]
        }
        match self.scale {
            1 => self.last_conv.forward_onto(&f, x),
            s => self.last_conv.forward_onto(&f, &autograd::bilinear(x, s)),
        }
    }
}
