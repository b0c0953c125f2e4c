//! A small network that the page trains, step by step.

use tensor::ops;
use wasm_bindgen::prelude::*;

use crate::lesson::{HIDDEN, Lesson, SIDE};
use crate::{Gpu, to_rgba};

/// A training that is under way.
#[wasm_bindgen]
pub struct Training {
    lesson: Lesson,
    target: Vec<f32>, // [SIDE, SIDE, 3]
}

#[wasm_bindgen]
impl Training {
    /// Begins anew, with RGBA pixels `[side, side, 4]` to learn, or none of them for a generated scene.
    #[wasm_bindgen(constructor)]
    pub fn new(gpu: &Gpu, pixels: &[u8], lr: f64) -> Result<Training, JsError> {
        let colours = |p: &[u8]| [p[0], p[1], p[2]].map(|v| f32::from(v) / 255.0);
        let target = match pixels.len() {
            0 => Lesson::scene(),
            n if n == SIDE * SIDE * 4 => pixels.chunks_exact(4).flat_map(colours).collect(),
            _ => return Err(JsError::new("the picture to learn has another size")),
        };
        let lesson = Lesson::new(&gpu.0, &target, lr);
        Ok(Training { lesson, target })
    }

    /// Width and height of the picture.
    pub fn side() -> usize {
        SIDE
    }

    /// Width and height of [`Training::weights`].
    pub fn hidden() -> usize {
        HIDDEN
    }

    /// What is to be learnt, as RGBA pixels.
    pub fn target(&self) -> Vec<u8> {
        to_rgba(&self.target)
    }

    /// Sets the learning rate of the steps to come.
    pub fn set_lr(&mut self, lr: f64) {
        self.lesson.set_lr(lr);
    }

    /// Does so many steps and tells their losses.
    pub async fn steps(&mut self, count: usize) -> Result<Vec<f32>, JsError> {
        let losses: Vec<_> = (0..count).map(|_| self.lesson.step()).collect();
        Ok(ops::concat(count, losses).to_vec_async().await?)
    }

    /// What is learnt so far, as RGBA pixels.
    pub async fn picture(&self) -> Result<Vec<u8>, JsError> {
        Ok(to_rgba(&self.lesson.picture().to_vec_async().await?))
    }

    /// The weights of the middle layer.
    pub async fn weights(&self) -> Result<Vec<f32>, JsError> {
        Ok(self.lesson.weights().to_vec_async().await?)
    }
}
