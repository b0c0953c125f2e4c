//! Pictures of every kind come out as they went in, larger.

mod common;

use catanet::data::dead_leaves::scene;
use catanet::enlarge::{EnlargeOptions, Enlarged, enlarge_picture};
use catanet::evaluate::enlarge;
use catanet::image::Image;
use catanet::weights::load_bytes;
use catanet::{CATANet, Error};
use common::device;
use picture::{Channels, Picture, Samples};
use tensor::Device;

fn network(scale: usize) -> CATANet {
    let weights = catanet_cli::weights::shipped(scale).expect("shipped");
    load_bytes(device(), weights, "shipped".as_ref(), None)
        .expect("they load")
        .0
}

fn large(net: &CATANet, picture: Picture, options: &EnlargeOptions) -> Enlarged {
    enlarge_picture(net, picture, "it", options, &mut |_| true).expect("enlarged")
}

fn plain(net: &CATANet, picture: Picture) -> Picture {
    large(net, picture, &EnlargeOptions::default()).picture
}

fn bytes(picture: &Picture) -> &[u8] {
    match &picture.samples {
        Samples::U8(v) => v,
        other => panic!("8 bits are wanted: {other:?}"),
    }
}

#[test]
fn eight_bits_of_colour_are_what_the_network_gives_rounded() {
    let net = network(2);
    let image = scene(5, 0, 45, 33);
    let expected = enlarge(&net, &image, false).expect("enlarged");
    let expected = Image::from_f32(&expected, 90, 66);
    assert_eq!(bytes(&plain(&net, image.to_picture())), expected.data);
}

#[test]
fn sixteen_bits_come_out_finer_than_eight_and_the_same_picture() {
    let net = network(2);
    let image = scene(5, 0, 40, 40);
    let fine = Samples::U16(image.data.iter().map(|&v| u16::from(v) * 257).collect());
    let fine = plain(&net, Picture::new(40, 40, Channels::Rgb, fine));
    let coarse = plain(&net, image.to_picture());
    let Samples::U16(fine) = &fine.samples else {
        panic!("16 bits are wanted");
    };
    let off = |(&f, &c): (&u16, &u8)| (f32::from(f) / 257.0 - f32::from(c)).abs();
    let most = fine
        .iter()
        .zip(bytes(&coarse))
        .map(off)
        .max_by(f32::total_cmp);
    assert!(most.is_some_and(|most| most <= 0.501));
    assert!(
        fine.iter().any(|v| v % 257 != 0),
        "between the steps of 8 bits"
    );
}

#[test]
fn floats_keep_their_highlights() {
    let net = network(2);
    let mut values: Vec<f32> = scene(5, 0, 40, 40).to_f32();
    values.iter_mut().for_each(|v| *v *= 4.0);
    let enlarged = plain(
        &net,
        Picture::new(40, 40, Channels::Rgb, Samples::F32(values.clone())),
    );
    let Samples::F32(enlarged) = enlarged.samples else {
        panic!("floats are wanted");
    };
    let largest = |v: &[f32]| v.iter().copied().fold(0.0, f32::max);
    assert!(
        largest(&enlarged) > 0.8 * largest(&values),
        "{}",
        largest(&enlarged)
    );
    let odd = [f32::NAN, f32::INFINITY, -1.0].repeat(400);
    let odd = Picture::new(20, 20, Channels::Rgb, Samples::F32(odd));
    let odd = large(&net, odd, &EnlargeOptions::default());
    assert!(odd.notes[0].contains("1200 numbers"), "{:?}", odd.notes);
}

#[test]
fn gray_stays_one_channel() {
    let net = network(3);
    let gray: Vec<u8> = scene(5, 0, 40, 30)
        .data
        .chunks_exact(3)
        .map(|p| p[1])
        .collect();
    let enlarged = plain(
        &net,
        Picture::new(40, 30, Channels::Gray, Samples::U8(gray.clone())),
    );
    assert_eq!(
        (enlarged.width, enlarged.height, enlarged.channels),
        (120, 90, Channels::Gray)
    );
    let mean = |v: &[u8]| v.iter().map(|&v| f64::from(v)).sum::<f64>() / v.len() as f64;
    assert!((mean(bytes(&enlarged)) - mean(&gray)).abs() < 2.0);
}

