//! Every kernel at the network's own shapes, forward and backward: one 64×64 map, batch 1.
//! `cargo bench --bench kernels [NAME] [-- --quick]`
//!
//! An op is recorded many times and waited for once, as in the network. Where it takes several
//! dispatches (a weight gradient and its second stage), all of them count.

mod ceiling;
mod common;

use anyhow::Result;
use common::{Bench, Cost, noise};
use tensor::ops::{self, Activation, AdamOptions, AttentionLists, RowLists};
use tensor::{Device, Tensor};

const SIDE: usize = 64;
/// Tokens N.
const N: usize = SIDE * SIDE;
/// Channels C of a token.
const C: usize = 40;
/// Channels of queries and keys.
const QK: usize = 36;
/// Channels inside ConvFFN.
const MLP: usize = 96;
const HEADS: usize = 4;

fn main() -> Result<()> {
    let device = Device::open(None)?;
    let mut kernels = Kernels {
        bench: Bench::new(&device, 1),
        device,
    };
    kernels.linear();
    kernels.conv3x3();
    kernels.depthwise5x5();
    kernels.attention();
    kernels.rows();
    kernels.centres();
    kernels.elementwise();
    kernels.images();
    kernels.bench.finish()
}

struct Kernels {
    device: Device,
    bench: Bench,
}

impl Kernels {
    /// Times `op`, which makes so many multiply-adds and reads and writes so many elements.
    fn time<R>(
        &mut self,
        name: &str,
        multiply_adds: usize,
        elements: &[usize],
        mut op: impl FnMut() -> R,
    ) {
        let cost = Cost::new(multiply_adds, elements);
        self.bench.work(name, cost, || Ok(op()), |_| Ok(()));
    }

    fn noise(&self, shape: &[usize]) -> Tensor {
        noise(&self.device, shape)
    }

    fn linear(&mut self) {
        for (k, n) in [(C, C), (C, QK), (C, MLP), (MLP, C)] {
            let [x, w, b] = [&[N, k][..], &[n, k], &[n]].map(|shape| self.noise(shape));
            let dy = self.noise(&[N, n]);
            let (work, sizes) = (N * k * n, [N * k, n * k, N * n]);
            let shape = format!("{k}_{n}");
            self.time(&format!("linear_{shape}"), work, &sizes, || {
                ops::linear(&x, &w, Some(&b), Activation::None, None)
            });
            self.time(&format!("linear_backward_x_{shape}"), work, &sizes, || {
                ops::linear_backward_x(&dy, &w, None)
            });
            self.time(&format!("linear_backward_w_{shape}"), work, &sizes, || {
                ops::linear_backward_w(&x, &dy).map(ops::RowSum::total)
            });
        }
        let [x, w, b] = [&[N, C][..], &[MLP, C], &[MLP]].map(|shape| self.noise(shape));
        let sizes = [N * C, MLP * C, N * MLP];
        self.time("linear_gelu_40_96", N * C * MLP, &sizes, || {
            ops::linear(&x, &w, Some(&b), Activation::Gelu, None)
        });
        let [x, w, b] = [&[N, MLP][..], &[C, MLP], &[C]].map(|shape| self.noise(shape));
        let residual = self.noise(&[N, C]);
        let sizes = [N * MLP, MLP * C, 2 * N * C];
        self.time("linear_residual_96_40", N * C * MLP, &sizes, || {
            ops::linear(&x, &w, Some(&b), Activation::None, Some(&residual))
        });
    }

    fn conv3x3(&mut self) {
        for (ci, co) in [(3, C), (C, C), (C, 4 * C), (C, 3)] {
            let x = self.noise(&[1, SIDE, SIDE, ci]);
            let dy = self.noise(&[1, SIDE, SIDE, co]);
            let [w, b] = [&[3, 3, ci, co][..], &[co]].map(|shape| self.noise(shape));
            let (work, sizes) = (9 * N * ci * co, [N * ci, 9 * ci * co, N * co]);
            let shape = format!("{ci}_{co}");
            self.time(&format!("conv3x3_{shape}"), work, &sizes, || {
                ops::conv3x3(&x, &w, Some(&b), None)
            });
            self.time(&format!("conv3x3_backward_x_{shape}"), work, &sizes, || {
                ops::conv3x3_backward_x(&dy, &w, None)
            });
            self.time(&format!("conv3x3_backward_w_{shape}"), work, &sizes, || {
                ops::conv3x3_backward_w(&x, &dy).map(ops::RowSum::total)
            });
        }
        let x = self.noise(&[1, SIDE, SIDE, C]);
        let [w, b] = [&[3, 3, C, 4 * C][..], &[4 * C]].map(|shape| self.noise(shape));
        let sizes = [N * C, 36 * C * C, 4 * N * C];
        let work = 36 * N * C * C;
        self.time("conv3x3_leaky_relu_shuffle", work, &sizes, || {
            ops::conv3x3_leaky_relu_shuffle(&x, &w, &b, 0.1, 2)
        });
    }

