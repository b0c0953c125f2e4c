use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::*;
use crate::data::dead_leaves::scene;
use crate::data::degrade::tests::psnr;
use crate::data::place::Place;
use crate::data::rng::{Rng, Stream};
use crate::error::Error;
use crate::image::tests::TestFolder;
use crate::image::{Image, Symmetry};
use crate::imresize::downscale;

pub(crate) const OPTIONS: LoaderOptions = LoaderOptions {
    share: (0, 1),
    scale: 2,
    patch: 8,
    batch: 3,
    seed: 5,
    hflip: true,
    rot: true,
    degrade: None,
    workers: 1,
    cache_bytes: LoaderOptions::CACHE_BYTES,
};

/// A folder with `count` pictures in it and below.
pub(crate) fn photographs(name: &str, count: usize) -> TestFolder {
    let path = TestFolder::new(&format!("loader-{name}"));
    fs::create_dir_all(path.join("below")).unwrap();
    for i in 0..count {
        let file = if i % 2 == 0 {
            format!("{i}.png")
        } else {
            format!("below/{i}.png")
        };
        scene(1, i as u64, 33 + i, 30)
            .save_png(path.join(file))
            .unwrap();
    }
    path
}

fn batches(source: &Source, options: &LoaderOptions, first: u64, count: usize) -> Vec<Batch> {
    let loader = Loader::new(source.clone(), options.clone(), first).unwrap();
    loader.take(count).collect::<Result<_>>().unwrap()
}

#[test]
fn batches_do_not_depend_on_threads_cache_or_where_the_run_began() {
    let folder = photographs("pure", 5);
    for source in [Source::open(&folder, 2).unwrap(), Source::DeadLeaves] {
        let all = batches(&source, &OPTIONS, 0, 7);
        assert_eq!(
            (all[0].lq.shape, all[0].gt.shape),
            ([3, 8, 8, 3], [3, 16, 16, 3])
        );
        assert_eq!(
            batches(
                &source,
                &LoaderOptions {
                    workers: 3,
                    ..OPTIONS
                },
                0,
                7
            ),
            all
        );
        assert_eq!(
            batches(
                &source,
                &LoaderOptions {
                    cache_bytes: 0,
                    ..OPTIONS
                },
                0,
                7
            ),
            all
        );
        assert_eq!(
            batches(
                &source,
                &LoaderOptions {
                    workers: 2,
                    ..OPTIONS
                },
                4,
                3
            ),
            all[4..]
        );
        assert_ne!(
            batches(&source, &LoaderOptions { seed: 6, ..OPTIONS }, 0, 7),
            all
        );
        assert!((1..7).all(|k| all[k] != all[0]));
    }
}

#[test]
fn an_epoch_shows_every_image_once() {
    // Flat images of different grays: a crop tells which image it came from.
    let folder = photographs("epochs", 0);
    for i in 0..5u8 {
        Image::new(20, 20, vec![i * 50; 1200])
            .save_png(folder.join(format!("{i}.png")))
            .unwrap();
    }
    let options = LoaderOptions {
        batch: 5,
        ..OPTIONS
    };
    let epochs = batches(&Source::open(&folder, 2).unwrap(), &options, 0, 6);
    let orders: Vec<Vec<u8>> = epochs
        .iter()
        .map(|batch| {
            batch
                .gt
                .values
                .chunks(16 * 16 * 3)
                .map(|crop| (crop[0] * 255.0 / 50.0).round() as u8)
                .collect()
        })
        .collect();
    for order in &orders {
        let mut sorted = order.clone();
        sorted.sort();
        assert_eq!(sorted, [0, 1, 2, 3, 4]);
    }
    assert!(orders.iter().any(|order| *order != orders[0]), "{orders:?}");
}

#[test]
fn crops_are_cut_at_matching_places_and_turned_alike() {
    let folder = photographs("aligned", 1);
    let hr = Image::load(folder.join("0.png")).unwrap().modcrop(2);
    let lr = downscale(&hr, 2);
    let bytes = |v: &[f32]| Image::from_f32(v, v.len() / 3, 1).data;
    let mut symmetries = Vec::new();
    for batch in batches(&Source::open(&folder, 2).unwrap(), &OPTIONS, 0, 10) {
        for (lq, gt) in batch
            .lq
            .values
            .chunks(8 * 8 * 3)
            .zip(batch.gt.values.chunks(16 * 16 * 3))
        {
            let found = (0..lr.width - 7)
                .flat_map(|x| (0..lr.height - 7).map(move |y| (x, y)))
                .find_map(|(x, y)| {
                    let small = lr.crop(x, y, 8, 8);
                    let like = |s: &Symmetry| small.transformed(*s).data == bytes(lq);
                    let symmetry = Symmetry::ALL.into_iter().find(like)?;
                    Some((
                        hr.crop(2 * x, 2 * y, 16, 16).transformed(symmetry),
                        symmetry,
                    ))
                });
            let (expected, symmetry) = found.expect("a crop of the image");
            assert_eq!(bytes(gt), expected.data);
            symmetries.push(symmetry);
        }
    }
    let seen = Symmetry::ALL
        .iter()
        .filter(|s| symmetries.contains(s))
        .count();
    assert_eq!(seen, 8);
}

