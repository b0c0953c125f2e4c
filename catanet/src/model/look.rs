//! Whom the tokens of a block attend to, to be looked at.
//!
//! The network never has these numbers at once: its kernels do not store scores. Here they are computed
//! once more for one token at a time, on the host, from the queries and keys of the block.

use std::ops::Range;

use autograd::{Var, no_grad, reshape};
use nn::Attention;
use tensor::Tensor;

use super::{CATANet, Grouped, Mode};
use crate::config::{DIM, HEADS, MIN_SIDE, QK};
use crate::geometry::{sub_group_keys, window_starts};

/// Whom the tokens of one block attend to, for one image. Tokens are numbered row by row.
pub struct Look {
    size: [usize; 2],    // height and width
    owners: Vec<u32>,    // [N]
    order: Vec<u32>,     // [N]: the token at each place of the sorted sequence
    places: Vec<u32>,    // [N]: the place of each token
    group: usize,        // of IASA
    window: usize,       // of LRSA
    sorted: QueriesKeys, // of IASA, in the sorted sequence
    local: QueriesKeys,  // of LRSA
}

struct QueriesKeys {
    queries: Vec<f32>, // [N, QK]
    keys: Vec<f32>,    // [N, QK]
}

impl QueriesKeys {
    async fn of(attention: &Attention, x: &Var) -> tensor::Result<QueriesKeys> {
        let [q, k] = [&attention.to_q, &attention.to_k].map(|to| no_grad(|| to.forward(x)));
        Ok(QueriesKeys {
            queries: q.value().to_vec_async().await?,
            keys: k.value().to_vec_async().await?,
        })
    }

    /// softmax over `keys` of the scores that `query` has with them, in one head.
    fn weights(&self, query: usize, keys: &[usize], head: usize) -> Vec<f32> {
        let dk = QK / HEADS;
        let part = |rows: &'_ [f32], row: usize| -> Vec<f32> {
            let start = row * QK + head * dk;
            rows[start..start + dk].to_vec()
        };
        let q = part(&self.queries, query);
        let score = |&key: &usize| {
            let products = part(&self.keys, key)
                .into_iter()
                .zip(&q)
                .map(|(k, q)| k * q);
            products.sum::<f32>() / (dk as f32).sqrt()
        };
        let scores: Vec<f32> = keys.iter().map(score).collect();
        let largest = scores.iter().copied().fold(f32::MIN, f32::max);
        let exps: Vec<f32> = scores.iter().map(|s| (s - largest).exp()).collect();
        let sum: f32 = exps.iter().sum();
        exps.into_iter().map(|e| e / sum).collect()
    }

    /// The mean of the heads' weights.
    fn mean(&self, query: usize, keys: &[usize]) -> Vec<f32> {
        let mut mean = vec![0.0; keys.len()];
        for head in 0..HEADS {
            let weights = self.weights(query, keys, head);
            mean.iter_mut()
                .zip(weights)
                .for_each(|(m, w)| *m += w / HEADS as f32);
        }
        mean
    }
}

impl CATANet {
    /// Whom the tokens of block `index` attend to where the network is given the image `x`
    /// `[1, H, W, 3]`, of at least [`MIN_SIDE`] a side.
    ///
    /// # Errors
    /// The device failed.
    ///
    /// # Panics
    /// If the image is smaller or not one, or there is no such block.
    #[track_caller]
    pub fn look(&self, x: &Tensor, index: usize) -> impl Future<Output = tensor::Result<Look>> {
        let &[1, height, width, 3] = x.shape() else {
            panic!("CATANet::look: {:?} is not [1, H, W, 3]", x.shape())
        };
        assert!(
            height.min(width) >= MIN_SIDE,
            "CATANet::look: {height}×{width} is below {MIN_SIDE}"
        );
        self.look_at(x.clone(), [height, width], index)
    }

    async fn look_at(&self, x: Tensor, size: [usize; 2], index: usize) -> tensor::Result<Look> {
        let block = &self.blocks[index];
        let (tab, lrsa) = (&block.tab, &block.lrsa);
        let tokens = |f: &Var| reshape(f, &[1, size[0] * size[1], DIM]); // [1, N, C]
        let (grouped, local) = no_grad(|| {
            let mut f = self.first_conv.forward(&Var::constant(x)); // [1, H, W, C]
            for before in &self.blocks[..index] {
                f = before.forward(&f, &self.geometry, Mode::Eval);
            }
            let grouped = tab.grouped(&tokens(&f), Mode::Eval);
            f = tab.forward(&f, &self.geometry, Mode::Eval);
            (grouped, lrsa.norm.forward(&tokens(&f)))
        });
        let Grouped {
            tokens,
            owner,
            sorted,
            ..
        } = grouped;
        Ok(Look {
            size,
            owners: owner.to_vec_async().await?,
            order: sorted.order.to_vec_async().await?,
            places: sorted.inverse.to_vec_async().await?,
            group: tab.iasa.group,
            window: lrsa.window,
            sorted: QueriesKeys::of(&tab.iasa.attention, &tokens).await?,
            local: QueriesKeys::of(&lrsa.attention, &local).await?,
        })
    }
}

