use std::fs;

use super::*;
use crate::data::Source;
use crate::data::benchmark::BenchmarkSet;
use crate::data::dead_leaves::scene;
use crate::image::tests::TestFolder;

/// A folder with empty files of these names.
fn folder(root: &Path, name: &str, files: &[&str]) -> PathBuf {
    let folder = root.join(name);
    fs::create_dir_all(&folder).unwrap();
    for file in files {
        fs::write(folder.join(file), []).unwrap();
    }
    folder
}

fn paired(gt: &Path, lq: &Path, template: &str) -> Paired {
    Paired {
        gt: gt.to_owned(),
        lq: Some(lq.to_owned()),
        template: template.to_owned(),
        meta_info: None,
        backend: Backend::Disk,
    }
}

/// What is found, by name.
fn found(paired: &Paired) -> (Vec<(String, Option<String>)>, Vec<String>) {
    let found = paired.find(2).unwrap();
    let name = |place: &Place| {
        let path = place.path();
        path.file_name().unwrap().to_string_lossy().into_owned()
    };
    let pairs = found.pairs.iter();
    let pairs = pairs.map(|(hr, lr)| (name(hr), lr.as_ref().map(name)));
    (pairs.collect(), found.notes)
}

fn own(pairs: &[(&str, &str)]) -> Vec<(String, Option<String>)> {
    let own = |(hr, lr): &(&str, &str)| ((*hr).to_owned(), Some((*lr).to_owned()));
    pairs.iter().map(own).collect()
}

#[test]
fn the_template_names_the_low_resolution_file_of_any_kind() {
    for (template, lr) in [
        ("{}x2", "ax2.png"),
        ("{}x2", "ax2.JPG"),
        ("{}", "a.webp"),
        ("{}_LRBI_x2", "a_LRBI_x2.png"),
        ("lr_{}", "lr_a.tif"),
    ] {
        let root = TestFolder::new("paired-template");
        let gt = folder(&root, "gt", &["a.png"]);
        let lq = folder(&root, "lq", &[lr]);
        let (pairs, notes) = found(&paired(&gt, &lq, template));
        assert_eq!(pairs, own(&[("a.png", lr)]));
        assert!(notes.is_empty(), "{notes:?}");
    }
    // Of several kinds, the high-resolution file's.
    let root = TestFolder::new("paired-kinds");
    let gt = folder(&root, "gt", &["a.png"]);
    let lq = folder(&root, "lq", &["a.bmp", "a.png"]);
    let (pairs, notes) = found(&paired(&gt, &lq, "{}"));
    assert_eq!(pairs, own(&[("a.png", "a.png")]));
    assert!(notes.len() == 1 && notes[0].contains("a.bmp"), "{notes:?}");
}

#[test]
fn a_list_says_which_images_are_taken_and_in_which_order() {
    let root = TestFolder::new("paired-list");
    let gt = folder(&root, "gt", &["a.png", "b.png", "c.png"]);
    let lq = folder(&root, "lq", &["ax2.png", "bx2.png", "cx2.png"]);
    let list = root.join("meta_info.txt");
    fs::write(&list, "c.png (480,480,3)\n\na.png\r\n").unwrap();
    let mut paired = paired(&gt, &lq, "{}x2");
    paired.meta_info = Some(list.clone());
    let (pairs, notes) = found(&paired);
    assert_eq!(pairs, own(&[("c.png", "cx2.png"), ("a.png", "ax2.png")]));
    assert!(notes.is_empty(), "{notes:?}");
    fs::write(&list, "\n").unwrap();
    let says = |paired: &Paired| paired.find(2).err().unwrap().to_string();
    assert!(says(&paired).contains("lists no image"));
    fs::remove_file(&list).unwrap();
    assert!(says(&paired).contains("cannot read the list"));
}

