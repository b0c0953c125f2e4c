//! Enlarging pictures of any kind: depth, gray and transparency come out as they went in.
//!
//! The network knows three channels of floats. A picture's colours become that and come back at their own
//! depth; gray goes in as three equal channels; alpha is enlarged on its own (see `alpha.rs`). What the
//! adapter cannot hold, even in bands, is cut into tiles (see `tiles.rs`).

mod alpha;
mod planes;
mod tiles;

use picture::Picture;
use tensor::Tensor;

use self::planes::Planes;
use self::tiles::Tiles;
use crate::error::{Error, Result};
use crate::image::Symmetry;
use crate::limits::{self, within};
use crate::model::CATANet;

/// How pictures are enlarged.
#[derive(Clone, Copy, Debug, Default)]
pub struct EnlargeOptions {
    /// Average over the eight flips and transposes.
    pub self_ensemble: bool,
    /// Bytes of the adapter's memory that the work may take; `None` is what the adapter has.
    pub memory: Option<u64>,
    /// Side of the tiles to cut pictures into; `None` cuts only what cannot be done whole.
    pub tile: Option<usize>,
}

/// An enlarged picture.
#[derive(Clone, Debug)]
pub struct Enlarged {
    /// It, with the depth, the channels and the metadata of what it was made of.
    pub picture: Picture,
    /// What was done that one may not expect, each as a clause.
    pub notes: Vec<String>,
}

/// `picture` enlarged by `net`. `name` is what errors call it. `progress` is told the share that is done,
/// from 0 to 1, and answers whether to go on.
///
/// # Errors
/// The device failed, the picture does not fit it even in tiles, the weights give numbers that are none,
/// or `progress` asked to stop ([`Error::Stopped`]).
pub fn enlarge_picture(
    net: &CATANet,
    picture: Picture,
    name: &str,
    options: &EnlargeOptions,
    progress: &mut dyn FnMut(f64) -> bool,
) -> Result<Enlarged> {
    pollster::block_on(enlarge_picture_async(net, picture, name, options, progress))
}

/// [`enlarge_picture`] where nothing may block, as in a browser. There, `progress` is told the share that
/// is submitted; what it hands to [`Device::when_done`](tensor::Device::when_done) runs when that is done.
///
/// # Errors
/// As [`enlarge_picture`].
pub async fn enlarge_picture_async(
    net: &CATANet,
    picture: Picture,
    name: &str,
    options: &EnlargeOptions,
    progress: &mut dyn FnMut(f64) -> bool,
) -> Result<Enlarged> {
    let size = [picture.height, picture.width];
    let [height, width] = size.map(|side| side * net.scale());
    let mut low = Planes::of(&picture);
    let mut notes = low.notes();
    if let Some(alpha) = &low.alpha {
        alpha::fill(&mut low.rgb, alpha, size);
    }
    let mut run = async |pixels: &[f32], progress: &mut dyn FnMut(f64) -> bool| {
        let enlarged = enlarge_pixels(net, pixels, size, options, &mut notes, progress).await;
        enlarged.map_err(|failed| failed.of(name))
    };
    let passes = if low.alpha.is_some() { 2.0 } else { 1.0 };
    let rgb = run(&low.rgb, &mut |share| progress(share / passes)).await?; // [H·s, W·s, 3]
    let alpha = match &low.alpha {
        None => None,
        Some(alpha) => {
            let gray: Vec<f32> = alpha.iter().flat_map(|&a| [a; 3]).collect();
            let high = run(&gray, &mut |share| progress((1.0 + share) / passes)).await?;
            Some(alpha::settle(alpha, &high, size, net.scale())) // [H·s, W·s]
        }
    };
    let mut enlarged = Picture::new(
        width,
        height,
        picture.channels,
        low.samples(&rgb, alpha.as_deref()),
    );
    enlarged.metadata = picture.metadata;
    Ok(Enlarged {
        picture: enlarged,
        notes,
    })
}

/// What became of pixels that did not come out.
enum Failed {
    Device(tensor::Error),
    NotFinite,
    Stopped,
}

impl Failed {
    fn of(self, name: &str) -> Error {
        let name = name.to_owned();
        match self {
            Failed::Device(source) => Error::NotEnlarged { name, source },
            Failed::NotFinite => Error::NotFinite { name },
            Failed::Stopped => Error::Stopped { name },
        }
    }
}

/// The least that a band's widest tensor is tried with when memory runs out.
const LEAST_BAND: u64 = 4 << 20;
/// The first tile that is tried where a whole picture does not fit; then three quarters of it, and so on.
const FIRST_TILE: usize = 2048;
/// The smallest: below it, tiles are mostly overlap.
const LEAST_TILE: usize = 96;

