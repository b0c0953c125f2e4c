//! Every hole fails its check, with a hint; every solution passes it.

use std::fs;
use std::path::Path;

use exercises::{EXERCISES, Side, Verdict};

#[path = "../exercises/mod.rs"]
mod exercises;

/// The file of an exercise on one side.
fn text(side: Side, file: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(side.folder());
    fs::read_to_string(folder.join(file)).expect("its file")
}

#[test]
fn every_hole_fails_with_a_hint() {
    for exercise in EXERCISES {
        match (exercise.check)(Side::Hole).expect("an adapter, and a kernel that compiles") {
            Verdict::Right => panic!("{}: nothing is missing", exercise.file),
            Verdict::Wrong(hint) => {
                let numbers = hint.contains("found") && hint.contains("expected");
                assert!(
                    numbers && hint.lines().count() > 1,
                    "{}: {hint}",
                    exercise.file
                );
            }
        }
    }
}

#[test]
fn every_solution_passes() {
    for exercise in EXERCISES {
        match (exercise.check)(Side::Solution).expect("an adapter, and a kernel that compiles") {
            Verdict::Right => {}
            Verdict::Wrong(hint) => panic!("{}: {hint}", exercise.file),
        }
    }
}

#[test]
fn a_hole_says_once_what_to_fill_in() {
    for (i, exercise) in EXERCISES.iter().enumerate() {
        let file = exercise.file;
        assert!(file.starts_with(&format!("e{:02}_", i + 1)), "{file}");
        assert!((1..=14).contains(&exercise.chapter), "{file}");
        assert!((1..=3).contains(&exercise.stars), "{file}");
        assert!(!exercise.task.is_empty(), "{file}");
        let count = |side| text(side, file).matches("Fill in:").count();
        assert_eq!(count(Side::Hole), 1, "{file}");
        assert_eq!(count(Side::Solution), 0, "{file}");
    }
}