#[test]
fn paired_folders_give_their_own_low_resolution_side() {
    let above = photographs("paired", 0);
    let folder = above.join("set");
    fs::create_dir_all(folder.join("HR")).unwrap();
    fs::create_dir_all(folder.join("LR_bicubic/X2")).unwrap();
    Image::new(20, 20, vec![10; 1200])
        .save_png(folder.join("HR/a.png"))
        .unwrap();
    Image::new(10, 10, vec![99; 300])
        .save_png(folder.join("LR_bicubic/X2/ax2.png"))
        .unwrap();
    let batch = &batches(&Source::open(&folder, 2).unwrap(), &OPTIONS, 0, 1)[0];
    assert!(
        batch.lq.values.iter().all(|&v| v == 99.0 / 255.0)
            && batch.gt.values.iter().all(|&v| v == 10.0 / 255.0)
    );
    // At a scale without files it is made.
    let options = LoaderOptions {
        scale: 1,
        ..OPTIONS
    };
    let batch = &batches(&Source::open(&folder, 1).unwrap(), &options, 0, 1)[0];
    assert!(batch.lq.values.iter().all(|&v| v == 10.0 / 255.0));
    // Searched from above, the low-resolution copies are no training images.
    let Source::Photos(files) = Source::open(&above, 2).unwrap() else {
        unreachable!()
    };
    assert_eq!(files, [(Place::File(folder.join("HR/a.png")), None)]);
}

#[test]
fn a_corrupt_file_gives_one_error_that_names_it() {
    let folder = photographs("corrupt", 3);
    let whole = fs::read(folder.join("2.png")).unwrap();
    fs::write(folder.join("2.png"), &whole[..whole.len() - 100]).unwrap();
    let mut loader = Loader::new(Source::open(&folder, 2).unwrap(), OPTIONS, 0).unwrap();
    let error = loader.next().unwrap().unwrap_err().to_string();
    assert!(
        error.contains("2.png") && error.contains("cannot read the image"),
        "{error}"
    );
    assert!(loader.next().is_none());
}

#[test]
fn folders_that_cannot_train_are_refused_at_the_start() {
    let folder = photographs("refused", 2);
    let open = |path: PathBuf| Source::open(&path, 2);
    assert!(matches!(
        open(folder.join("nowhere")),
        Err(Error::UnreadableFolder { .. })
    ));
    fs::create_dir(folder.join("empty")).unwrap();
    assert!(matches!(
        open(folder.join("empty")),
        Err(Error::NoImages { .. })
    ));
    let options = LoaderOptions {
        patch: 16,
        ..OPTIONS
    };
    let error = Loader::new(open(folder.to_path_buf()).unwrap(), options, 0)
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("smaller than 32×32, the training crop"),
        "{error}"
    );
}

#[test]
fn dropping_the_loader_stops_threads_that_wait_for_room() {
    let options = LoaderOptions {
        workers: 3,
        ..OPTIONS
    };
    let mut loader = Loader::new(Source::DeadLeaves, options, 0).unwrap();
    loader.next().unwrap().unwrap();
    thread::sleep(std::time::Duration::from_millis(50));
    drop(loader); // joins: a hang here fails the test
}

/// The high-resolution crops of a few batches.
fn gt_crops(source: &Source, options: &LoaderOptions) -> Vec<Image> {
    let batches = batches(source, options, 0, 12);
    let values = batches.iter().flat_map(|batch| &batch.gt.values);
    let values: Vec<f32> = values.copied().collect();
    let crops = values.chunks(16 * 16 * 3);
    crops.map(|crop| Image::from_f32(crop, 16, 16)).collect()
}

#[test]
fn symmetries_that_are_not_asked_for_are_left_out_and_the_crops_stay() {
    let turned = |hflip, rot| LoaderOptions {
        hflip,
        rot,
        ..OPTIONS
    };
    let upright = gt_crops(&Source::DeadLeaves, &turned(false, false));
    for (hflip, rot, expected) in [(true, false, 2), (false, true, 4), (true, true, 8)] {
        let crops = gt_crops(&Source::DeadLeaves, &turned(hflip, rot));
        let symmetry = |(before, after): (&Image, &Image)| {
            let mut all = Symmetry::ALL.iter();
            all.position(|s| before.transformed(*s) == *after)
                .expect("the same crop")
        };
        let seen: BTreeSet<_> = upright.iter().zip(&crops).map(symmetry).collect();
        assert_eq!(seen.len(), expected, "{hflip} {rot}: {seen:?}");
    }
}

