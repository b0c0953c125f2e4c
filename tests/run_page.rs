//! The page of a run: everything in one file, and its sliders move.

mod common;

use std::fs;

use catanet::data::dead_leaves::scene;
use catanet::imresize::{downscale, upscale};
use catanet_cli::train::look::crops::Crop;
use catanet_cli::train::look::run_page;
use catanet_cli::train::look::story::{Parts, Reference, Report, RunStory, State, Validation};
use common::Folder;
use common::browser::{chromium, visit};

const STEPS: u64 = 20_000;

/// A run that never was, with a loss that falls and noise on it.
fn story() -> RunStory {
    let mut story = RunStory {
        name: "train_x2_<b>".into(),
        scale: 2,
        batch: 16,
        total: STEPS,
        state: State::Finished,
        seconds: Parts {
            data: 4.2,
            step: 7_000.0,
            validation: 120.0,
            saving: 11.0,
        },
        adapter: "an adapter of <i>tests</i>".into(),
        facts: vec![("trained on".into(), "generated dead leaves".into())],
        options: "name: train_x2 # </pre><script>alert(1)</script>\nscale: 2\n".into(),
        references: [("Set5", 33.67, 0.9303), ("Set14", 30.32, 0.8699)]
            .map(|(set, psnr, ssim)| Reference::new(set, 2, Some([psnr, ssim])))
            .into(),
        ..RunStory::default()
    };
    for step in (1..=STEPS / 10).map(|n| n * 10) {
        let part = step as f64 / STEPS as f64;
        let noise = (step * 7919 % 997) as f64 / 997.0 - 0.5;
        story.report(Report {
            step,
            loss: (0.012 + 0.08 / (1.0 + 60.0 * part)) * (1.0 + 0.5 * noise),
            lr: 5e-4 * (1.0 + (std::f64::consts::PI * part).cos()),
            images_per_second: 45.0 + 3.0 * noise,
        });
    }
    for step in (0..=STEPS).step_by(1000) {
        let gain =
            4.3 - 30.0 * (-(step as f64) / 400.0).exp() - 2.0 * (-(step as f64) / 6000.0).exp();
        for (set, bicubic) in [("Set5", 33.67), ("Set14", 30.32)] {
            let psnr = bicubic + if set == "Set5" { gain } else { 0.75 * gain };
            let (set, ssim) = (set.to_owned(), 0.9 + 0.005 * gain);
            story.validation(Validation {
                step,
                set,
                psnr,
                ssim,
            });
        }
    }
    for (i, name) in ["butterfly\"><script>alert(1)</script>", "leaves"]
        .into_iter()
        .enumerate()
    {
        let high = scene(3, i as u64, 128, 128);
        let low = downscale(&high, 2);
        let mut crop =
            Crop::new(name, &low.to_picture(), 2, Some(&high.to_picture())).expect("a crop");
        let blurred = upscale(&low, 2);
        for step in (1000..=STEPS).step_by(1000) {
            // From bicubic to the original.
            let part = step as f64 / STEPS as f64;
            let mixed = blurred.data.iter().zip(&high.data);
            let mixed =
                mixed.map(|(a, b)| (f64::from(*a) * (1.0 - part) + f64::from(*b) * part) as u8);
            let image = catanet::image::Image::new(128, 128, mixed.collect());
            crop.stage(step, &image.to_picture()).expect("a stage");
        }
        story.crops.push(crop);
    }
    story
}

fn html(story: &RunStory) -> String {
    run_page::page(story).expect("drawn").html()
}

#[test]
fn it_tells_all_of_a_run_escapes_names_and_loads_nothing() {
    let html = html(&story());
    // Loss, PSNR on both sets, gain, learning rate, speed.
    assert_eq!(html.matches("<svg class=\"curve\"").count(), 6);
    assert_eq!(html.matches("<figure>").count(), 2);
    assert_eq!(html.matches("<template class=\"stage\"").count(), 2 * 7);
    for part in [
        "20,000 of 20,000 steps (100 %)",
        "paper 38.28",
        "bicubic 33.67",
        "PSNR on Set14 (dB)",
        "crops seen",
        "an adapter of &lt;i&gt;tests&lt;/i&gt;",
        "<td>38.28</td><td>0.9617</td><td>33.99</td><td>0.9217</td>",
        "steps 1:56:40 (98 %)",
        "name: train_x2 # &lt;/pre&gt;&lt;script&gt;",
        "<output for=\"stage0\" class=\"when\">step 20,000</output>",
    ] {
        assert!(html.contains(part), "{part}");
    }
    assert!(!html.contains("<script>alert") && !html.contains("x2_<b>"));
    for address in ["http:", "https:", "//cdn", "url(", "@import", "<link"] {
        assert!(!html.contains(address), "{address}");
    }
    let sources = html.matches("src=\"").count();
    let inside = html.matches("src=\"data:image/png;base64,").count();
    assert_eq!(sources, inside);
    assert!(html.len() < 1 << 20, "{} bytes", html.len());
}

#[test]
fn it_says_how_a_run_is() {
    let mut story = RunStory {
        name: "x4".into(),
        scale: 4,
        total: 400,
        ..RunStory::default()
    };
    assert!(html(&story).contains("<b>running</b> 0 of 400 steps (0 %)"));
    story.done = 100;
    story.seconds.step = 60.0;
    assert!(html(&story).contains("100 of 400 steps (25 %), 0:01:00 so far, about 0:03:00 left"));
    story.state = State::Stopped("Ctrl-C".into());
    assert!(html(&story).contains("<b>stopped: Ctrl-C</b> 100 of"));
    story.state = State::Finished;
    assert!(html(&story).contains("<b>finished</b>"));
}

#[test]
fn it_is_written_beside_the_story_that_it_tells_and_again_from_it() {
    let root = Folder::new("run_page");
    let (page, kept) = (root.join("report.html"), root.join("story.json"));
    let story = story();
    run_page::save(&story, &page).expect("written");
    story.save(&kept).expect("written");
    let again = RunStory::load(&kept).expect("read").expect("there");
    assert_eq!(again, story);
    assert!(
        fs::read_to_string(&page)
            .expect("read")
            .ends_with("</html>\n")
    );
    let nowhere = run_page::save(&story, &root.join("none/report.html"));
    let error = format!("{:#}", nowhere.expect_err("no folder"));
    assert!(error.contains("report.html"), "{error}");
}

#[test]
fn its_sliders_go_through_the_course_of_training_in_a_browser() {
    let Some(chromium) = chromium() else {
        eprintln!("passed over: there is no Chromium");
        return;
    };
    let steps = "<script>
        addEventListener('load', async () => {
          const said = [];
          for (const figure of document.querySelectorAll('figure')) {
            const [stage, ours, when] = ['input.stage', '.pair img', 'output'].map((s) => figure.querySelector(s));
            const seen = new Set();
            for (let i = 0; i <= Number(stage.max); i++) {
              stage.value = i;
              stage.dispatchEvent(new Event('input'));
              await ours.decode();
              seen.add(ours.src);
              if (i === 0) said.push(when.textContent);
            }
            said.push(seen.size, when.textContent, ours.naturalWidth);
          }
          said.push([...document.querySelectorAll('svg.curve')].every((svg) => svg.getBoundingClientRect().width > 200));
          report(said.join(' '));
        });
        </script></body>";
    let said = visit(&chromium, &html(&story()).replace("</body>", steps));
    let one = "step 1,000 8 step 20,000 128";
    assert_eq!(said, format!("{one} {one} true"));
}
