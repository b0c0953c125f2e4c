//! CATANet in a browser: what the page in `page/` calls, from a worker.

mod enlarger;
mod experiment;
mod explorer;
mod lesson;
mod training;

use catanet::data::dead_leaves;
use catanet::imresize::downscale;
use tensor::{Device, Overrides};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn console_error(text: &str);
}

/// Called once, when the module is loaded.
#[wasm_bindgen(start)]
pub fn start() {
    std::panic::set_hook(Box::new(|panic| console_error(&panic.to_string())));
}

/// An opened GPU.
#[wasm_bindgen]
pub struct Gpu(Device);

#[wasm_bindgen]
impl Gpu {
    /// Opens the browser's GPU.
    pub async fn open() -> Result<Gpu, JsError> {
        Ok(Gpu(Device::open_async(None, Overrides::default()).await?))
    }

    /// The largest tensor that a kernel can take, in bytes.
    pub fn max_tensor_bytes(&self) -> f64 {
        self.0.max_tensor_bytes() as f64
    }
}

/// A generated scene to try things on, as RGBA pixels.
#[wasm_bindgen]
pub fn sample(width: usize, height: usize) -> Vec<u8> {
    let scene = dead_leaves::scene(7, 2, 2 * width, 2 * height);
    to_rgba(&downscale(&scene, 2).to_f32()) // as sharp as a photograph
}

/// Floats from 0 to 1 `[.., 3]` as opaque pixels `[.., 4]` of 8 bits.
fn to_rgba(rgb: &[f32]) -> Vec<u8> {
    let byte = |v: f32| (v.clamp(0.0, 1.0) * 255.0).round_ties_even() as u8;
    let pixels = rgb.chunks_exact(3);
    pixels
        .flat_map(|p| [byte(p[0]), byte(p[1]), byte(p[2]), 255])
        .collect()
}