#[test]
fn the_crops_of_a_seed_are_the_same_for_ever() {
    // What runs that are saved were made with: image, symmetry and place are drawn in this order.
    let folder = photographs("for-ever", 5);
    let files: Vec<_> = ["0", "2", "4", "below/1", "below/3"]
        .map(|n| format!("{n}.png"))
        .into();
    let crops = gt_crops(&Source::open(&folder, 2).unwrap(), &OPTIONS);
    for (n, crop) in crops.iter().enumerate() {
        let order = Rng::new(5, Stream::Order, n as u64 / 5).permutation(5);
        let image = Image::load(folder.join(&files[order[n % 5]])).unwrap();
        let image = image.modcrop(2);
        let mut rng = Rng::new(5, Stream::Crop, n as u64);
        let symmetry = Symmetry::ALL[rng.below(8)];
        let x = rng.below(image.width / 2 - 7);
        let y = rng.below(image.height / 2 - 7);
        assert_eq!(
            *crop,
            image.crop(2 * x, 2 * y, 16, 16).transformed(symmetry)
        );
    }
}

#[test]
fn a_batch_says_what_it_was_cut_from() {
    let folder = photographs("origins", 3);
    let batch = &batches(&Source::open(&folder, 2).unwrap(), &OPTIONS, 4, 1)[0];
    let names: Vec<_> = batch.origins.iter().map(ToString::to_string).collect();
    assert_eq!((batch.number, names.len()), (4, 3));
    for i in 0..3 {
        let named = names
            .iter()
            .filter(|name| name.ends_with(&format!("{i}.png")));
        assert_eq!(named.count(), 1, "{names:?}"); // an epoch is a batch here
    }
    let batch = &batches(&Source::DeadLeaves, &OPTIONS, 4, 1)[0];
    assert_eq!(batch.origins[2].to_string(), "scene 14");
}

#[test]
fn an_image_that_shrinks_during_the_run_is_an_error_of_its_batch() {
    let folder = photographs("shrinks", 1);
    let options = LoaderOptions {
        cache_bytes: 0,
        ..OPTIONS
    };
    let mut loader = Loader::new(Source::open(&folder, 2).unwrap(), options, 0).unwrap();
    loader.next().unwrap().unwrap();
    scene(1, 0, 9, 9).save_png(folder.join("0.png")).unwrap();
    let error = loader.find_map(Result::err).unwrap().to_string();
    for part in ["0.png", "8×8", "16×16", "wanted by batch"] {
        assert!(error.contains(part), "{error}");
    }
    assert!(loader.next().is_none());
}

#[test]
fn degraded_batches_differ_on_the_low_resolution_side_alone() {
    let folder = photographs("degraded", 2);
    let degraded = LoaderOptions {
        degrade: Some("jpeg=30..60,noise=2..8,blur=0..1.2".parse().unwrap()),
        ..OPTIONS
    };
    let source = Source::open(&folder, 2).unwrap();
    let plain = batches(&source, &OPTIONS, 0, 6);
    let all = batches(&source, &degraded, 0, 6);
    for (a, b) in all.iter().zip(&plain) {
        assert_eq!(a.gt, b.gt);
        assert_ne!(a.lq, b.lq);
    }
    assert_eq!(batches(&source, &degraded, 4, 2), all[4..]);
    // A scene's low-resolution crop is that of its high-resolution one, but for the degrading.
    let options = LoaderOptions {
        degrade: Some("noise=1".parse().unwrap()),
        ..OPTIONS
    };
    let batch = &batches(&Source::DeadLeaves, &options, 0, 1)[0];
    let plain = &batches(&Source::DeadLeaves, &OPTIONS, 0, 1)[0];
    assert_eq!(batch.gt, plain.gt);
    let far = batch.lq.values.iter().zip(&plain.lq.values);
    assert!(far.clone().all(|(a, b)| (a - b).abs() < 5.0 / 255.0) && batch.lq != plain.lq);
    let jpeg = LoaderOptions {
        degrade: Some("jpeg=95".parse().unwrap()),
        ..OPTIONS
    };
    let batch = &batches(&Source::DeadLeaves, &jpeg, 0, 1)[0];
    for (lq, gt) in batch.lq.values.chunks(192).zip(batch.gt.values.chunks(768)) {
        let lq = Image::from_f32(lq, 8, 8);
        let small = downscale(&Image::from_f32(gt, 16, 16), 2);
        assert!(psnr(&lq, &small) > 25.0);
    }
}
