use catanet::image::Image;
use picture::Picture;

use super::*;

fn report(step: u64) -> Report {
    Report {
        step,
        loss: 1.0 / step as f64,
        lr: 1e-3,
        images_per_second: 10.0,
    }
}

fn validation(step: u64, psnr: f64) -> Validation {
    Validation {
        step,
        set: "Set5".to_owned(),
        psnr,
        ssim: 0.9,
    }
}

fn gray(side: usize) -> Picture {
    Image::new(side, side, vec![128; side * side * 3]).to_picture()
}

#[test]
fn a_story_is_bounded_and_keeps_means_and_the_last_step() {
    let mut story = RunStory::default();
    let steps = 1..=50_000;
    steps.clone().for_each(|step| story.report(report(step)));
    let kept: Vec<_> = story.reports().collect();
    assert!(kept.len() <= MOST_POINTS && kept.len() > MOST_POINTS / 4);
    assert_eq!(kept[kept.len() - 1].step, 50_000);
    let of: u64 = story.history.reports.iter().map(|mean| mean.of).sum();
    let sum: f64 = story
        .history
        .reports
        .iter()
        .map(|m| m.report.loss * m.of as f64)
        .sum();
    let wanted: f64 = steps.map(|step| 1.0 / step as f64).sum();
    assert_eq!(of, 50_000);
    assert!((sum - wanted).abs() < 1e-9, "{sum} {wanted}");
}

#[test]
fn validations_are_bounded_and_keep_the_best_and_the_last() {
    let mut story = RunStory::default();
    for step in 1..=10_000 {
        let psnr = if step == 777 { 40.0 } else { 30.0 };
        story.validation(validation(step, psnr));
    }
    assert!(story.validations().len() <= MOST_VALIDATIONS);
    assert_eq!(story.best("Set5").map(|v| v.step), Some(777));
    assert_eq!(story.validations().last().map(|v| v.step), Some(10_000));
    story.validation(validation(10_000, 31.0));
    let of_last = story.validations().iter().filter(|v| v.step == 10_000);
    assert_eq!(of_last.map(|v| v.psnr).collect::<Vec<_>>(), [31.0]);
}

#[test]
fn a_story_comes_back_from_its_file_and_goes_on_from_an_earlier_step() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("story.json");
    assert_eq!(RunStory::load(&file).expect("none"), None);
    let mut crop = Crop::new("a", &gray(8), 2, Some(&gray(16))).expect("a crop");
    for step in [100, 200] {
        crop.stage(step, &gray(16)).expect("a stage");
    }
    let mut story = RunStory {
        crops: vec![crop],
        references: vec![Reference::new("Set5", 2, Some([33.67, 0.9303]))],
        state: State::Stopped("Ctrl-C".to_owned()),
        ..RunStory::default()
    };
    for step in [100, 200] {
        story.report(report(step));
        story.validation(validation(step, 30.0 + step as f64 / 100.0));
    }
    // They would be no JSON.
    story.report(Report {
        loss: f64::NAN,
        ..report(201)
    });
    story.validation(validation(201, f64::INFINITY));
    story.save(&file).expect("saved");
    let mut back = RunStory::load(&file).expect("read").expect("there");
    assert_eq!(back, story);
    back.rewind(100);
    assert_eq!((back.done, &back.state), (100, &State::Running));
    assert_eq!(
        (
            back.reports().count(),
            back.validations().len(),
            back.crops[0].stages().len()
        ),
        (1, 1, 1)
    );
    fs::write(&file, b"{\"name\": 1}").expect("written");
    let error = format!("{:#}", RunStory::load(&file).expect_err("no story"));
    assert!(error.contains("story.json; move it away"), "{error}");
}
