//! The page of a report: all in one file, and its sliders move.

mod common;

use catanet::data::dead_leaves::scene;
use catanet_cli::page::{Page, Shown};
use common::browser::{chromium, visit};

fn page() -> Page {
    let [low, high] = [40, 80].map(|side| scene(3, 0, side, side).to_picture());
    let shown =
        |name: &str, original| Shown::new(name, "80×80", &low, &high, original).expect("shown");
    Page {
        title: "Two <b>pictures</b> & {{facts}}".into(),
        facts: vec![("weights".into(), "catanet_x2".into())],
        table: vec![
            vec!["picture".into(), "PSNR".into()],
            vec!["a".into(), "30.00".into()],
        ],
        pictures: vec![
            shown("a\"><script>alert(1)</script>.png", None),
            shown("b.png", Some(&high)),
        ],
        ..Page::default()
    }
}

#[test]
fn it_holds_every_picture_escapes_names_and_loads_nothing() {
    let html = page().html();
    assert_eq!(html.matches("<figure>").count(), 2);
    assert!(!html.contains("<script>alert"), "a name is no code");
    assert!(html.contains("&lt;b&gt;pictures&lt;/b&gt; &amp; {{facts}}"));
    assert!(!html.contains("http:") && !html.contains("https:") && !html.contains("//cdn"));
    let sources = html.matches("src=\"").count();
    assert_eq!(
        sources,
        html.matches("src=\"data:image/png;base64,").count()
    );
}

#[test]
fn its_sliders_move_and_its_pictures_are_there_in_a_browser() {
    let Some(chromium) = chromium() else {
        eprintln!("passed over: there is no Chromium");
        return;
    };
    // What a visitor does, and what came of it.
    let steps = "<script>
        addEventListener('load', async () => {
          const said = [];
          for (const figure of document.querySelectorAll('figure')) {
            const [slider, pair, over] = ['input[type=range]', '.pair', '.over'].map((s) => figure.querySelector(s));
            const clip = () => getComputedStyle(over).clipPath;
            const before = clip();
            slider.value = 25;
            slider.dispatchEvent(new Event('input'));
            said.push(before !== clip() && pair.style.getPropertyValue('--at') === '25%' ? 'moved' : 'STUCK');
            const first = over.src;
            for (const choice of figure.querySelectorAll('input[name^=left]')) choice.click();
            said.push(over.src === first ? 'same' : 'other');
            figure.querySelector('input[name^=zoom][value=\"4\"]').click();
            said.push(pair.style.getPropertyValue('--zoom'));
            for (const img of figure.querySelectorAll('img')) {
              await img.decode();
              said.push(img.naturalWidth);
            }
          }
          report(said.join(' '));
        });
        </script></body>";
    let html = page().html().replace("</body>", steps);
    assert_eq!(
        visit(&chromium, &html),
        "moved same 4 80 80 moved other 4 80 80"
    );
}
