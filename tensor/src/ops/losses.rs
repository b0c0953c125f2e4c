//! Losses between a prediction and its target: means over all elements, and their derivatives.

use super::{scale, sum};
use crate::Tensor;
use crate::kernel::launch::Launch;

/// What is taken of a difference: its number in losses.wgsl.
#[derive(Debug, Clone, Copy)]
enum Loss {
    L1 = 0,
    L2 = 1,
    Charbonnier = 2,
}

impl Loss {
    #[track_caller]
    fn launch(self, entry: &'static str, a: &Tensor, b: &Tensor) -> Launch {
        assert_eq!(a.shape(), b.shape(), "{self:?} loss: shapes differ");
        Launch::new("plain/losses", entry)
            .input(a)
            .input(b)
            .constant("LOSS", self as usize)
            .param(a.len())
            .each(a.len())
    }

    #[track_caller]
    fn mean(self, a: &Tensor, b: &Tensor, eps: f32) -> Tensor {
        let y = Tensor::uninit(a.device(), a.shape());
        let launch = self.launch("loss", a, b).output(&y);
        launch.param(0.0).param(eps).run();
        scale(&sum(&y), 1.0 / a.len() as f32)
    }

    #[track_caller]
    fn backward(self, a: &Tensor, b: &Tensor, dy: &Tensor, eps: f32) -> Tensor {
        assert_eq!(dy.len(), 1, "{self:?} loss: dy {:?}", dy.shape());
        let da = Tensor::uninit(a.device(), a.shape());
        let launch = self.launch("loss_backward", a, b).input(dy).output(&da);
        launch.param(1.0 / a.len() as f32).param(eps).run();
        da
    }
}

/// `mean |a − b|` → `[1]`.
#[track_caller]
pub fn l1_loss(a: &Tensor, b: &Tensor) -> Tensor {
    Loss::L1.mean(a, b, 0.0)
}

/// `da = sign(a − b)·dy / n`, with `dy` `[1]`; `db` is its negative.
#[track_caller]
pub fn l1_loss_backward(a: &Tensor, b: &Tensor, dy: &Tensor) -> Tensor {
    Loss::L1.backward(a, b, dy, 0.0)
}

/// `mean (a − b)²` → `[1]`.
#[track_caller]
pub fn mse_loss(a: &Tensor, b: &Tensor) -> Tensor {
    Loss::L2.mean(a, b, 0.0)
}

/// `da = 2·(a − b)·dy / n`, with `dy` `[1]`; `db` is its negative.
#[track_caller]
pub fn mse_loss_backward(a: &Tensor, b: &Tensor, dy: &Tensor) -> Tensor {
    Loss::L2.backward(a, b, dy, 0.0)
}

/// `mean √((a − b)² + eps)` → `[1]`; `eps` is above 0.
#[track_caller]
pub fn charbonnier_loss(a: &Tensor, b: &Tensor, eps: f32) -> Tensor {
    assert!(eps > 0.0, "charbonnier_loss: eps is {eps}, not above 0");
    Loss::Charbonnier.mean(a, b, eps)
}

/// `da = (a − b)/√((a − b)² + eps)·dy / n`, with `dy` `[1]`; `db` is its negative.
#[track_caller]
pub fn charbonnier_loss_backward(a: &Tensor, b: &Tensor, dy: &Tensor, eps: f32) -> Tensor {
    Loss::Charbonnier.backward(a, b, dy, eps)
}