    fn depthwise5x5(&mut self) {
        let image = [1, SIDE, SIDE, MLP];
        let [x, dy, w, b] =
            [&image[..], &image, &[5, 5, MLP], &[MLP]].map(|shape| self.noise(shape));
        let (work, sizes) = (25 * N * MLP, [N * MLP, 25 * MLP, N * MLP]);
        self.time("depthwise5x5", work, &sizes, || {
            ops::depthwise5x5(&x, &w, Some(&b))
        });
        self.time("depthwise5x5_gelu_add", work, &sizes, || {
            ops::depthwise5x5_gelu_add(&x, &w, &b)
        });
        self.time("depthwise5x5_backward_x", work, &sizes, || {
            ops::depthwise5x5_backward_x(&dy, &w, None)
        });
        self.time("depthwise5x5_backward_w", work, &sizes, || {
            ops::depthwise5x5_backward_w(&x, &dy).map(ops::RowSum::total)
        });
    }

    fn attention(&mut self) {
        for (name, lists) in [
            ("window16", windows(&self.device, 16)),
            ("window28", windows(&self.device, 28)),
            ("groups256", sub_groups(&self.device, 256)),
            ("groups32", sub_groups(&self.device, 32)),
            ("centres16", to_centres(&self.device, 16)),
            ("centres128", to_centres(&self.device, 128)),
        ] {
            let Attended { lists, keys, pairs } = lists;
            let [q, k, v] = [[1, N, QK], [1, keys, QK], [1, keys, C]].map(|s| self.noise(&s));
            let (y, lse) = ops::attention(&q, &k, &v, &lists, HEADS);
            let dy = self.noise(y.shape());
            let inputs = N * QK + keys * (QK + C);
            // q·k and p·v.
            let sizes = [inputs, y.len(), lse.len()];
            self.time(
                &format!("attention_{name}"),
                pairs * (QK + C),
                &sizes,
                || ops::attention(&q, &k, &v, &lists, HEADS),
            );
            // q·k again, dy·v, and what becomes of q, k and v.
            let sizes = [2 * inputs, 2 * y.len(), lse.len()];
            self.time(
                &format!("attention_backward_{name}"),
                pairs * (3 * QK + 2 * C),
                &sizes,
                || ops::attention_backward([&q, &k, &v], (&y, &lse), &dy, &lists, HEADS),
            );
        }
    }

    /// Ops on whole rows: the norm, unit rows, and rows taken by lists.
    fn rows(&mut self) {
        let [x, dy] = [(); 2].map(|()| self.noise(&[1, N, C]));
        let [w, b, factor] = [C, C, N].map(|len| self.noise(&[len]));
        let (_, stats) = ops::layer_norm(&x, &w, &b, 1e-5);
        self.time("layer_norm", 0, &[2 * N * C, 2 * N], || {
            ops::layer_norm(&x, &w, &b, 1e-5)
        });
        self.time("layer_norm_backward", 0, &[3 * N * C, 2 * N], || {
            let (dx, dw, db) = ops::layer_norm_backward(&x, &w, &stats, &dy, None);
            (dx, dw.total(), db.total())
        });
        self.time("unit", 0, &[2 * N * C], || ops::unit(&x));
        self.time("unit_backward", 0, &[3 * N * C], || {
            ops::unit_backward(&x, &dy)
        });
        self.time("scale_rows", 0, &[2 * N * C, N], || {
            ops::scale_rows(&x, &factor)
        });
        self.time("sum_rows", 0, &[N * C, C], || ops::sum_rows(&x));

        let lists = windows(&self.device, 16).lists.queries;
        let taken = ops::gather(&x, &lists);
        let sizes = [taken.rows(), N * C, taken.len()]; // the list is an element a row
        self.time("gather_window16", 0, &sizes, || ops::gather(&x, &lists));
        self.time("segment_sum_window16", 0, &sizes, || {
            ops::segment_sum(&taken, &lists)
        });
    }

    /// Token centres: whose token is whose, tokens sorted by that, and sums by it.
    fn centres(&mut self) {
        const CENTRES: usize = 128;
        let x = ops::unit(&self.noise(&[1, N, C]));
        for m in [16, CENTRES] {
            let centres = ops::pool_tokens(&x, m);
            self.time(
                &format!("nearest_centre_{m}"),
                N * C * m,
                &[N * C, m * C, N],
                || ops::nearest_centre(&x, &centres),
            );
        }
        let centres = ops::pool_tokens(&x, CENTRES);
        let owner = ops::nearest_centre(&x, &centres);
        let sorted = ops::counting_sort(&owner, CENTRES);
        self.time("counting_sort_128", 0, &[3 * N], || {
            ops::counting_sort(&owner, CENTRES)
        });
        self.time("sort_tokens", 0, &[2 * N * C, N], || {
            ops::sort_tokens(&x, &sorted)
        });
        self.time("centre_sums_128", 0, &[N * C, N, CENTRES * C], || {
            ops::centre_sums(&x, &sorted)
        });
        self.time("pool_tokens_128", 0, &[N * C, CENTRES * C], || {
            ops::pool_tokens(&x, CENTRES)
        });
        self.time(
            "refine_centres_128",
            N * C * CENTRES,
            &[N * C, 2 * CENTRES * C],
            || ops::refine_centres(&x, &centres),
        );
    }

