//! Expected values: the metrics written in NumPy, in f64.

use super::*;
use crate::data::dead_leaves::scene;

const SIZE: (usize, usize) = (23, 29);

/// A picture and a worse one (here and there outside `[0, 1]`), `[23, 29, 3]`.
fn pictures() -> (Vec<f32>, Vec<f32>) {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for y in 0..SIZE.0 {
        for x in 0..SIZE.1 {
            for c in 0..3 {
                a.push(((x * 7 + y * 13 + c * 29 + x * y) % 64) as f32 / 64.0);
                let error = ((((x * 5 + y * 3 + c) % 17) as f64 - 8.0) / 80.0) as f32;
                b.push(a[a.len() - 1] + error);
            }
        }
    }
    (a, b)
}

#[test]
fn both_protocols_give_the_figures_of_the_reference() {
    let (a, b) = pictures();
    let expected = [
        (
            2,
            [
                26.558347016868986,
                0.9292806290689402,
                26.786453298680506,
                0.9313204583696717,
            ],
        ),
        (
            3,
            [
                26.57370348029021,
                0.9276361129506684,
                26.80387779136156,
                0.9297433593548552,
            ],
        ),
    ];
    for (border, figures) in expected {
        let q = Quality::of(&b, &a, SIZE.0, SIZE.1, border).unwrap();
        for (ours, theirs) in [q.psnr, q.ssim, q.psnr_8bit, q.ssim_8bit]
            .into_iter()
            .zip(figures)
        {
            assert!(
                (ours - theirs).abs() < 1e-9 * theirs,
                "border {border}: {ours} instead of {theirs}"
            );
        }
    }
}

#[test]
fn equal_images_give_80_db_and_ssim_1() {
    let (a, _) = pictures();
    let q = Quality::of(&a, &a, SIZE.0, SIZE.1, 2).unwrap();
    assert!(
        (q.psnr - 80.0).abs() < 1e-9 && (q.ssim - 1.0).abs() < 1e-12,
        "{q:?}"
    );
}

#[test]
fn the_ssim_of_a_tall_image_is_the_mean_over_all_of_it() {
    // 120 rows of sums are four strips of work; an image of 11 rows gives one row.
    let (height, width) = (130, 20);
    let a: Vec<f32> = (0..height * width * 3)
        .map(|i| (i * 31 % 97) as f32 / 97.0)
        .collect();
    let b: Vec<f32> = a
        .iter()
        .enumerate()
        .map(|(i, v)| v + (i % 61 % 7) as f32 / 70.0)
        .collect();
    let rows: f64 = (0..height - 10)
        .map(|top| {
            let rows = top * width * 3..(top + 11) * width * 3;
            ssim_y(&a[rows.clone()], &b[rows], 11, width, 0).unwrap()
        })
        .sum();
    let whole = ssim_y(&a, &b, height, width, 0).unwrap();
    assert!((whole - rows / (height - 10) as f64).abs() < 1e-12);
}

#[test]
fn images_too_small_for_the_window_have_no_figures() {
    let pixels = |h: usize, w: usize| vec![0.5; h * w * 3];
    assert_eq!(Quality::of(&pixels(1, 1), &pixels(1, 1), 1, 1, 4), None);
    assert_eq!(psnr_y(&pixels(9, 8), &pixels(9, 8), 9, 8, 4), None);
    assert_eq!(ssim_y(&pixels(14, 15), &pixels(14, 15), 14, 15, 2), None);
    assert!(ssim_y(&pixels(15, 15), &pixels(15, 15), 15, 15, 2).is_some());
    assert!(psnr_y(&pixels(9, 9), &pixels(9, 9), 9, 9, 4).is_some());
}

#[test]
fn the_figures_of_a_set_are_means() {
    let q = |v: f64| Quality {
        psnr: v,
        ssim: v / 100.0,
        psnr_8bit: v + 1.0,
        ssim_8bit: 0.0,
    };
    assert_eq!(Quality::mean(&[q(30.0), q(40.0)]), Some(q(35.0)));
    assert_eq!(Quality::mean(&[]), None);
}

#[test]
fn metrics_of_option_files_are_those_of_basicsr() {
    let (height, width, scale) = (30, 27, 3);
    let reference = scene(5, 0, width, height).to_f32();
    let output: Vec<f32> = (reference.iter().zip(0..))
        .map(|(v, i)| v + ((i * 37 % 101) as f32 - 60.0) / 255.0) // some of it below 0 and above 1
        .collect();
    let of = |measure, crop_border, test_y_channel| {
        let metric = Metric {
            measure,
            crop_border,
            test_y_channel,
        };
        metric.of(&output, &reference, height, width)
    };
    let quality = Quality::of(&output, &reference, height, width, scale).expect("large enough");
    assert_eq!(of(Measure::PsnrPt, scale, true), Some(quality.psnr));
    assert_eq!(of(Measure::SsimPt, scale, true), Some(quality.ssim));
    assert_eq!(of(Measure::Ssim, scale, true), Some(quality.ssim_8bit));
    let rounded = of(Measure::Psnr, scale, true).expect("large enough");
    assert!(rounded > quality.psnr_8bit && rounded < quality.psnr_8bit + 1e-4);

    // The three colours at once, by the formula.
    let colours = |output: &[f32], border: usize| {
        let inside = |i: &usize| {
            let (y, x) = (i / 3 / width, i / 3 % width);
            (border..height - border).contains(&y) && (border..width - border).contains(&x)
        };
        let inside: Vec<usize> = (0..output.len()).filter(inside).collect();
        let square = |i: &usize| f64::from(output[*i] - reference[*i]).powi(2);
        inside.iter().map(square).sum::<f64>() / inside.len() as f64
    };
    let expected = -10.0 * (colours(&output, 2) + 1e-8).log10();
    let got = of(Measure::PsnrPt, 2, false).expect("large enough");
    assert!((got - expected).abs() < 1e-5, "{got} {expected}");
    let rounded = Image::from_f32(&output, width, height).to_f32();
    let expected = -10.0 * colours(&rounded, 0).log10();
    let got = of(Measure::Psnr, 0, false).expect("large enough");
    assert!((got - expected).abs() < 1e-5, "{got} {expected}");

    // Gray has the same SSIM in each colour as in one.
    let gray = |rgb: &[f32]| -> Vec<f32> { rgb.chunks(3).flat_map(|p| [p[0]; 3]).collect() };
    let (a, b) = (gray(&output), gray(&reference));
    let metric = |test_y_channel| Metric {
        measure: Measure::SsimPt,
        crop_border: 0,
        test_y_channel,
    };
    let ssim = metric(false)
        .of(&a, &b, height, width)
        .expect("large enough");
    assert!((0.0..1.0).contains(&ssim));
    let same = metric(false)
        .of(&b, &b, height, width)
        .expect("large enough");
    assert!((same - 1.0).abs() < 1e-12);
    let psnr = Metric {
        measure: Measure::Psnr,
        ..metric(false)
    };
    assert_eq!(psnr.of(&b, &b, height, width), Some(f64::INFINITY));
    assert_eq!(of(Measure::SsimPt, 9, true), None);
}
