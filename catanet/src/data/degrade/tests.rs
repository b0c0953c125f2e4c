use super::*;
use crate::data::dead_leaves::scene;

fn parse(text: &str) -> Degrade {
    text.parse().unwrap()
}

/// Of all three channels, in dB.
pub(crate) fn psnr(a: &Image, b: &Image) -> f64 {
    let square = |(&a, &b): (&u8, &u8)| (f64::from(a) - f64::from(b)).powi(2);
    let error = a.data.iter().zip(&b.data).map(square).sum::<f64>() / a.data.len() as f64;
    10.0 * (255.0 * 255.0 / error).log10()
}

/// The part of `image` that is degraded as sample `n` of seed 1.
fn crop(text: &str, image: &Image, x: Range<usize>, y: Range<usize>, n: u64) -> Image {
    let cut = |x: Range<usize>, y: Range<usize>| image.crop(x.start, y.start, x.len(), y.len());
    let size = (image.width, image.height);
    parse(text).crop(size, x, y, (1, n), cut).unwrap()
}

fn whole(text: &str, image: &Image, n: u64) -> Image {
    crop(text, image, 0..image.width, 0..image.height, n)
}

#[test]
fn the_text_form_comes_back_and_what_is_wrong_is_said() {
    for text in [
        "jpeg=60..95,noise=0..8,blur=0..1.2",
        "jpeg=75",
        "noise=0.1",
        "jpeg=1..100,blur=0.3..8",
    ] {
        assert_eq!(parse(text).to_string(), text);
        let json = serde_json::to_string(&parse(text)).unwrap();
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Degrade>(&json).unwrap(), parse(text));
    }
    assert_eq!(
        parse(" blur = 1 .. 2 , jpeg=75..75"),
        parse("jpeg=75,blur=1..2")
    );
    for (text, part) in [
        ("", "\"\" is none of jpeg, noise and blur"),
        ("jpg=75", "\"jpg\" is none of"),
        ("jpeg", "jpeg=: two whole numbers from 1 to 100"),
        ("jpeg=0..50", "from 1 to 100"),
        ("jpeg=60.5", "whole numbers"),
        ("noise=-1..2", "from 0 to 128"),
        ("noise=NaN", "from 0 to 128"),
        ("blur=2..1", "smaller number comes first"),
        ("blur=0..1e9", "from 0 to 8"),
        ("blur=1,blur=2", "twice"),
    ] {
        let error = text.parse::<Degrade>().unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn a_sample_is_degraded_the_same_every_time_and_samples_differ() {
    let image = scene(1, 0, 64, 48);
    let text = "jpeg=60..95,noise=1..8,blur=0.3..1.2";
    assert_eq!(whole(text, &image, 7), whole(text, &image, 7));
    assert_ne!(whole(text, &image, 7), whole(text, &image, 8));
    for part in text.split(',') {
        assert_ne!(whole(part, &image, 7), image, "{part}");
    }
    for nothing in ["noise=0", "blur=0", "noise=0,blur=0"] {
        assert_eq!(whole(nothing, &image, 7), image);
    }
}

#[test]
fn a_crop_is_what_would_be_cut_from_the_degraded_image() {
    let image = scene(2, 0, 90, 70);
    for text in ["blur=1.1", "jpeg=30", "jpeg=95", "jpeg=50,blur=0.8"] {
        let all = whole(text, &image, 3);
        for (x, y) in [(0, 0), (17, 5), (58, 38), (31, 22)] {
            let part = crop(text, &image, x..x + 32, y..y + 32, 3);
            assert_eq!(part, all.crop(x, y, 32, 32), "{text} at {x}, {y}");
        }
    }
}

#[test]
fn more_of_it_is_worse() {
    let image = scene(3, 0, 96, 96);
    for texts in [
        ["jpeg=95", "jpeg=75", "jpeg=40", "jpeg=10"],
        ["noise=1", "noise=4", "noise=10", "noise=40"],
        ["blur=0.4", "blur=0.8", "blur=1.6", "blur=4"],
    ] {
        let quality = texts.map(|text| psnr(&whole(text, &image, 1), &image));
        assert!(
            quality.windows(2).all(|two| two[0] > two[1]),
            "{texts:?}: {quality:?}"
        );
    }
}

#[test]
fn the_amounts_are_those_asked_for() {
    // Noise of σ levels on gray has that deviation; a blurred edge has the Gaussian's share beyond it.
    let gray = Image::new(96, 96, vec![128; 96 * 96 * 3]);
    let noisy = whole("noise=8", &gray, 0);
    let square = |&v: &u8| (f64::from(v) - 128.0).powi(2);
    let variance = noisy.data.iter().map(square).sum::<f64>() / noisy.data.len() as f64;
    assert!((variance.sqrt() - 8.0).abs() < 0.2, "{variance}");
    let edge = Image::new(
        40,
        1,
        (0..120).map(|i| if i < 60 { 0 } else { 255 }).collect(),
    );
    let blurred = whole("blur=2", &edge, 0);
    // Φ(0.25) of 255: the middle of the first bright pixel is half a pixel behind the edge.
    assert!(
        (i32::from(blurred.data[60]) - 153).abs() <= 1,
        "{:?}",
        blurred.data
    );
    let weights = gaussian(1.2);
    assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    for x in [0.0, 0.3, 1.0, 7.5, 30.0] {
        assert!((exp_minus(x) / (-x).exp() - 1.0).abs() < 1e-12, "{x}");
    }
    // Amounts are spread over the range.
    let small = crop("noise=0..20", &gray, 0..32, 0..32, 5);
    let differ = (0..20).filter(|&n| crop("noise=0..20", &gray, 0..32, 0..32, n) != small);
    assert_eq!(differ.count(), 19);
}