#[test]
fn what_does_not_fit_is_told_with_the_template_that_would() {
    let root = TestFolder::new("paired-misfit");
    let gt = folder(&root, "gt", &["a.png", "b.png", "c.png"]);
    let lq = folder(&root, "lq", &["ax2.png", "d.png", "e.png"]);
    let (pairs, notes) = found(&paired(&gt, &lq, "{}x2"));
    assert_eq!(pairs.iter().filter(|(_, lr)| lr.is_none()).count(), 2);
    let told = |words: &[&str]| {
        let all = |note: &&String| words.iter().all(|word| note.contains(word));
        notes.iter().filter(all).count()
    };
    assert_eq!(told(&["2 images", "b.png", "bicubic"]), 1);
    assert_eq!(told(&["2 files", "d.png", "belong to no image"]), 1);
    assert_eq!(notes.len(), 2);
    let says = |template: &str| {
        let error = paired(&gt, &lq, template).find(2).err().unwrap();
        error.to_string()
    };
    let text = says("{}");
    for part in ["\"{}\"", "\"a\"", "\"ax2\"", "\"{}x2\" fits"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(says("x2").contains("has no {}"));
    let other = folder(&root, "other", &["z.png"]);
    let error = paired(&gt, &other, "{}x2").find(2).err().unwrap();
    assert!(error.to_string().contains("check the folder"), "{error}");
}

#[test]
fn training_and_scoring_read_the_pairs_and_make_what_no_folder_has() {
    let root = TestFolder::new("paired-read");
    let gt = folder(&root, "gt", &[]);
    let lq = folder(&root, "lq", &[]);
    scene(1, 0, 41, 40).save_png(gt.join("a.png")).unwrap();
    scene(2, 0, 20, 20).save_png(lq.join("ax2.png")).unwrap();
    let mut paired = paired(&gt, &lq, "{}x2");
    let pair = |paired: &Paired| {
        let set = BenchmarkSet::paired("A", paired.clone());
        set.open(2).unwrap().get(0).unwrap()
    };
    assert_eq!(pair(&paired).lr, scene(2, 0, 20, 20));
    assert_eq!(pair(&paired).name, "a");
    let (source, notes) = Source::paired(&paired, 2).unwrap();
    assert!(notes.is_empty() && matches!(source, Source::Photos(pairs) if pairs.len() == 1));
    paired.lq = None;
    let hr = scene(1, 0, 41, 40).modcrop(2);
    assert_eq!(pair(&paired).lr, crate::imresize::downscale(&hr, 2));
}

#[test]
fn a_source_is_stored_without_its_files_and_states_of_before_are_read() {
    let photos = Source::Photos(vec![("a.png".into(), None)]);
    assert_eq!(serde_json::to_string(&photos).unwrap(), "\"photographs\"");
    for text in ["\"photographs\"", "\"generated scenes\""] {
        serde_json::from_str::<Source>(text).unwrap();
    }
}

#[test]
fn images_that_are_held_out_are_spread_over_all_and_not_trained_on() {
    let photos = |count: usize| {
        let pair = |i: usize| (Place::File(format!("{i}.png").into()), None);
        Source::Photos((0..count).map(pair).collect())
    };
    for (all, wanted, expected) in [
        (10, 2, vec!["2", "7"]),
        (9, 3, vec!["1", "4", "7"]),
        (3, 5, vec!["0", "2"]),
        (1, 1, vec![]),
    ] {
        let (kept, held) = photos(all).hold_out(wanted);
        let names: Vec<_> = held.iter().map(|(hr, _)| hr.name()).collect();
        assert_eq!(names, expected);
        let Source::Photos(kept) = kept else {
            unreachable!()
        };
        assert_eq!(kept.len() + held.len(), all);
        assert!(held.iter().all(|pair| !kept.contains(pair)));
        let set = BenchmarkSet::of("held out", held).open(2).unwrap();
        assert_eq!(set.names(), expected);
    }
    assert!(Source::DeadLeaves.hold_out(2).1.is_empty());
}