impl Look {
    /// `[N]`: the number of the centre that each token is nearest to.
    pub fn owners(&self) -> &[u32] {
        &self.owners
    }

    /// `[N]`: the weight that a token gives to each in IASA, the mean of all heads. They add up to 1; those
    /// outside of its sub-group and the next have none.
    pub fn in_group(&self, token: usize) -> Vec<f32> {
        let n = self.owners.len();
        let place = self.places[token] as usize;
        let group = self.group.min(n);
        let keys: Vec<usize> = sub_group_keys(n, group, place / group).collect();
        let mut weights = vec![0.0; n];
        for (&key, weight) in keys.iter().zip(self.sorted.mean(place, &keys)) {
            weights[self.order[key] as usize] += weight;
        }
        weights
    }

    /// `[N]`: the weight that a token gives to each in LRSA, the mean of all heads and of its windows.
    pub fn in_windows(&self, token: usize) -> Vec<f32> {
        let width = self.size[1];
        let [down, across] = self.windows(token);
        let count = (down.len() * across.len()) as f32;
        let mut weights = vec![0.0; self.owners.len()];
        for rows in &down {
            for columns in &across {
                let row = |y: usize| columns.clone().map(move |x| y * width + x);
                let keys: Vec<usize> = rows.clone().flat_map(row).collect();
                for (&key, weight) in keys.iter().zip(self.local.mean(token, &keys)) {
                    weights[key] += weight / count;
                }
            }
        }
        weights
    }

    /// The rows and the columns of the windows that a token lies in: each with each is a window.
    pub fn windows(&self, token: usize) -> [Vec<Range<usize>>; 2] {
        let [height, width] = self.size;
        let holding = |side: usize, at: usize| {
            let windows = window_starts(side, self.window).map(|start| start..start + self.window);
            windows.filter(|window| window.contains(&at)).collect()
        };
        [
            holding(height, token / width),
            holding(width, token % width),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BLOCKS;
    use tensor::Device;

    #[test]
    fn weighted_values_are_what_the_network_computes() {
        let device = Device::open(None).expect("tests need an adapter");
        let net = CATANet::new(&device, 2, 1);
        let [height, width] = [37, 45]; // three windows of 16 meet, and sub-groups are filled up
        let n = height * width;
        let pixels: Vec<f32> = (0..n * 3)
            .map(|i| (i as f32 * 12.9898).sin().abs())
            .collect();
        let x = Tensor::new(&device, &pixels, &[1, height, width, 3]);
        let look = pollster::block_on(net.look(&x, 0)).expect("looked");
        let (tab, lrsa) = (&net.blocks[0].tab, &net.blocks[0].lrsa);
        let dv = DIM / HEADS;

        // IASA of one token, by hand from its weights, and by the kernels.
        let token = 5 * width + 7;
        let place = look.places[token] as usize;
        let (values, wanted) = no_grad(|| {
            let f = net.first_conv.forward(&Var::constant(x.clone()));
            let grouped = tab.grouped(&reshape(&f, &[1, n, DIM]), Mode::Eval);
            let q = tab.iasa.attention.to_q.forward(&grouped.tokens);
            let values = tab.iasa.attention.to_v.forward(&grouped.tokens);
            (values, tab.iasa.forward(&grouped.tokens, &q, &net.geometry))
        });
        let [values, wanted] = [values, wanted].map(|y| y.value().to_vec().expect("read"));
        let group = BLOCKS[0].group;
        let keys: Vec<usize> = sub_group_keys(n, group, place / group).collect();
        for head in 0..HEADS {
            let weights = look.sorted.weights(place, &keys, head);
            for c in head * dv..(head + 1) * dv {
                let terms = keys
                    .iter()
                    .zip(&weights)
                    .map(|(&key, w)| w * values[key * DIM + c]);
                let (got, wanted) = (terms.sum::<f32>(), wanted[place * DIM + c]);
                assert!((got - wanted).abs() < 1e-5, "head {head}: {got}, {wanted}");
            }
        }

        for weights in [look.in_group(token), look.in_windows(token)] {
            assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
        let [down, across] = look.windows(token);
        let outside = |t: &usize| {
            let inside = |windows: &[Range<usize>], at| windows.iter().any(|w| w.contains(&at));
            !(inside(&down, t / width) && inside(&across, t % width))
        };
        let local = look.in_windows(token);
        assert!((0..n).filter(outside).all(|t| local[t] == 0.0));
        assert_eq!(
            (down.len(), across.len(), lrsa.window),
            (1, 1, BLOCKS[0].window)
        );
        assert_eq!(look.windows(14 * width)[0], [0..16, 14..30]);
    }
}