/// A disc over something hidden: inside, soft waves; outside, loud colours that nobody should see.
fn icon(hidden: [u8; 3]) -> (Image, Picture) {
    let side = 48;
    let wave = |i: usize, k: usize| {
        let (x, y) = ((i % side) as f32, (i / side) as f32);
        (140.0 + 100.0 * (x / 7.0 + k as f32).sin() * (y / 9.0).cos()) as u8
    };
    let pixels = (0..side * side).flat_map(|i| [0, 1, 2].map(|k| wave(i, k)));
    let image = Image::new(side, side, pixels.collect());
    let mut data = Vec::new();
    for (i, pixel) in image.data.chunks_exact(3).enumerate() {
        let (x, y) = ((i % side) as f32 - 23.5, (i / side) as f32 - 23.5);
        let alpha = ((18.0 - x.hypot(y)) / 2.0 + 0.5).clamp(0.0, 1.0);
        match alpha > 0.0 {
            true => data.extend_from_slice(pixel),
            false => data.extend_from_slice(&hidden),
        }
        data.push((alpha * 255.0).round() as u8);
    }
    (
        image,
        Picture::new(side, side, Channels::Rgba, Samples::U8(data)),
    )
}

#[test]
fn what_is_hidden_under_transparency_makes_no_halo() {
    let net = network(2);
    let (opaque, _) = icon([0; 3]);
    let opaque = plain(&net, opaque.to_picture());
    for hidden in [[0, 0, 0], [255, 255, 255], [255, 0, 255]] {
        let enlarged = plain(&net, icon(hidden).1);
        assert_eq!(enlarged.channels, Channels::Rgba);
        // Laid over black, white and a checkerboard, beside the opaque picture under the same alpha.
        let mut worst: f32 = 0.0;
        let mut sum = 0.0;
        for (i, (got, want)) in bytes(&enlarged)
            .chunks_exact(4)
            .zip(bytes(&opaque).chunks_exact(3))
            .enumerate()
        {
            let alpha = f32::from(got[3]) / 255.0;
            for ground in [0.0, 255.0, 255.0 * ((i / 4 + i / 96 / 4) % 2) as f32] {
                for k in 0..3 {
                    let over = |v: u8| alpha * f32::from(v) + (1.0 - alpha) * ground;
                    let off = (over(got[k]) - over(want[k])).abs();
                    worst = worst.max(off);
                    sum += f64::from(off);
                }
            }
        }
        let mean = sum / (96.0 * 96.0 * 9.0);
        println!("hidden {hidden:?}: off by {worst:.1} at most, {mean:.3} in the mean");
        assert!(mean < 0.5, "{hidden:?}: {mean}");
        assert!(worst < 16.0, "{hidden:?}: {worst}");
    }
}

#[test]
fn an_opaque_alpha_changes_nothing_and_a_ramp_stays_one() {
    let net = network(2);
    let image = scene(9, 0, 48, 40);
    let with = |alpha: &dyn Fn(usize) -> u8| {
        let pixels = image.data.chunks_exact(3).enumerate();
        let data = pixels.flat_map(|(i, p)| [p[0], p[1], p[2], alpha(i % 48)]);
        Picture::new(48, 40, Channels::Rgba, Samples::U8(data.collect()))
    };
    let opaque = plain(&net, with(&|_| 255));
    let colours: Vec<u8> = bytes(&opaque)
        .chunks_exact(4)
        .flat_map(|p| [p[0], p[1], p[2]])
        .collect();
    assert_eq!(colours, bytes(&plain(&net, image.to_picture())));
    assert!(bytes(&opaque).iter().skip(3).step_by(4).all(|&a| a == 255));

    let ramp = plain(&net, with(&|x| (x * 255 / 47) as u8));
    for (x, pair) in (0..48).map(|x| (x, [2 * x, 2 * x + 1])) {
        let mean: f32 = pair
            .iter()
            .map(|&c| f32::from(bytes(&ramp)[(40 * 96 + c) * 4 + 3]))
            .sum::<f32>()
            / 2.0;
        assert!(
            (mean - x as f32 * 255.0 / 47.0).abs() < 8.0,
            "column {x}: {mean}"
        );
    }
    let clear = plain(&net, with(&|_| 0));
    assert!(bytes(&clear).iter().skip(3).step_by(4).all(|&a| a == 0));
}

