use std::fs;

use ::image::{DynamicImage, ExtendedColorType, ImageEncoder};
use tempfile::TempDir;

use super::*;

fn counting(width: usize, height: usize) -> Image {
    Image::new(
        width,
        height,
        (0..width * height * 3)
            .map(|i| (i * 7 % 256) as u8)
            .collect(),
    )
}

/// An empty folder of a test's own, removed with all it holds when the test ends.
pub(crate) struct TestFolder(TempDir);

impl TestFolder {
    pub fn new(name: &str) -> Self {
        let prefix = format!("catanet-{name}-");
        Self(tempfile::Builder::new().prefix(&prefix).tempdir().unwrap())
    }
}

impl std::ops::Deref for TestFolder {
    type Target = Path;

    fn deref(&self) -> &Path {
        self.0.path()
    }
}

#[test]
fn a_saved_image_reads_back_the_same_and_leaves_nothing_beside() {
    let folder = TestFolder::new("image-round-trip");
    let (path, image) = (folder.join("a.png"), counting(5, 3));
    counting(2, 2).save_png(&path).unwrap();
    image.save_png(&path).unwrap();
    assert_eq!(Image::load(&path).unwrap(), image);
    assert_eq!(Image::size_on_disk(&path).unwrap(), (5, 3));
    assert_eq!(fs::read_dir(&*folder).unwrap().count(), 1);
}

#[test]
fn gray_alpha_and_16_bits_are_read_as_8_bit_rgb() {
    let folder = TestFolder::new("image-formats");
    let save = |name: &str, image: DynamicImage| {
        image.save(folder.join(name)).unwrap();
        Image::load(folder.join(name)).unwrap().data
    };
    let gray = ::image::GrayImage::from_raw(2, 1, vec![7, 250]).unwrap();
    assert_eq!(save("gray.png", gray.into()), [7, 7, 7, 250, 250, 250]);
    let transparent = ::image::RgbaImage::from_raw(1, 1, vec![1, 2, 3, 0]).unwrap();
    assert_eq!(save("alpha.png", transparent.into()), [1, 2, 3]);
    let deep = ::image::ImageBuffer::from_raw(1, 1, vec![0u16, 257 * 128, 65535]).unwrap();
    assert_eq!(
        save("deep.tiff", DynamicImage::ImageRgb16(deep)),
        [0, 128, 255]
    );
}

#[test]
fn a_photograph_taken_on_its_side_is_turned_upright() {
    // EXIF (little-endian TIFF, one entry): orientation 6, turn clockwise to view.
    let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let folder = TestFolder::new("image-exif");
    let path = folder.join("a.png");
    let mut file = fs::File::create(&path).unwrap();
    let mut encoder = ::image::codecs::png::PngEncoder::new(&mut file);
    encoder.set_exif_metadata(exif.to_vec()).unwrap();
    let image = counting(3, 2);
    encoder
        .write_image(&image.data, 3, 2, ExtendedColorType::Rgb8)
        .unwrap();
    let clockwise = Symmetry {
        flip_x: false,
        flip_y: true,
        transpose: true,
    };
    assert_eq!(Image::load(&path).unwrap(), image.transformed(clockwise));
}

#[test]
fn unreadable_files_are_named() {
    let folder = TestFolder::new("image-unreadable");
    counting(40, 40).save_png(folder.join("whole.png")).unwrap();
    let whole = fs::read(folder.join("whole.png")).unwrap();
    fs::write(folder.join("truncated.png"), &whole[..whole.len() / 2]).unwrap();
    fs::write(folder.join("empty.png"), []).unwrap();
    fs::write(folder.join("text.png"), "not an image").unwrap();
    for name in ["truncated.png", "empty.png", "text.png", "missing.png"] {
        let error = Image::load(folder.join(name)).unwrap_err().to_string();
        assert!(
            error.contains(name) && error.contains("cannot read the image"),
            "{error}"
        );
    }
    let error = counting(1, 1)
        .save_png(folder.join("no/such/folder.png"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("folder.png") && error.contains("cannot write"),
        "{error}"
    );
}

/// A PNG whose header claims 200000×200000 pixels.
const ABSURD: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\
    \0\x03\r@\0\x03\r@\x08\x02\0\0\0vY\x1f]\0\0\0\0IDAT5\xaf\x06\x1e";

#[test]
fn a_header_that_claims_an_absurd_size_is_refused_before_anything_is_allocated() {
    let folder = TestFolder::new("image-absurd");
    let path = folder.join("absurd.png");
    fs::write(&path, ABSURD).unwrap();
    assert_eq!(Image::size_on_disk(&path).unwrap(), (200_000, 200_000));
    let error = Image::load(&path).unwrap_err().to_string();
    assert!(
        error.contains("absurd.png") && error.contains("200000×200000"),
        "{error}"
    );
}

#[test]
fn crops_keep_their_pixels() {
    let image = counting(5, 4);
    let part = image.crop(1, 2, 3, 2);
    assert_eq!(part.data[..9], image.data[(2 * 5 + 1) * 3..][..9]);
    assert_eq!(part.data[9..], image.data[(3 * 5 + 1) * 3..][..9]);
    assert_eq!(image.clone().modcrop(3), image.crop(0, 0, 3, 3));
    assert_eq!(image.clone().modcrop(1), image);
}

#[test]
fn floats_round_to_the_nearest_byte_ties_to_even_and_clamp() {
    let bytes = Image::from_f32(&[-0.2, 1.7, 0.5, 0.5 / 255.0, 1.5 / 255.0, f32::NAN], 2, 1).data;
    assert_eq!(bytes, [0, 255, 128, 0, 2, 0]);
    let all = Image::new(16, 16, (0..=255).flat_map(|v| [v; 3]).collect());
    assert_eq!(Image::from_f32(&all.to_f32(), 16, 16), all);
}

#[test]
fn the_eight_symmetries_differ_and_are_undone_by_their_inverses() {
    let image = counting(4, 3);
    let mut seen = Vec::new();
    for symmetry in Symmetry::ALL {
        let turned = image.transformed(symmetry);
        assert_eq!(
            turned.transformed(symmetry.inverse()),
            image,
            "{symmetry:?}"
        );
        assert!(!seen.contains(&turned), "{symmetry:?}");
        seen.push(turned);
    }
    assert_eq!(seen[0], image);
}

#[test]
fn flips_come_before_the_transpose() {
    // 0 1 2      flipped left-right  2 1 0      transposed  2 5
    // 3 4 5                          5 4 3                  1 4
    //                                                       0 3
    let symmetry = Symmetry {
        flip_x: true,
        flip_y: false,
        transpose: true,
    };
    assert_eq!(symmetry.size(2, 3), (3, 2));
    assert_eq!(
        symmetry.apply(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], 2, 3, 1),
        [2.0, 5.0, 1.0, 4.0, 0.0, 3.0]
    );
}