    fn elementwise(&mut self) {
        let [a, b] = [(); 2].map(|()| self.noise(&[N, MLP]));
        let len = a.len();
        self.time("add", 0, &[3 * len], || ops::add(&a, &b));
        self.time("gelu", 0, &[2 * len], || ops::gelu(&a));
        self.time("gelu_backward", 0, &[3 * len], || {
            ops::gelu_backward(&a, &b)
        });
        self.time("leaky_relu", 0, &[2 * len], || ops::leaky_relu(&a, 0.1));
        self.time("leaky_relu_backward", 0, &[3 * len], || {
            ops::leaky_relu_backward(&a, &b, 0.1)
        });
        let [w, g, m, v] = [(); 4].map(|()| self.noise(&[MLP, C]));
        let options = AdamOptions::default();
        self.time("adam_96x40", 0, &[7 * MLP * C], || {
            ops::adam(&w, &g, &m, &v, 1, &options)
        });
    }

    /// What stands at the network's end, at ×2.
    fn images(&mut self) {
        let (small, large) = ([1, SIDE, SIDE, 4 * C], [1, 2 * SIDE, 2 * SIDE, C]);
        let [x, y] = [small, large].map(|shape| self.noise(&shape));
        let len = x.len();
        self.time("pixel_shuffle", 0, &[2 * len], || ops::pixel_shuffle(&x, 2));
        self.time("pixel_unshuffle", 0, &[2 * len], || {
            ops::pixel_unshuffle(&y, 2)
        });
        let [a, b] = [(); 2].map(|()| self.noise(&[1, 2 * SIDE, 2 * SIDE, 3]));
        let (image, dy) = (self.noise(&[1, SIDE, SIDE, 3]), self.noise(&[1]));
        let len = a.len();
        self.time("bilinear", 0, &[image.len(), len], || {
            ops::bilinear(&image, 2)
        });
        self.time("bilinear_backward", 0, &[image.len(), len], || {
            ops::bilinear_backward(&a, 2)
        });
        self.time("l1_loss", 0, &[2 * len, 1], || ops::l1_loss(&a, &b));
        self.time("l1_loss_backward", 0, &[3 * len, 1], || {
            ops::l1_loss_backward(&a, &b, &dy)
        });
    }
}

/// Who attends to whom, among how many rows of keys, and how many pairs that makes.
struct Attended {
    lists: AttentionLists,
    keys: usize,
    pairs: usize,
}

/// LRSA: windows that overlap by two, the last pushed back to the border.
fn windows(device: &Device, size: usize) -> Attended {
    let along = (SIDE - 2).div_ceil(size - 2);
    let start = |i: usize| (i * (size - 2)).min(SIDE - size);
    let mut index = Vec::new();
    for (top, left) in (0..along).flat_map(|i| (0..along).map(move |j| (start(i), start(j)))) {
        for y in top..top + size {
            index.extend((left..left + size).map(|x| (y * SIDE + x) as u32));
        }
    }
    let rows = RowLists::new(device, &index, along * along, N);
    Attended {
        lists: AttentionLists::within(rows),
        keys: N,
        pairs: index.len() * size * size,
    }
}

/// IASA: sorted tokens in sub-groups, whose keys are their own and the next one's.
fn sub_groups(device: &Device, size: usize) -> Attended {
    let all: Vec<_> = (0..N as u32).collect();
    let count = N / size;
    let next = |j: usize| if j + 1 < count { j + 1 } else { j };
    let keys: Vec<_> = (0..count)
        .flat_map(|j| [j, next(j)])
        .flat_map(|j| &all[j * size..(j + 1) * size])
        .copied()
        .collect();
    Attended {
        lists: AttentionLists {
            queries: RowLists::new(device, &all, count, N),
            keys: RowLists::new(device, &keys, count, N),
        },
        keys: N,
        pairs: N * 2 * size,
    }
}

/// IRCA: every token to all centres.
fn to_centres(device: &Device, centres: usize) -> Attended {
    let all: Vec<_> = (0..N as u32).collect();
    let count = N / 128; // queries in lists of 128, as in the network
    let keys: Vec<_> = (0..count).flat_map(|_| 0..centres as u32).collect();
    Attended {
        lists: AttentionLists {
            queries: RowLists::new(device, &all, count, N),
            keys: RowLists::new(device, &keys, count, centres),
        },
        keys: centres,
        pairs: N * centres,
    }
}
