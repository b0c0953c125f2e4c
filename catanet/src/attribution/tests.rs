use super::*;

#[test]
fn gini_is_0_for_equals_and_near_1_where_one_has_all() {
    assert!(gini(vec![3.0; 50]).abs() < 1e-9);
    let mut one = vec![0.0; 100];
    one[17] = 1.0;
    assert!((gini(one) - 0.99).abs() < 1e-4);
    // By hand, of 1 and 3: (−1·1 + 1·3)/(2·4).
    assert!((gini(vec![3.0, 1.0]) - 0.25).abs() < 1e-6);
}

#[test]
fn a_blur_keeps_a_flat_image_and_none_keeps_any() {
    let [height, width] = [7, 9];
    let flat = vec![0.25; height * width * 3];
    let kernel = gaussian(9, 1.2);
    for value in blur(&flat, [height, width], &kernel) {
        assert!((value - 0.25).abs() < 1e-6);
    }
    let image: Vec<f32> = (0..height * width * 3).map(|i| (i as f32).sin()).collect();
    assert_eq!(blur(&image, [height, width], &gaussian(9, 0.0)), image);
    // Mirrored about the outermost pixel: one to the left of it is as one to the right.
    let mut shift = vec![0.0; 9];
    shift[3] = 1.0; // reads the left neighbour
    let moved = blur(&image, [height, width], &shift);
    assert_eq!(moved[0..3], image[3..6]);
    assert_eq!(moved[3..6], image[0..3]);
}

#[test]
fn the_detectors_gradient_is_that_of_differences() {
    let (height, width) = (6, 7);
    let image: Vec<f32> = (0..height * width * 3)
        .map(|i| (i as f32 * 1.7).sin())
        .collect();
    // Its border is the image's, where pixels are repeated.
    let patch = Patch {
        x: 3,
        y: 2,
        side: 4,
    };
    let (_, gradient) = detect(&image, width, patch);
    for at in 0..image.len() {
        let moved = |by: f32| {
            let mut image = image.clone();
            image[at] += by;
            detect(&image, width, patch).0
        };
        let difference = (moved(1e-3) - moved(-1e-3)) / 2e-3;
        let error = (difference - f64::from(gradient[at])).abs();
        assert!(error < 1e-2, "{at}: {difference} and {}", gradient[at]);
    }
    let edge: Vec<f32> = (0..height * width)
        .flat_map(|i| [f32::from(u8::from(i % width > 3)); 3])
        .collect();
    let across = detect(
        &edge,
        width,
        Patch {
            x: 3,
            y: 2,
            side: 1,
        },
    );
    assert_eq!(across.0, 12.0); // 1 + 2 + 1 in each channel
}
