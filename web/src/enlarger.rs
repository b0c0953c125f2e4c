//! Enlarging pictures.

use std::path::Path;

use catanet::CATANet;
use catanet::enlarge::{EnlargeOptions, enlarge_picture_async};
use catanet::weights::load_bytes;
use picture::{Channels, Picture, Samples};
use wasm_bindgen::prelude::*;

use crate::Gpu;

#[wasm_bindgen]
extern "C" {
    /// Of the worker: what is a number is the share of an enlargement that is done.
    #[wasm_bindgen(js_name = postMessage)]
    fn post_share(share: f64);
}

/// A network that enlarges.
#[wasm_bindgen]
pub struct Enlarger(CATANet);

#[wasm_bindgen]
impl Enlarger {
    /// The network of a file of weights.
    #[wasm_bindgen(constructor)]
    pub fn new(gpu: &Gpu, weights: &[u8]) -> Result<Enlarger, JsError> {
        let (net, _) = load_bytes(&gpu.0, weights, Path::new("the weights"), None)?;
        Ok(Enlarger(net))
    }

    /// Enlarges a picture of RGBA pixels. The work takes at most so many bytes of the GPU's memory: larger
    /// pictures are worked on in tiles. The share that is done is posted.
    pub async fn enlarge(
        &self,
        pixels: Vec<u8>, // [H, W, 4]
        width: usize,
        height: usize,
        memory: f64,
    ) -> Result<Enlarged, JsError> {
        if pixels.len() != width * height * 4 {
            return Err(JsError::new("the pixels are not of that width and height"));
        }
        let picture = Picture::new(width, height, Channels::Rgba, Samples::U8(pixels));
        let options = EnlargeOptions {
            memory: Some(memory as u64),
            ..EnlargeOptions::default()
        };
        let device = self.0.device();
        let mut progress = |share| {
            device.when_done(move || post_share(share));
            true
        };
        let enlarged =
            enlarge_picture_async(&self.0, picture, "the picture", &options, &mut progress).await?;
        self.0.forget_sizes();
        match enlarged.picture.samples {
            Samples::U8(pixels) => Ok(Enlarged {
                pixels,
                notes: enlarged.notes.join("; "),
            }),
            _ => Err(JsError::new("8 bits went in, and something else came out")),
        }
    }
}

impl Enlarger {
    /// The network itself.
    pub(crate) fn net(&self) -> &CATANet {
        &self.0
    }
}

/// An enlarged picture.
#[wasm_bindgen]
pub struct Enlarged {
    pixels: Vec<u8>, // [H·s, W·s, 4]
    notes: String,
}

#[wasm_bindgen]
impl Enlarged {
    /// Its RGBA pixels; they can be taken once.
    pub fn take_pixels(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pixels)
    }

    /// What was done that one may not expect.
    #[wasm_bindgen(getter)]
    pub fn notes(&self) -> String {
        self.notes.clone()
    }
}
