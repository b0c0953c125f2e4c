use std::fs;
use std::path::PathBuf;

use super::*;
use crate::data::dead_leaves::scene;
use crate::error::Error;
use crate::image::Image;
use crate::image::tests::TestFolder;
use crate::imresize::downscale;

const OPTIONS: LoaderOptions = LoaderOptions {
    scale: 2,
    patch: 8,
    batch: 3,
    seed: 5,
    workers: 1,
    cache_bytes: LoaderOptions::CACHE_BYTES,
};

/// A folder with `count` pictures in it and below.
fn photographs(name: &str, count: usize) -> TestFolder {
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
                    let like = |s: &crate::image::Symmetry| small.transformed(*s).data == bytes(lq);
                    let symmetry = crate::image::Symmetry::ALL.into_iter().find(like)?;
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
    let seen = crate::image::Symmetry::ALL
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
    assert_eq!(files, [(folder.join("HR/a.png"), None)]);
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
