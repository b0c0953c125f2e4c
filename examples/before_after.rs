//! Makes the picture of the README: a generated scene, halved and enlarged again, bicubic on the left and by
//! the network on the right: `cargo run --example before_after`.

use anyhow::Result;
use catanet::data::dead_leaves::scene;
use catanet::evaluate::enlarge;
use catanet::image::Image;
use catanet::imresize::{downscale, upscale};
use catanet::weights::load_bytes;
use catanet_cli::weights::shipped;
use tensor::Device;

const WIDTH: usize = 160;
const HEIGHT: usize = 128;
/// Every pixel is shown so many times a side.
const ZOOM: usize = 3;

fn main() -> Result<()> {
    let device = Device::open(None)?;
    let (net, _) = load_bytes(&device, shipped(2)?, "as shipped".as_ref(), Some(2))?;
    let low = downscale(&scene(21, 4, WIDTH, HEIGHT), 2);
    let bicubic = upscale(&low, 2);
    let ours = Image::from_f32(&enlarge(&net, &low, false)?, WIDTH, HEIGHT);
    let mut data = Vec::new();
    for y in 0..HEIGHT * ZOOM {
        for image in [&bicubic, &ours] {
            for x in 0..WIDTH * ZOOM {
                let at = (y / ZOOM * WIDTH + x / ZOOM) * 3;
                data.extend_from_slice(&image.data[at..at + 3]);
            }
        }
    }
    Image::new(2 * WIDTH * ZOOM, HEIGHT * ZOOM, data).save_png("docs/before_after.png")?;
    Ok(())
}
