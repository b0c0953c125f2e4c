//! Images of any size, and what is kept in less memory than as the paper draws it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use autograd::Var;
use parking_lot::Mutex;
use tensor::ops::{self, RowLists};
use tensor::{Device, Tensor};

use super::{CATANet, Mode};
use crate::config::MIN_SIDE;
use crate::limits;

/// How a small image is padded, and what of the result is kept; the last one that was needed, with
/// height, width, and the padded height and width.
pub(super) type LastFrame = Mutex<Option<([usize; 4], Arc<Frame>)>>;

pub(super) struct Frame {
    pad: RowLists,
    crop: RowLists,
}

impl CATANet {
    /// The factor by which it enlarges.
    pub fn scale(&self) -> usize {
        self.scale
    }

    /// Where it computes.
    pub fn device(&self) -> &Device {
        self.geometry.device()
    }

    /// Whether a training step keeps of every block only what goes into it, and computes the rest once
    /// more on the way back: about a third more time, for a fraction of the memory. No bit of the
    /// result depends on it.
    pub fn recompute_activations(&mut self, on: bool) {
        self.recompute = on;
    }

    /// Whether a training step [computes again](Self::recompute_activations) what it did not keep.
    pub(crate) fn recomputes(&self) -> bool {
        self.recompute
    }

    /// Whether features are stored as f16 where no gradient is wanted: half the memory and half of its
    /// traffic. Weights, images, all arithmetic and what tokens are assigned to their centres by stay
    /// f32. Off again on an adapter without f16: returns whether it is on.
    pub fn store_half(&mut self, on: bool) -> bool {
        self.half = on && self.device().has_half();
        self.half
    }

    /// `x` as features are to be stored, which all that is computed from it is too.
    pub(super) fn stored(&self, x: &Var) -> Var {
        match self.half && !autograd::is_recording() {
            true => Var::constant(x.value().to_half()),
            false => x.clone(),
        }
    }

    /// Gives back all memory that was kept for images of the sizes so far.
    pub fn forget_sizes(&self) {
        self.geometry.clear();
        *self.frame.lock() = None;
        self.device().trim();
    }

    /// Whether an image of this size can be enlarged: a whole map has to fit the adapter's memory, and a
    /// row of it, with those that it follows from, what a kernel can take.
    ///
    /// # Errors
    /// [`tensor::Error::TooLarge`].
    pub fn check_size(&self, height: usize, width: usize) -> tensor::Result<()> {
        limits::check_image(self.device(), self.scale, height, width)
    }

    /// Enlarges images of any size from 1×1, without gradient: sides below
    /// [`MIN_SIDE`] are reflected to that, right and bottom, and the result is cropped.
    /// `[B, H, W, 3]` → `[B, H·s, W·s, 3]`
    #[track_caller]
    pub fn upscale(&self, x: &Tensor) -> Tensor {
        let &[b, h, w, 3] = x.shape() else {
            panic!("CATANet::upscale: {:?} is not [B, H, W, 3]", x.shape())
        };
        if b > 1 && !limits::tokens_fit(x.device(), b * h * w) && self.has_stored_centres() {
            // No image knows of the others then.
            return ops::concat(b, (0..b).map(|i| self.upscale(&ops::slice(x, i..i + 1))));
        }
        match self.upscale_watched(x, &mut |_| true) {
            Some(y) => y,
            None => unreachable!("nobody asked to stop"),
        }
    }

    /// [`CATANet::upscale`] of one image, which tells now and then the share, 0 to 1, that is recorded for
    /// the adapter to do; None where the answer is not to go on.
    pub(crate) fn upscale_watched(
        &self,
        x: &Tensor,
        go_on: &mut dyn FnMut(f64) -> bool,
    ) -> Option<Tensor> {
        let (b, h, w) = (x.shape()[0], x.shape()[1], x.shape()[2]);
        // The upsampler takes about as long as a block.
        let steps = (self.blocks.len() + 1) as f64;
        let mut run = |x: Tensor| {
            let mut go_on = |block: usize| go_on(block as f64 / steps);
            let y = autograd::no_grad(|| {
                self.forward_watched(&Var::constant(x), Mode::Eval, &mut go_on)
            });
            y.map(|y| y.value().clone())
        };
        let (ph, pw) = (h.max(MIN_SIDE), w.max(MIN_SIDE));
        if (ph, pw) == (h, w) {
            return run(x.clone());
        }
        let frame = self.frame([h, w, ph, pw]);
        let padded = ops::gather(&x.reshape(&[b, h * w, 3]), &frame.pad);
        let large = run(padded.reshape(&[b, ph, pw, 3]))?;
        let rows = large.reshape(&[b, large.rows() / b, 3]);
        let y = ops::gather(&rows, &frame.crop);
        Some(y.reshape(&[b, h * self.scale, w * self.scale, 3]))
    }

    fn has_stored_centres(&self) -> bool {
        let mut flags = self.blocks.iter().map(|block| &block.tab.initted);
        flags.all(|initted| initted.load(Ordering::Relaxed))
    }

    fn frame(&self, size: [usize; 4]) -> Arc<Frame> {
        let mut last = self.frame.lock();
        if let Some((_, frame)) = last.as_ref().filter(|(s, _)| *s == size) {
            return frame.clone();
        }
        let ([h, w, ph, pw], s, device) = (size, self.scale, self.device());
        let frame = Arc::new(Frame {
            pad: RowLists::reflect_pad(device, [h, w], [ph, pw]),
            crop: RowLists::crop(device, [ph * s, pw * s], [h * s, w * s]),
        });
        *last = Some((size, frame.clone()));
        frame
    }
}
