//! Which low-resolution file belongs to which high-resolution one.

use std::path::{Path, PathBuf};

use super::folder::{images_in, low_resolution_folder};
use super::stem::stem;
use crate::error::{Error, Result};

/// What [`partners`] finds.
pub(super) struct Partners {
    /// For each high-resolution file its low-resolution one.
    pub files: Vec<Option<PathBuf>>,
    /// What a user should know, a sentence each.
    pub notes: Vec<String>,
}

/// How a low-resolution file is called whose original is `stem`: BasicSR's `filename_tmpl`, best first.
fn names(stem: &str, scale: usize) -> [String; 4] {
    let plain = [format!("_HR_x{scale}"), "_HR".to_owned()];
    let base = plain.iter().find_map(|end| stem.strip_suffix(end));
    let base = base.unwrap_or(stem); // Manga109 comes as ARMS_HR_x2 and ARMS_LRBI_x2, too
    [
        format!("{stem}x{scale}"),
        stem.to_owned(),
        format!("{base}_LRBI_x{scale}"),
        format!("{stem}_x{scale}"),
    ]
}

/// The usual templates of BasicSR's option files, `{}` for the original's name.
pub(super) fn templates(scale: usize) -> [String; 4] {
    names("{}", scale)
}

/// Finds the files in `set`'s low-resolution folder that belong to the images `hr`, of any kind that is read.
///
/// # Errors
/// A folder that cannot be listed.
pub(super) fn partners(hr: &[PathBuf], set: &Path, scale: usize) -> Result<Partners> {
    let mut files = vec![None; hr.len()];
    let Some(folder) = low_resolution_folder(set, scale)? else {
        let notes = vec![format!(
            "no LR_bicubic/X{scale} in {}: low-resolution images made by bicubic",
            set.display()
        )];
        return Ok(Partners { files, notes });
    };
    let mut lr = match images_in(&folder) {
        Err(Error::NoImages { .. }) => Vec::new(),
        found => found?,
    };
    let wanted: Vec<_> = hr.iter().map(|path| names(&stem(path), scale)).collect();
    let mut notes = Vec::new();
    // The best kind of name first for all images: `ax2` belongs to `a`, though `ax2` might be an original too.
    for kind in 0..4 {
        let mut taken = Vec::new();
        for (i, names) in wanted.iter().enumerate() {
            if files[i].is_none() {
                let fits = |path: &&PathBuf| stem(path) == names[kind];
                files[i] = lr.iter().find(fits).cloned(); // sorted: the same on every machine
                taken.extend(files[i].clone());
            }
        }
        lr.retain(|path| !taken.contains(path));
    }
    for ((hr, names), file) in hr.iter().zip(&wanted).zip(&files) {
        let Some(file) = file else {
            let (hr, folder) = (hr.display(), folder.display());
            notes.push(format!(
                "{hr} has no low-resolution file in {folder}: made by bicubic"
            ));
            continue;
        };
        lr.retain(|other| {
            let second = names.contains(&stem(other));
            if second {
                notes.push(format!(
                    "{} and {} both could belong to {}: the first is taken",
                    file.display(),
                    other.display(),
                    hr.display()
                ));
            }
            !second
        });
    }
    let strays = lr.iter();
    notes.extend(strays.map(|path| format!("{} belongs to no image: passed over", path.display())));
    Ok(Partners { files, notes })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::image::tests::TestFolder;

    /// What [`partners`] finds for files of these names, by name.
    fn found(lr_folder: &str, hr: &[&str], lr: &[&str]) -> (Vec<Option<String>>, Vec<String>) {
        let root = TestFolder::new("partners");
        let folder = root.join(lr_folder);
        fs::create_dir_all(&folder).unwrap();
        for name in lr {
            fs::write(folder.join(name), []).unwrap();
        }
        let hr: Vec<_> = hr.iter().map(|name| root.join("HR").join(name)).collect();
        let found = partners(&hr, &root, 2).unwrap();
        let name = |path: PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        let files = found.files.into_iter().map(|file| file.map(name));
        (files.collect(), found.notes)
    }

    #[test]
    fn a_low_resolution_file_may_be_of_any_kind_and_called_as_basicsr_calls_it() {
        for lr in [
            "ax2.png",
            "ax2.PNG",
            "ax2.jpg",
            "ax2.Tif",
            "a.webp",
            "a_LRBI_x2.bmp",
            "a_x2.qoi",
        ] {
            for folder in ["LR_bicubic/X2", "LRbicx2", "lr_bicubic/x2"] {
                let (files, notes) = found(folder, &["a.png"], &[lr]);
                assert_eq!(files, [Some(lr.to_owned())], "{folder}");
                assert!(notes.is_empty(), "{notes:?}");
            }
        }
        let (files, _) = found("LR_bicubic/X2", &["ARMS_HR_x2.png"], &["ARMS_LRBI_x2.png"]);
        assert_eq!(files, [Some("ARMS_LRBI_x2.png".to_owned())]);
    }

    #[test]
    fn an_image_called_like_a_low_resolution_file_takes_none_from_another() {
        let lr = ["ax2.png", "ax2x2.png"];
        let (files, notes) = found("LR_bicubic/X2", &["a.png", "ax2.png"], &lr);
        assert_eq!(files, lr.map(|name| Some(name.to_owned())));
        assert!(notes.is_empty(), "{notes:?}");
    }

    #[test]
    fn what_is_missing_left_over_or_doubtful_is_told() {
        let lr = ["ax2.jpg", "ax2.png", "dx2.png"];
        let (files, notes) = found("LR_bicubic/X2", &["a.png", "c.png"], &lr);
        assert_eq!(files, [Some("ax2.jpg".to_owned()), None]);
        let told = |words: &[&str]| {
            let all = |note: &&String| words.iter().all(|word| note.contains(word));
            notes.iter().filter(all).count()
        };
        assert_eq!(told(&["ax2.jpg", "ax2.png", "a.png", "first"]), 1);
        assert_eq!(told(&["c.png", "bicubic"]), 1);
        assert_eq!(told(&["dx2.png", "belongs to no image"]), 1);
        assert_eq!(notes.len(), 3);
        let (_, notes) = found("LR_bicubic/X4", &["a.png"], &[]);
        assert!(notes.len() == 1 && notes[0].contains("made by bicubic"));
    }
}
