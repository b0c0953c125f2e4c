//! Whom tokens attend to.

use catanet::look::Look;
use tensor::Tensor;
use wasm_bindgen::prelude::*;

use crate::enlarger::Enlarger;

/// Whom the tokens of one block attend to, for one picture. A token is a pixel, numbered row by row.
#[wasm_bindgen]
pub struct Explorer(Look);

#[wasm_bindgen]
impl Explorer {
    /// Runs the network up to a block, over RGBA pixels `[H, W, 4]`, at least 28 a side.
    pub async fn look(
        enlarger: &Enlarger,
        pixels: Vec<u8>,
        width: usize,
        height: usize,
        block: usize,
    ) -> Result<Explorer, JsError> {
        let net = enlarger.net();
        let colours = |p: &[u8]| [p[0], p[1], p[2]].map(|v| f32::from(v) / 255.0);
        let rgb: Vec<f32> = pixels.chunks_exact(4).flat_map(colours).collect();
        let x = Tensor::new(net.device(), &rgb, &[1, height, width, 3]);
        Ok(Explorer(net.look(&x, block).await?))
    }

    /// The number of each token's centre.
    pub fn owners(&self) -> Vec<u32> {
        self.0.owners().to_vec()
    }

    /// The weight that a token gives to each, in the attention of its group.
    pub fn in_group(&self, token: usize) -> Vec<f32> {
        self.0.in_group(token)
    }

    /// The weight that a token gives to each, in the attention of its windows.
    pub fn in_windows(&self, token: usize) -> Vec<f32> {
        self.0.in_windows(token)
    }

    /// The token's windows: first row, first column, height and width of each.
    pub fn windows(&self, token: usize) -> Vec<u32> {
        let [down, across] = self.0.windows(token);
        let window = |rows: &std::ops::Range<usize>, columns: &std::ops::Range<usize>| {
            [rows.start, columns.start, rows.len(), columns.len()].map(|n| n as u32)
        };
        let all = down
            .iter()
            .flat_map(|rows| across.iter().flat_map(move |c| window(rows, c)));
        all.collect()
    }
}