#[test]
fn a_bound_on_memory_is_kept_with_the_same_bits_or_in_tiles() {
    // A device of its own, since the tests beside this one move the shared one's counters.
    let device = Device::open(None).expect("an adapter");
    let weights = catanet_cli::weights::shipped(2).expect("shipped");
    let (net, _) = load_bytes(&device, weights, "shipped".as_ref(), None).expect("they load");
    let picture = scene(5, 0, 200, 150).to_picture();
    let run = |memory| {
        device.trim();
        device.reset_peaks();
        let options = EnlargeOptions {
            memory,
            ..EnlargeOptions::default()
        };
        let enlarged = large(&net, picture.clone(), &options);
        let stats = device.stats();
        println!(
            "used {:.1}, pool {:.1} MiB",
            stats.peak_used_bytes as f64 / 1048576.0,
            stats.peak_pool_bytes as f64 / 1048576.0
        );
        (enlarged, stats.peak_pool_bytes)
    };
    let (whole, unbounded) = run(None);
    println!("unbounded: {:.1} MB", unbounded as f64 / 1e6);
    let (enlarged, peak) = run(Some(72 << 20));
    println!("{:.1} MiB of 72", peak as f64 / 1048576.0);
    assert!(peak <= 72 << 20, "{peak}");
    assert!(enlarged.picture == whole.picture, "other bits");
    let (tiled, peak) = run(Some(24 << 20));
    println!(
        "24 MiB: {:.1} MiB, {:?}",
        peak as f64 / 1048576.0,
        tiled.notes
    );
    assert!(peak <= 32 << 20, "{peak}");
    assert!(tiled.notes[0].contains("tiles"));
    let psnr = psnr(bytes(&tiled.picture), bytes(&whole.picture));
    assert!(psnr > 40.0, "{psnr:.1} dB");
}

fn psnr(a: &[u8], b: &[u8]) -> f64 {
    let squares = a
        .iter()
        .zip(b)
        .map(|(&a, &b)| f64::from(a.abs_diff(b)).powi(2));
    10.0 * (255.0f64.powi(2) * a.len() as f64 / squares.sum::<f64>()).log10()
}

#[test]
fn work_that_is_stopped_says_so() {
    let net = network(2);
    let picture = scene(5, 0, 520, 520).to_picture();
    let options = EnlargeOptions::default();
    let mut told = Vec::new();
    let stopped = enlarge_picture(&net, picture, "it", &options, &mut |share| {
        told.push(share);
        told.len() < 2
    });
    assert!(matches!(stopped, Err(Error::Stopped { .. })));
    assert!(
        0.0 < told[0] && told[0] < told[1] && told[1] < 0.5,
        "{told:?}"
    );
}

/// What tiles cost, beside the whole picture. `cargo test --test enlarge -- --ignored --nocapture seam`
#[test]
#[ignore = "a measurement, of a minute"]
fn seam() {
    let net = network(2);
    for seed in [5, 6, 7] {
        let picture = scene(seed, 0, 256, 256).to_picture();
        let whole = plain(&net, picture.clone());
        for side in [96, 128, 192] {
            let options = EnlargeOptions {
                tile: Some(side),
                ..EnlargeOptions::default()
            };
            let tiled = large(&net, picture.clone(), &options);
            let (tiled_bytes, whole) = (bytes(&tiled.picture), bytes(&whole));
            let off = tiled_bytes.iter().zip(whole).map(|(a, b)| a.abs_diff(*b));
            let (most, psnr) = (off.max().unwrap_or(0), psnr(tiled_bytes, whole));
            println!(
                "scene {seed}, {side}: {} off by {most} at most, PSNR {psnr:.1} dB",
                tiled.notes[0]
            );
        }
    }
}
