use super::*;

/// FNV-1a.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, &b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn a_scene_is_the_same_for_ever() {
    // A change here changes every run that trains on generated scenes, and the generated benchmark set.
    assert_eq!(checksum(&scene(3407, 0, 64, 48).data), 14197758708942188676);
    assert_ne!(scene(3407, 0, 16, 16), scene(3407, 1, 16, 16));
    assert_ne!(scene(3407, 0, 16, 16), scene(3408, 0, 16, 16));
}

#[test]
fn scenes_look_like_photographs_to_first_order() {
    let (mut means, mut steps, mut correlation, mut flat) = (Vec::new(), 0.0, 0.0, 0);
    let count = 60;
    for i in 0..count {
        let image = scene(1, i, 64, 64);
        let gray: Vec<f64> = image
            .data
            .chunks(3)
            .map(|p| p.iter().map(|&v| f64::from(v)).sum::<f64>() / 3.0)
            .collect();
        let mean = gray.iter().sum::<f64>() / gray.len() as f64;
        let variance = gray.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / gray.len() as f64;
        let step = gray.windows(2).map(|w| (w[0] - w[1]).powi(2)).sum::<f64>() / gray.len() as f64;
        means.push(mean);
        steps += step.sqrt() / count as f64;
        correlation += (1.0 - 0.5 * step / variance.max(1.0)) / count as f64;
        flat += u32::from(variance < 4.0);
    }
    let mean = means.iter().sum::<f64>() / means.len() as f64;
    assert!((80.0..170.0).contains(&mean), "mean gray {mean}");
    assert!(
        (5.0..40.0).contains(&steps),
        "step between neighbours {steps}"
    );
    assert!(
        (0.6..0.98).contains(&correlation),
        "correlation of neighbours {correlation}"
    );
    assert!(flat <= 6, "{flat} scenes of {count} are flat");
}

#[test]
fn every_size_has_a_scene() {
    for (width, height) in [(1, 1), (1, 40), (37, 2), (200, 30)] {
        let image = scene(9, 9, width, height);
        assert_eq!((image.width, image.height), (width, height));
    }
}

#[test]
fn edges_are_smoothed_by_supersampling_and_front_leaves_stay_in_front() {
    let paint = |gray: f32| Paint {
        colour: [gray; 3],
        contrast: [0.0; 3],
        pattern: paint::Pattern::Plain,
        origin: [0.0; 2],
        shade: [0.0; 3],
    };
    let s = SAMPLES as f32;
    let mut canvas = Canvas::new(4, 1);
    // The first covers one and a third pixels, the second all but the last pixel, behind it.
    canvas.fill(
        &Shape::bar([0.0, s / 2.0], [s + 1.0, s / 2.0], s),
        &paint(1.0),
    );
    canvas.fill(
        &Shape::bar([0.0, s / 2.0], [3.0 * s, s / 2.0], s),
        &paint(0.4),
    );
    canvas.fill(&Shape::everything(4.0 * s, s), &paint(0.0));
    assert_eq!(canvas.filled(), canvas.samples());
    let red: Vec<f32> = canvas.resolve().chunks(3).map(|p| p[0]).collect();
    for (got, wanted) in red.iter().zip([1.0, 0.6, 0.4, 0.0]) {
        assert!((got - wanted).abs() < 1e-6, "{red:?}");
    }
}

#[test]
fn discs_have_their_area_and_rings_their_hole() {
    let area = |shape: &Shape| {
        let rows = (0..100).map(|y| y as f32 + 0.5);
        let length = |(a, b): (f32, f32)| b - a;
        rows.map(|y| shape.span(y).map_or(0.0, length) - shape.hole(y).map_or(0.0, length))
            .sum::<f32>()
    };
    let disc = Shape::ellipse([50.0, 50.0], [30.0, 20.0], [0.6, 0.8]);
    let full = std::f32::consts::PI * 600.0;
    assert!((area(&disc) - full).abs() < 0.01 * full, "{}", area(&disc));
    let ring = disc.with_hole(Some(0.5));
    assert!(
        (area(&ring) - 0.75 * full).abs() < 0.01 * full,
        "{}",
        area(&ring)
    );
    let square = Shape::bar([20.0, 50.0], [60.0, 50.0], 20.0);
    assert!((area(&square) - 1600.0).abs() < 50.0, "{}", area(&square));
}
