use super::*;
use crate::data::benchmark::BenchmarkSet;
use crate::data::dead_leaves::scene;
use crate::data::{Backend, LoaderOptions, Paired, Source};
use crate::image::Image;
use crate::image::tests::TestFolder;

/// Writes a database of scenes, of this side.
fn database(root: &Path, name: &str, keys: &[&str], side: usize) -> PathBuf {
    let record = |key: &&str| {
        let file = root.join(format!("{name}-{key}.png"));
        scene(1, key.len() as u64, side, side)
            .save_png(&file)
            .unwrap();
        let key = (*key).to_owned();
        LmdbRecord { key, file }
    };
    let records: Vec<_> = keys.iter().map(record).collect();
    let path = root.join(format!("{name}.lmdb"));
    assert!(write_lmdb(&path, &records, |_| true).unwrap());
    path
}

fn paired(gt: PathBuf, lq: Option<PathBuf>) -> Paired {
    Paired {
        gt,
        lq,
        template: "{}x2".to_owned(),
        meta_info: None,
        backend: Backend::Lmdb,
    }
}

#[test]
fn what_is_written_is_read_back_as_the_layout_has_it() {
    let root = TestFolder::new("lmdb-layout");
    let path = database(&root, "gt", &["b c", "a.1", "long_s001"], 20);
    let names: Vec<_> = fs::read_dir(&path).unwrap().collect();
    assert_eq!(names.len(), 3);
    let list = fs::read_to_string(path.join(LIST)).unwrap();
    assert_eq!(
        list,
        "b c.png (20,20,3) 3\na.1.png (20,20,3) 3\nlong_s001.png (20,20,3) 3\n"
    );
    let store = Store::open(&path).unwrap();
    assert_eq!(store.keys().unwrap(), ["b c", "a.1", "long_s001"]);
    for (key, number) in [("b c", 3), ("a.1", 3), ("long_s001", 9)] {
        let image = store.with(key, Image::decode).unwrap();
        assert_eq!(image, scene(1, number, 20, 20));
    }
    let missing = store.with("c", Image::decode).unwrap_err().to_string();
    assert!(missing.contains("no such record"), "{missing}");
    // Opened again it is the same.
    assert!(std::ptr::eq(store, Store::open(&path).unwrap()));
}

#[test]
fn pairs_are_found_by_key_or_by_template_and_read() {
    let root = TestFolder::new("lmdb-pairs");
    let gt = database(&root, "gt", &["a", "bb"], 40);
    for (name, keys) in [("same", ["a", "bb"]), ("named", ["ax2", "bbx2"])] {
        let lq = database(&root, name, &keys, 20);
        let paired = paired(gt.clone(), Some(lq));
        let (source, notes) = Source::paired(&paired, 2).unwrap();
        assert!(notes.is_empty(), "{notes:?}");
        let options = LoaderOptions {
            patch: 20,
            batch: 2,
            hflip: false,
            rot: false,
            ..LoaderOptions::default()
        };
        let mut loader = crate::data::Loader::new(source, options, 0).unwrap();
        let batch = loader.next().unwrap().unwrap();
        let image = Image::from_f32(&batch.gt.values[..4800], 40, 40);
        assert!([1, 2].map(|n| scene(1, n, 40, 40)).contains(&image));
        let set = BenchmarkSet::paired("S", paired).open(2).unwrap();
        assert_eq!(set.names(), ["a", "bb"]);
        assert_eq!(set.get(1).unwrap().hr, scene(1, 2, 40, 40));
    }
    // Without a low-resolution side it is made; a list chooses.
    let mut paired = paired(gt, None);
    let list = root.join("list.txt");
    fs::write(&list, "bb.png (40,40,3)\nc.png\n").unwrap();
    paired.meta_info = Some(list);
    let (source, _) = Source::paired(&paired, 2).unwrap();
    let options = LoaderOptions::default();
    let text = source.check(&LoaderOptions {
        patch: 8,
        ..options
    });
    let text = text.unwrap_err().to_string();
    assert!(
        text.contains("gt.lmdb/c") && text.contains("no such record"),
        "{text}"
    );
}

#[test]
fn what_is_no_database_or_cut_off_is_told() {
    let root = TestFolder::new("lmdb-wrong");
    let says = |path: &Path| {
        let error = Source::paired(&paired(path.to_owned(), None), 2).unwrap_err();
        error.to_string()
    };
    assert!(says(&root.join("no.lmdb")).contains("no.lmdb"));
    let text = root.join("text.lmdb");
    fs::create_dir(&text).unwrap();
    fs::write(text.join("data.mdb"), vec![b'x'; 9000]).unwrap();
    assert!(
        says(&text).contains("cannot open the LMDB"),
        "{}",
        says(&text)
    );
    let cut = database(&root, "cut", &["a", "b"], 90);
    let bytes = fs::read(cut.join("data.mdb")).unwrap();
    fs::write(cut.join("data.mdb"), &bytes[..bytes.len() / 2]).unwrap();
    assert!(says(&cut).contains("cut off"), "{}", says(&cut));
    let unlisted = database(&root, "unlisted", &["a"], 20);
    fs::remove_file(unlisted.join(LIST)).unwrap();
    assert!(says(&unlisted).contains(LIST));
}

#[test]
fn one_that_is_stopped_or_fails_leaves_nothing() {
    let root = TestFolder::new("lmdb-stopped");
    let file = root.join("a.png");
    scene(1, 1, 20, 20).save_png(&file).unwrap();
    let record = |key: &str| LmdbRecord {
        key: key.to_owned(),
        file: file.clone(),
    };
    let path = root.join("x.lmdb");
    let written = write_lmdb(&path, &[record("a"), record("b")], |n| n < 1);
    assert!(!written.unwrap());
    let twice = write_lmdb(&path, &[record("a"), record("a")], |_| true);
    assert!(twice.is_err());
    let left: Vec<_> = fs::read_dir(&*root).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}
