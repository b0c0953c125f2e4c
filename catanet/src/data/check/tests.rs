use std::fs;

use crate::data::dead_leaves::scene;
use crate::data::loader::tests::{OPTIONS, photographs};
use crate::data::{Loader, Source};

#[test]
fn all_faults_are_told_at_once() {
    let folder = photographs("faults", 1);
    let set = folder.join("set");
    for (below, name, side) in [
        ("HR", "a", 20),
        ("HR", "b", 15),
        ("HR", "c", 20),
        ("LR_bicubic/X2", "ax2", 9),
        ("LR_bicubic/X2", "bx2", 7),
        ("LR_bicubic/X2", "cx2", 10),
    ] {
        fs::create_dir_all(set.join(below)).unwrap();
        let file = set.join(below).join(format!("{name}.png"));
        scene(1, 1, side, side).save_png(file).unwrap();
    }
    fs::write(set.join("HR/d.png"), b"no image").unwrap();
    let source = Source::open(&set, 2).unwrap();
    let error = source.check(&OPTIONS).unwrap_err();
    let text = error.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("3 faults in 4 images"), "{text}");
    assert_eq!(lines.len(), 4, "{text}");
    for (line, words) in lines[1..].iter().zip([
        ["ax2.png", "is 9×9"],
        ["b.png", "smaller than 16×16"],
        ["d.png", "cannot read the image"],
    ]) {
        assert!(words.iter().all(|word| line.contains(word)), "{text}");
    }
    assert_eq!(
        Loader::new(source, OPTIONS, 0).err().unwrap().to_string(),
        text
    );
    // Of many faults the first are told.
    for i in 0..30 {
        fs::write(folder.join(format!("x{i}.png")), []).unwrap();
    }
    let text = Source::open(&folder, 2).unwrap().check(&OPTIONS);
    let text = text.unwrap_err().to_string();
    let last = text.lines().last().unwrap();
    assert!(
        text.lines().count() == 22 && last.contains("and 12 more"),
        "{text}"
    );
}

#[test]
fn a_file_that_is_cut_off_is_told_where_all_are_decoded() {
    let folder = photographs("thorough", 4);
    for name in ["0.png", "2.png"] {
        let bytes = fs::read(folder.join(name)).unwrap();
        fs::write(folder.join(name), &bytes[..bytes.len() - 100]).unwrap();
    }
    let source = Source::open(&folder, 2).unwrap();
    let loader = Loader::new(source, OPTIONS, 0).unwrap(); // headers are sound
    let mut told = Vec::new();
    let looked = loader.decode_all(&mut |done, all| {
        told.push((done, all));
        true
    });
    assert_eq!(told, [(4, 4)]);
    let text = looked.unwrap_err().to_string();
    let named = ["2 faults in 4 images", "0.png", "2.png"];
    assert!(named.iter().all(|word| text.contains(word)), "{text}");
}
