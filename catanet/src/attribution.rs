//! Which pixels of the small image a patch of the large one depends on: the local attribution map of
//! Gu and Dong, "Interpreting Super-Resolution Networks with Local Attribution Maps" (CVPR 2021).
//!
//! A detector D tells how much edge there is in the patch: the sum of Sobel's gradient magnitudes. The image
//! runs along a path from a blurred one to itself, γ(α), by Gaussians of falling width, and the map is what
//! the gradient of D gathers on the way (integrated gradients, Sundararajan et al. 2017):
//!
//! ```text
//! LAM_i = ∫₀¹ ∂D(net(γ(α)))/∂γ_i · ∂γ_i/∂α dα
//! ```
//!
//! Summed over all pixels it is D at the end of the path less D at its beginning, up to what finitely many
//! steps leave out. The diffusion index, `(1 − Gini)·100` of the map's sizes, tells how widely the pixels are
//! spread that matter.

use autograd::{Var, mul, sum};
use nn::parameters;
use tensor::Tensor;

use crate::error::Result;
use crate::model::{CATANet, Mode};

/// How a map is computed. Sizes are in pixels of the small image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PathOptions {
    /// The widest Gaussian's σ.
    pub sigma: f64,
    /// Side of the blur's kernel, odd.
    pub side: usize,
    /// Steps along the path.
    pub steps: usize,
}

impl Default for PathOptions {
    /// As the authors have it: σ 1.2, kernels of 9×9, 50 steps.
    fn default() -> Self {
        PathOptions {
            sigma: 1.2,
            side: 9,
            steps: 50,
        }
    }
}

/// A square of the large image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patch {
    /// Column of its left side.
    pub x: usize,
    /// Row of its upper side.
    pub y: usize,
    /// Pixels a side.
    pub side: usize,
}

/// What a patch depends on.
#[derive(Debug, Clone)]
pub struct Attribution {
    /// The map, each pixel's channels added up. `[H·W]`, signed
    pub map: Vec<f64>,
    /// The detector on the blurred image and on the image itself.
    pub detected: [f64; 2],
}

impl Attribution {
    /// From 0, one pixel alone matters, to 100, all do alike: the area that the network draws on. As the
    /// authors have it, of the sizes of the map's values by the largest.
    pub fn diffusion_index(&self) -> f64 {
        let sizes = self.map.iter().map(|v| v.abs());
        let most = sizes.clone().fold(f64::MIN_POSITIVE, f64::max);
        (1.0 - gini(sizes.map(|size| size / most).collect())) * 100.0
    }
}

/// Gini's coefficient of inequality: 0 where all are alike, near 1 where one has everything.
fn gini(mut values: Vec<f64>) -> f64 {
    values.iter_mut().for_each(|v| *v += 1e-7); // all may be 0
    values.sort_by(f64::total_cmp);
    let n = values.len() as f64;
    let ranked = values.iter().enumerate();
    let above: f64 = ranked
        .map(|(i, v)| (2.0 * (i + 1) as f64 - n - 1.0) * v)
        .sum();
    above / (n * values.iter().sum::<f64>())
}

/// The attribution map of `patch` of an image `[H, W, 3]`, values in `[0, 1]`. After each step `go_on` is
/// told how many are done; None where it answers false.
///
/// # Errors
/// The device failed.
///
/// # Panics
/// The image has another size, the patch reaches out of the large image, the blur's side is even, or there
/// are no steps.
pub fn attribute(
    net: &CATANet,
    image: &[f32],
    [height, width]: [usize; 2],
    patch: Patch,
    options: PathOptions,
    go_on: &mut dyn FnMut(usize) -> bool,
) -> Result<Option<Attribution>> {
    let scale = net.scale();
    assert_eq!(image.len(), height * width * 3, "attribute: not [H, W, 3]");
    assert!(
        patch.side > 0
            && patch.x + patch.side <= width * scale
            && patch.y + patch.side <= height * scale,
        "attribute: {patch:?} is not within {}×{}",
        width * scale,
        height * scale
    );
    assert!(
        options.side % 2 == 1 && options.steps > 0,
        "attribute: {options:?}"
    );
    let steps = options.steps;
    // Point i of the path, 0 to `steps`: the sharpest is the image itself.
    let blurred = |i: usize| {
        let sigma = options.sigma * (1.0 - i as f64 / steps as f64);
        blur(image, [height, width], &gaussian(options.side, sigma))
    };
    let mut before = blurred(0);
    let mut map = vec![0.0; height * width];
    let y = output(
        net,
        &Var::constant(tensor_of(net, &before, [height, width])),
    )?;
    let mut detected = [detect(&y, width * scale, patch).0; 2];
    let mut stopped = false;
    for i in 1..=steps {
        let now = blurred(i);
        let x = Var::parameter(tensor_of(net, &now, [height, width])); // [1, H, W, 3]
        let y = net.forward(&x, Mode::Eval); // [1, H·s, W·s, 3]
        let values = y.value().to_vec().map_err(nn::Error::from)?;
        let (d, dy) = detect(&values, width * scale, patch);
        // The gradient of Σ y·dy by x is what D's gradient dy becomes on its way back.
        let dy = Var::constant(Tensor::new(net.device(), &dy, y.shape()));
        sum(&mul(&y, &dy)).backward();
        let gradient = x.grad().map(|gradient| gradient.to_vec());
        let gradient = gradient.transpose().map_err(nn::Error::from)?;
        for (at, g) in gradient.unwrap_or_default().iter().enumerate() {
            map[at / 3] += f64::from(*g) * f64::from(now[at] - before[at]);
        }
        detected[1] = d;
        before = now;
        stopped = !go_on(i);
        if stopped {
            break;
        }
    }
    // The walk back also left gradients with the weights, which nobody wants.
    parameters(net).iter().for_each(|(_, p)| p.zero_grad());
    Ok((!stopped).then_some(Attribution { map, detected }))
}

