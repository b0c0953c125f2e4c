//! `catanet explain` and `catanet graph`: what is to be seen of a network.

mod common;

use std::fs;
use std::process::{Command, Output};

use catanet::data::dead_leaves::scene;
use common::browser::{chromium, visit};
use common::{Folder, text};

fn catanet(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_catanet"));
    command.args(arguments).output().expect("it runs")
}

#[track_caller]
fn is_refused(arguments: &[&str], words: &[&str]) {
    let output = catanet(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for word in words {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
}

#[test]
fn the_page_shows_groups_attention_parts_and_attribution() {
    let folder = Folder::new("explain");
    let picture = folder.join("leaves <b>.png");
    scene(7, 0, 40, 36).save_png(&picture).expect("written");
    let (page, pngs) = (folder.join("page.html"), folder.join("pngs"));
    let more = ["--side", "32", "--steps", "2", "--patch-side", "8"];
    let to = ["-o", text(&page), "--save", text(&pngs)];
    let output = catanet(&[&["explain", text(&picture)][..], &more, &to].concat());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    assert!(
        said.contains("diffusion index of the patch at 28,28"),
        "{said}"
    );
    // The result, groups and features of eight blocks, and the map.
    assert_eq!(fs::read_dir(&pngs).expect("made").count(), 1 + 8 + 8 + 1);
    let html = fs::read_to_string(&page).expect("written");
    assert!(html.contains("leaves &lt;b&gt;.png") && !html.contains("leaves <b>"));
    assert!(!html.contains("http:") && !html.contains("https:"));

    let Some(chromium) = chromium() else {
        eprintln!("passed over: there is no Chromium");
        return;
    };
    // Each control changes what it is for.
    let steps = "<script>
        addEventListener('load', async () => {
          const by = (id) => document.getElementById(id);
          const press = (key) => by('ask').dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
          const picture = (id) => by(id).toDataURL();
          await new Promise((done) => setTimeout(done, 300));
          const said = [];
          const [groups, grid] = [by('groups').src, picture('grid')];
          by('block').value = 8;
          by('block').dispatchEvent(new Event('input'));
          said.push(by('groups').src !== groups, by('block-name').textContent);
          by('windows').click();
          said.push(picture('grid') !== grid);
          const [place, content, token] = [picture('place'), picture('content'), by('token').textContent];
          press('ArrowLeft');
          said.push(picture('place') !== place, picture('content') !== content, by('token').textContent !== token);
          const before = picture('content');
          document.querySelectorAll('#attention-block input')[2].click();
          said.push(picture('content') !== before);
          said.push(by('parts').tBodies[0].rows.length, by('index').textContent.startsWith('diffusion index'));
          for (const image of document.querySelectorAll('img')) await image.decode();
          report(said.join(' '));
        });
        </script></body>";
    let html = html.replace("</body>", steps);
    assert_eq!(
        visit(&chromium, &html),
        "true 8 true true true true true 25 true"
    );
}

#[test]
fn what_cannot_be_explained_is_refused_before_any_work() {
    let folder = Folder::new("unexplained");
    let picture = folder.join("small.png");
    scene(7, 0, 40, 20).save_png(&picture).expect("written");
    let small = ["explain", text(&picture)];
    is_refused(&small, &["40×20", "28 a side"]);
    let picture = folder.join("large.png");
    scene(7, 0, 60, 50).save_png(&picture).expect("written");
    let at = |option, value| {
        let given = ["explain", text(&picture), "--side", "32", option, value];
        given.map(str::to_owned)
    };
    for (option, value, words) in [
        ("--at", "40,0", ["32×32 at 40,0", "60×50"]),
        ("--patch", "60,60", ["16×16 at 60,60", "64×64"]),
        ("--patch-side", "65", ["65×65", "64×64"]),
    ] {
        let given = at(option, value);
        is_refused(&given.each_ref().map(String::as_str), &words);
    }
    is_refused(
        &["explain", text(&picture), "-o", text(&picture)],
        &["is no page"],
    );
    assert_eq!(fs::read_dir(&*folder).expect("there").count(), 2);
}

#[test]
fn the_tape_is_drawn_with_every_op() {
    let folder = Folder::new("graph");
    let [svg, dot] = ["graph.svg", "graph.dot"].map(|name| folder.join(name));
    for file in [&svg, &dot] {
        let output = catanet(&["graph", "--side", "28", "-o", text(file)]);
        assert!(output.status.success(), "{output:?}");
    }
    let (svg, dot) = (fs::read_to_string(svg), fs::read_to_string(dot));
    let (svg, dot) = (svg.expect("written"), dot.expect("written"));
    // A block has two attentions over lists and one over centres; before each of the two, and before each of
    // two ConvFFNs, is a LayerNorm.
    assert_eq!(svg.matches(">layer_norm<").count(), 8 * 4);
    assert_eq!(dot.matches("label=\"layer_norm\\n").count(), 8 * 4);
    assert_eq!(dot.matches("label=\"attention\\n").count(), 8 * 3);
    for name in ["blocks.7.1", "last_conv"] {
        assert!(svg.contains(name) && dot.contains(name), "{name}");
    }
    is_refused(
        &["graph", "-o", "graph.png"],
        &["graph.png", ".svg", ".dot"],
    );
}
