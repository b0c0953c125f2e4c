//! Expected values: MATLAB's algorithm in NumPy, itself checked against published low-resolution files.

use super::*;

fn picture(height: usize, width: usize) -> Image {
    let value = |i: usize| {
        let (c, x, y) = (i % 3, i / 3 % width, i / 3 / width);
        ((x * 37 + y * 91 + c * 53 + x * y * 17) % 256) as u8
    };
    Image::new(width, height, (0..height * width * 3).map(value).collect())
}

#[test]
fn shrinking_gives_the_bytes_of_matlab() {
    let half = [
        73, 120, 150, 142, 146, 167, 142, 162, 151, 137, 82, 67, 139, 138, 125, 132, 144, 139, 114,
        117, 137, 123, 158, 133, 138, 153, 123, 114, 160, 91, 106, 153, 112, 102, 116, 123,
    ];
    assert_eq!(
        downscale(&picture(6, 8), 2),
        Image::new(4, 3, half.to_vec())
    );
    let third = [
        107, 133, 147, 141, 145, 151, 117, 90, 98, 134, 151, 117, 106, 145, 115, 136, 140, 94,
    ];
    assert_eq!(
        downscale(&picture(6, 9), 3),
        Image::new(3, 2, third.to_vec())
    );
    let quarter = [121, 138, 144, 117, 159, 115];
    assert_eq!(
        downscale(&picture(8, 4), 4),
        Image::new(1, 2, quarter.to_vec())
    );
    let seven_tenths = [
        27, 84, 149, 92, 152, 157, 153, 132, 177, 169, 176, 120, 165, 153, 140, 181, 133, 180, 80,
        106, 137, 152, 165, 119, 65, 134, 122, 143, 115, 175, 124, 61, 120, 158, 223, 21,
    ];
    assert_eq!(
        imresize(&picture(5, 4), 0.7),
        Image::new(3, 4, seven_tenths.to_vec())
    );
}

#[test]
fn enlarging_gives_the_bytes_of_matlab() {
    let twice = [
        0, 41, 94, 5, 50, 103, 19, 70, 122, 36, 90, 148, 56, 109, 181, 65, 118, 198, 14, 67, 120,
        25, 78, 133, 48, 101, 158, 70, 123, 165, 92, 145, 156, 103, 156, 152, 68, 121, 174, 82,
        135, 193, 109, 162, 230, 137, 190, 201, 165, 218, 108, 179, 232, 62, 95, 148, 201, 110,
        163, 221, 140, 194, 255, 170, 221, 214, 201, 247, 82, 216, 255, 17,
    ];
    assert_eq!(upscale(&picture(2, 3), 2), Image::new(6, 4, twice.to_vec()));
    let row = [
        0, 49, 102, 0, 53, 106, 11, 64, 117, 26, 79, 132, 37, 90, 143, 41, 94, 147,
    ];
    assert_eq!(upscale(&picture(1, 2), 3), Image::new(6, 3, row.repeat(3)));
}

#[test]
fn a_scale_of_one_changes_nothing_and_a_flat_image_stays_flat() {
    assert_eq!(downscale(&picture(5, 7), 1), picture(5, 7));
    let flat = |w: usize, h: usize| Image::new(w, h, vec![200; w * h * 3]);
    for scale in [2, 3, 4] {
        assert_eq!(downscale(&flat(5 * scale, scale), scale), flat(5, 1));
        assert_eq!(upscale(&flat(1, 1), scale), flat(scale, scale));
    }
}

#[test]
fn a_region_equals_that_part_of_the_whole() {
    for scale in [2, 3, 4] {
        let image = picture(20 * scale, 17 * scale);
        let whole = downscale(&image, scale);
        for (x, y) in [(0..3, 0..20), (5..17, 2..3), (0..17, 18..20), (7..8, 9..10)] {
            let part = downscale_region(&image, scale, x.clone(), y.clone());
            assert_eq!(
                part,
                whole.crop(x.start, y.start, x.len(), y.len()),
                "scale {scale}, {x:?}, {y:?}"
            );
        }
    }
}

#[test]
#[should_panic(expected = "7×6 is not a multiple of 2")]
fn shrinking_what_does_not_divide_is_refused() {
    downscale(&picture(6, 7), 2);
}