fn tensor_of(net: &CATANet, image: &[f32], [height, width]: [usize; 2]) -> Tensor {
    Tensor::new(net.device(), image, &[1, height, width, 3])
}

fn output(net: &CATANet, x: &Var) -> Result<Vec<f32>> {
    let y = autograd::no_grad(|| net.forward(x, Mode::Eval));
    Ok(y.value().to_vec().map_err(nn::Error::from)?)
}

/// A Gaussian of this σ on side×side points, adding up to 1; at σ = 0 it is the middle alone.
fn gaussian(side: usize, sigma: f64) -> Vec<f64> {
    let middle = (side / 2) as f64;
    let width = 2.0 * (sigma + 1e-5).powi(2); // not 0
    let at = |i: usize| {
        let (y, x) = ((i / side) as f64 - middle, (i % side) as f64 - middle);
        (-(x * x + y * y) / width).exp()
    };
    let kernel: Vec<f64> = (0..side * side).map(at).collect();
    let sum: f64 = kernel.iter().sum();
    kernel.iter().map(|v| v / sum).collect()
}

/// An image `[H, W, 3]` under a square kernel. Beyond the border it is mirrored about its outermost pixels.
fn blur(image: &[f32], [height, width]: [usize; 2], kernel: &[f64]) -> Vec<f32> {
    let side = kernel.len().isqrt();
    let mirrored = |at: usize, offset: usize, length: usize| {
        let period = 2 * (length - 1).max(1);
        let place = (at + offset + period * side - side / 2) % period;
        place.min(period - place).min(length - 1)
    };
    let mut out = Vec::with_capacity(image.len());
    for y in 0..height {
        for x in 0..width {
            let mut sum = [0.0; 3];
            for (i, weight) in kernel.iter().enumerate() {
                let (v, u) = (mirrored(y, i / side, height), mirrored(x, i % side, width));
                let pixel = &image[(v * width + u) * 3..][..3];
                for (sum, value) in sum.iter_mut().zip(pixel) {
                    *sum += weight * f64::from(*value);
                }
            }
            out.extend(sum.map(|v| v as f32));
        }
    }
    out
}

/// Sobel's gradient magnitudes √(gx² + gy²) added up over the pixels and channels of a patch, and the
/// gradient of that sum by the image `[H, W, 3]`. The outermost pixels are repeated beyond the border.
fn detect(image: &[f32], width: usize, patch: Patch) -> (f64, Vec<f32>) {
    /// Where a derivative looks: row and column offsets, and weights.
    const ACROSS: [(isize, isize, f64); 6] = [
        (-1, -1, -1.0),
        (-1, 1, 1.0),
        (0, -1, -2.0),
        (0, 1, 2.0),
        (1, -1, -1.0),
        (1, 1, 1.0),
    ];
    let height = image.len() / 3 / width;
    let near = |at: usize, by: isize, length: usize| at.saturating_add_signed(by).min(length - 1);
    let mut gradient = vec![0.0; image.len()];
    let mut total = 0.0;
    for pixel in 0..patch.side * patch.side {
        let (y, x) = (patch.y + pixel / patch.side, patch.x + pixel % patch.side);
        let place = |dy: isize, dx: isize| near(y, dy, height) * width + near(x, dx, width);
        for c in 0..3 {
            let value = |at: usize| f64::from(image[at * 3 + c]);
            let gx: f64 = ACROSS.iter().map(|&(v, u, w)| w * value(place(v, u))).sum();
            let gy: f64 = ACROSS.iter().map(|&(v, u, w)| w * value(place(u, v))).sum();
            let size = gx.hypot(gy);
            total += size;
            if size == 0.0 {
                continue; // flat: no direction leads up more than another
            }
            for (v, u, w) in ACROSS {
                gradient[place(v, u) * 3 + c] += w * gx / size;
                gradient[place(u, v) * 3 + c] += w * gy / size;
            }
        }
    }
    (total, gradient.into_iter().map(|g: f64| g as f32).collect())
}

#[cfg(test)]
mod tests;