/// `[H, W, 3]` → `[H·s, W·s, 3]`: whole, in narrower bands where memory runs out (with the same bits), and
/// in tiles where that does not help.
async fn enlarge_pixels(
    net: &CATANet,
    pixels: &[f32],
    size: [usize; 2],
    options: &EnlargeOptions,
    notes: &mut Vec<String>,
    progress: &mut dyn FnMut(f64) -> bool,
) -> std::result::Result<Vec<f32>, Failed> {
    let memory = options.memory.unwrap_or(u64::MAX);
    let mut band = limits::band_within(memory);
    let mut tile = options.tile;
    let fits = |[h, w]: [usize; 2]| {
        net.check_size(h, w).is_ok() && limits::working_set(net.scale(), [h, w]) <= memory
    };
    if tile.is_none() && !fits(size) {
        let mut side = FIRST_TILE;
        while side > LEAST_TILE && !fits(size.map(|n| n.min(side))) {
            side = (side * 3 / 4).max(LEAST_TILE);
        }
        tile = Some(side);
    }
    loop {
        let tiles = Tiles::new(size, tile.unwrap_or(usize::MAX));
        net.device().bound_memory(options.memory);
        let work = tiles.enlarge(net, pixels, options.self_ensemble, progress);
        let result = within(band, work).await;
        net.device().bound_memory(None);
        match result {
            // Less at a time, until there is no less.
            Err(Failed::Device(tensor::Error::OutOfMemory { .. })) if band > LEAST_BAND => {
                band = (band / 2).max(LEAST_BAND)
            }
            Err(Failed::Device(
                tensor::Error::OutOfMemory { .. } | tensor::Error::TooLarge { .. },
            )) if tiles.side() > LEAST_TILE => {
                tile = Some((tiles.side() / 2).max(LEAST_TILE));
            }
            Ok(output) if !output.iter().all(|v| v.is_finite()) => return Err(Failed::NotFinite),
            Ok(output) => {
                // Once, though alpha goes the same way.
                notes.extend(tiles.note().filter(|note| !notes.contains(note)));
                return Ok(output);
            }
            Err(failed) => return Err(failed),
        }
        net.forget_sizes(); // what was kept may be what was missing
    }
}

/// Pixels from which on a pass is watched, on a GPU and on a processor: to know that the adapter is done
/// with a block is to wait for it, which small pictures need not. (In a browser nothing waits.)
const WATCHED: [usize; 2] = [1 << 18, 1 << 17];

/// `[H, W, 3]` → `[H·s, W·s, 3]`, all at once; None where `go_on`, told the share that is done, says so.
pub(crate) async fn enlarge_whole(
    net: &CATANet,
    pixels: &[f32],
    [height, width]: [usize; 2],
    self_ensemble: bool,
    go_on: &mut dyn FnMut(f64) -> bool,
) -> tensor::Result<Option<Vec<f32>>> {
    let passes = if self_ensemble { 8.0 } else { 1.0 };
    let watched = match cfg!(target_arch = "wasm32") {
        true => 0,
        false => WATCHED[usize::from(net.device().is_software())],
    };
    let mut done = 0.0;
    let mut run = async |pixels: &[f32], [height, width]: [usize; 2]| {
        let lr = Tensor::new(net.device(), pixels, &[1, height, width, 3]);
        let before = done;
        let mut go_on = |share: f64| {
            // A lost device is met below.
            height * width < watched
                || net.device().wait_idle().is_err()
                || go_on((before + share) / passes)
        };
        let Some(output) = net.upscale_watched(&lr, &mut go_on) else {
            return Ok(None);
        };
        let output = output.to_vec_async().await?; // [H·s, W·s, 3]
        done += 1.0;
        Ok(go_on(1.0).then_some(output))
    };
    if !self_ensemble {
        return run(pixels, [height, width]).await;
    }
    let [large_height, large_width] = [height, width].map(|side| side * net.scale());
    let mut mean = vec![0.0; large_height * large_width * 3];
    for symmetry in Symmetry::ALL {
        let turned = symmetry.apply(pixels, height, width, 3);
        let (rows, columns) = symmetry.size(height, width);
        let Some(output) = run(&turned, [rows, columns]).await? else {
            return Ok(None);
        };
        let (rows, columns) = symmetry.size(large_height, large_width);
        let output = symmetry.inverse().apply(&output, rows, columns, 3);
        mean.iter_mut().zip(output).for_each(|(m, v)| *m += v / 8.0); // exact but for the sum
    }
    Ok(Some(mean))
}
