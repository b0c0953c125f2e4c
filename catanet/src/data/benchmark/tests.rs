use std::fs;

use super::*;
use crate::image::tests::TestFolder;

fn picture(width: usize, height: usize, seed: u64) -> Image {
    scene(seed, 0, width, height)
}

fn save(image: &Image, path: PathBuf) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.save_png(path).unwrap();
}

fn names(sets: &[BenchmarkSet]) -> Vec<&str> {
    sets.iter().map(|set| set.name.as_str()).collect()
}

fn pair(set: &BenchmarkSet, scale: usize) -> Result<Pair> {
    set.open(scale).unwrap().get(0)
}

#[test]
fn sets_come_in_the_customary_order_and_are_chosen_by_name() {
    let root = TestFolder::new("benchmark-order");
    for name in ["Abc", "Manga109", "Set14", "Set5", "BSD100"] {
        save(&picture(8, 8, 1), root.join(name).join("HR/a.png"));
    }
    fs::create_dir(root.join("notes")).unwrap();
    let sets = find_sets(&root).unwrap();
    assert_eq!(names(&sets), ["Set5", "Set14", "BSD100", "Manga109", "Abc"]);
    let chosen = select_sets(sets.clone(), &["b100".into(), "SET5".into()]).unwrap();
    assert_eq!(names(&chosen), ["Set5", "BSD100"]);
    assert_eq!(select_sets(sets.clone(), &[]).unwrap().len(), 5);
    let error = select_sets(sets, &["Set6".into()]).unwrap_err().to_string();
    assert!(
        error.contains("\"Set6\"") && error.contains("Set5, Set14, BSD100, Manga109, Abc"),
        "{error}"
    );
}

#[test]
fn a_folder_with_hr_in_it_is_a_set_itself() {
    let root = TestFolder::new("benchmark-Single");
    save(&picture(9, 8, 1), root.join("HR/b.png"));
    save(&picture(6, 7, 2), root.join("HR/a.PNG"));
    let sets = find_sets(&root).unwrap();
    assert!(names(&sets)[0].starts_with("catanet-benchmark-Single"));
    let pairs = sets[0].pairs(2).collect::<Result<Vec<_>>>().unwrap();
    assert_eq!((pairs[0].name.as_str(), pairs[1].name.as_str()), ("a", "b"));
    assert_eq!(pairs[0].hr, picture(6, 7, 2).crop(0, 0, 6, 6));
    assert_eq!(pairs[0].lr, downscale(&pairs[0].hr, 2));
}

#[test]
fn a_low_resolution_file_is_used_where_there_is_one() {
    for file in ["LR_bicubic/X2/ax2.png", "LR_bicubic/X2/a.png"] {
        let root = TestFolder::new("benchmark-lr-file");
        save(&picture(9, 8, 1), root.join("S/HR/a.png"));
        save(&picture(4, 4, 5), root.join("S").join(file));
        let set = &find_sets(&root).unwrap()[0];
        assert_eq!(pair(set, 2).unwrap().lr, picture(4, 4, 5));
        assert_eq!(
            pair(set, 3).unwrap().lr,
            downscale(&picture(9, 8, 1).modcrop(3), 3)
        );
    }
}

#[test]
fn what_cannot_be_scored_is_named() {
    let root = TestFolder::new("benchmark-errors");
    let says = |error: Error, parts: &[&str]| {
        let text = error.to_string();
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    };
    says(
        find_sets(&root.join("nowhere")).unwrap_err(),
        &["nowhere", "cannot open the folder"],
    );
    says(
        find_sets(&root).unwrap_err(),
        &["no benchmark set", "errors"],
    );
    fs::create_dir_all(root.join("S/HR")).unwrap();
    says(
        find_sets(&root).unwrap()[0].open(2).unwrap_err(),
        &["no images in", "HR"],
    );
    save(&picture(9, 3, 1), root.join("S/HR/a.png"));
    save(&picture(4, 4, 5), root.join("S/LR_bicubic/X2/ax2.png"));
    let set = &find_sets(&root).unwrap()[0];
    says(
        pair(set, 2).unwrap_err(),
        &["ax2.png", "is 4×4", "asks for 4×1"],
    );
    says(
        pair(set, 4).unwrap_err(),
        &["a.png", "9×3", "smaller than 4×4"],
    );
}

#[test]
fn the_generated_set_is_always_the_same() {
    let pairs = || {
        dead_leaves_set(3, 50, 7)
            .pairs(3)
            .collect::<Result<Vec<_>>>()
            .unwrap()
    };
    let (first, again) = (pairs(), pairs());
    assert_eq!(dead_leaves_set(3, 50, 7).name, "DeadLeaves");
    for (a, b) in first.iter().zip(&again) {
        assert_eq!((a.hr.width, a.lr.width), (48, 16));
        assert!(a.name == b.name && a.hr == b.hr && a.lr == b.lr);
    }
    assert!(first[0].name == "leaves_001" && first[0].hr != first[1].hr);
}

#[test]
fn a_folder_of_images_is_one_set_and_says_so() {
    let root = TestFolder::new("benchmark-flat");
    save(&picture(8, 8, 1), root.join("a.png"));
    let pairs = find_sets(&root).unwrap()[0].open(2).unwrap();
    assert_eq!(pairs.names(), ["a"]);
    assert!(pairs.notes().len() == 1 && pairs.notes()[0].contains("bicubic"));
}

#[test]
fn the_folders_may_be_called_as_basicsr_makes_them() {
    let root = TestFolder::new("benchmark-mod12");
    save(&picture(8, 8, 1), root.join("Set5/GTmod12/a.png"));
    save(&picture(4, 4, 5), root.join("Set5/LRbicx2/a.png"));
    let set = &find_sets(&root).unwrap()[0];
    assert_eq!(pair(set, 2).unwrap().lr, picture(4, 4, 5));
    assert!(set.open(2).unwrap().notes().is_empty());
}

#[test]
fn no_two_images_or_sets_have_one_name() {
    let files = ["a.bmp", "a.bmp.png", "A.png", "b.png", "a.jpg"].map(PathBuf::from);
    assert_eq!(
        distinct_names(&files),
        ["a.bmp (2)", "a.bmp", "A.png", "b", "a.jpg"]
    );
    let mut sets = [1, 2].map(|seed| dead_leaves_set(1, 8, seed));
    name_apart(&mut sets);
    assert_eq!(names(&sets), ["DeadLeaves", "DeadLeaves (2)"]);
}
