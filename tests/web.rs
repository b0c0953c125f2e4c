//! The page for browsers, in Chromium: what it computes is what a native program computes.
//!
//! `scripts/build-web` has to have made the page before, in target/web or the folder CATANET_WEB.

mod common;
#[allow(dead_code)] // the page also changes the rate and shows weights
#[path = "../web/src/lesson.rs"]
mod lesson;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use catanet::enlarge::{EnlargeOptions, enlarge_picture};
use catanet::weights::load;
use common::browser::{REPORT, chromium, open};
use common::device;
use picture::{Channels, Picture, Samples};

use lesson::Lesson;

/// WebGPU on a processor: SwiftShader, which comes with Chromium.
const SOFTWARE_WEBGPU: [&str; 4] = [
    "--enable-unsafe-webgpu",
    "--enable-features=Vulkan,WebGPU",
    "--use-webgpu-adapter=swiftshader",
    "--enable-unsafe-swiftshader",
];
/// SwiftShader takes a minute and a half for the network on 32×32 pixels; a busy machine takes several times that.
const LIMIT: Duration = Duration::from_secs(600);

/// What scripts need to play a visitor. It stands before the page's policy, which it does not obey so.
const VISITOR: &str = "<script>
    const logged = [];
    for (const kind of ['error', 'warn', 'log']) {
      const before = console[kind];
      console[kind] = (...what) => { logged.push(what.join(' ')); before(...what); };
    }
    addEventListener('securitypolicyviolation', (event) => logged.push(event.blockedURI));
    const element = (id) => document.getElementById(id);
    const until = async (condition) => {
      while (!condition()) {
        const wrong = [...document.querySelectorAll('[role=alert]')].find((alert) => !alert.hidden);
        if (wrong) throw new Error(wrong.id + ': ' + wrong.textContent);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    const give = async (input, canvas) => {
      const blob = await new Promise((resolve) => canvas.toBlob(resolve));
      const transfer = new DataTransfer();
      transfer.items.add(new File([blob], 'given.png', { type: 'image/png' }));
      input.files = transfer.files;
      input.dispatchEvent(new Event('change'));
    };
    </script>";

/// Where scripts/build-web has put the page.
fn page_folder() -> PathBuf {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/target/web");
    std::env::var_os("CATANET_WEB").map_or_else(|| default.into(), PathBuf::from)
}

/// Opens the page, plays a visitor and returns what is reported; None where page or browser are missing.
fn visit(steps: &str) -> Option<String> {
    let chromium = chromium()?;
    let folder = page_folder();
    let Ok(page) = fs::read_to_string(folder.join("index.html")) else {
        let required = std::env::var("CATANET_JUDGE_WEB").is_ok_and(|v| v == "required");
        assert!(!required, "scripts/build-web makes {}", folder.display());
        return None;
    };
    let head = format!(
        "<head>{REPORT}{VISITOR}<script>addEventListener('load', async () => {{{steps}}});</script>"
    );
    let page = page.replacen("<head>", &head, 1);
    let files = |path: &str| match path {
        "/" => Some(page.clone().into_bytes()),
        _ => fs::read(folder.join(path.trim_start_matches('/'))).ok(),
    };
    Some(open(&chromium, &SOFTWARE_WEBGPU, LIMIT, &files))
}

/// A picture of all hues, transparent nowhere, as the page's script draws it.
fn picture(side: usize) -> Picture {
    let pixel = |i: usize| {
        let (x, y) = (i % side, i / side);
        [(x * 8) as u8, (y * 8) as u8, (x * y % 256) as u8, 255]
    };
    let pixels = (0..side * side).flat_map(pixel).collect();
    Picture::new(side, side, Channels::Rgba, Samples::U8(pixels))
}

#[test]
fn the_page_enlarges_a_picture_as_a_native_program_does() {
    let reported = visit(
        "const canvas = document.createElement('canvas');
         canvas.width = canvas.height = 32;
         const pixels = new ImageData(32, 32);
         for (let i = 0; i < 32 * 32; i++) {
           const [x, y] = [i % 32, Math.floor(i / 32)];
           pixels.data.set([x * 8, y * 8, (x * y) % 256, 255], 4 * i);
         }
         canvas.getContext('2d').putImageData(pixels, 0, 0);
         await give(element('file'), canvas);
         await until(() => !element('go').disabled);
         element('go').click();
         await until(() => !element('result').hidden);
         const [slider, pair] = [element('slider'), element('pair')];
         slider.value = 20;
         slider.dispatchEvent(new Event('input'));
         const after = element('after');
         const shown = after.getContext('2d').getImageData(0, 0, after.width, after.height).data;
         const said = [after.width, after.height, pair.style.getPropertyValue('--at'),
           element('download').download, element('enlarge-status').textContent.slice(0, 5), logged.join('; '),
           btoa(String.fromCharCode(...shown))];
         report(said.join('|'));",
    );
    let Some(reported) = reported else {
        eprintln!("passed over: there is no Chromium, or no page by scripts/build-web");
        return;
    };
    let (said, shown) = reported.rsplit_once('|').expect("parts");
    assert_eq!(said, "64|64|20%|given_x2.png|Done:|");
    let shown = BASE64_STANDARD.decode(shown).expect("base64");

    let weights = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/weights/catanet_x2.safetensors"
    );
    let (net, _) = load(device(), weights.as_ref(), Some(2)).expect("weights");
    let options = EnlargeOptions::default();
    let native = enlarge_picture(&net, picture(32), "it", &options, &mut |_| true);
    let Samples::U8(native) = native.expect("enlarged").picture.samples else {
        panic!("8 bits went in");
    };
    assert_eq!(native.len(), shown.len());
    let apart = native.iter().zip(&shown).map(|(a, b)| a.abs_diff(*b));
    let (most, differ) = apart.fold((0, 0), |(most, n), d| (most.max(d), n + usize::from(d > 0)));
    // A number that lies between two of 8 bits goes to either.
    assert!(
        most <= 1 && differ * 100 <= native.len(),
        "{differ} differ, by up to {most}"
    );
}

/// Where scripts/test-setup puts what npm has.
const WEBGPU_OF_NODE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/target/judge/node_modules/webgpu"
);

/// The manifest of the Vulkan driver that comes with Chromium; Dawn refuses older ones of Mesa.
fn swiftshader() -> Option<PathBuf> {
    let folders = ["chromium", "chromium-browser"].map(|name| PathBuf::from("/usr/lib").join(name));
    let mut manifests = folders
        .map(|folder| folder.join("vk_swiftshader_icd.json"))
        .into_iter();
    manifests.find(|manifest| manifest.exists())
}

#[test]
fn the_module_trains_without_a_browser_as_a_native_program_does() {
    let folder = page_folder();
    let has = [folder.join("catanet_web.js"), WEBGPU_OF_NODE.into()]
        .iter()
        .all(|p| p.exists());
    let (true, Some(driver)) = (has, swiftshader()) else {
        eprintln!("passed over: there is no page, no npm package webgpu or no SwiftShader");
        return;
    };
    let output = Command::new("node")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/web_node.mjs"))
        .args([folder.as_os_str(), WEBGPU_OF_NODE.as_ref()])
        .env("VK_DRIVER_FILES", &driver)
        .env("VK_ICD_FILENAMES", &driver)
        .output()
        .expect("node runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    let losses: Vec<f32> = said
        .split_whitespace()
        .map(|n| n.parse().expect("a number"))
        .collect();
    let mut lesson = Lesson::new(device(), &Lesson::scene(), 10f64.powf(-2.3));
    let native: Vec<f32> = (0..4)
        .map(|_| lesson.step().item().expect("a loss"))
        .collect();
    assert_eq!(losses.len(), native.len(), "{said}");
    let same = |(a, b): (&f32, &f32)| (a - b).abs() < 2e-6;
    assert!(
        losses.iter().zip(&native).all(same),
        "{losses:?}, {native:?}"
    );
}

#[test]
fn the_page_trains_as_a_native_program_does() {
    let reported = visit(
        "const losses = [];
         for (let step = 1; step <= 4; step++) {
           element('step').click();
           await until(() => element('train-status').textContent.startsWith(`Step ${step}:`));
           losses.push(element('train-status').textContent.match(/loss ([0-9.]+)[.]/)[1]);
         }
         const learnt = element('learnt').getContext('2d').getImageData(0, 0, 64, 64).data;
         report([losses.join(' '), logged.join('; '), btoa(String.fromCharCode(...learnt))].join('|'));",
    );
    let Some(reported) = reported else {
        eprintln!("passed over: there is no Chromium, or no page by scripts/build-web");
        return;
    };
    let parts: Vec<&str> = reported.split('|').collect();
    assert_eq!(parts[1], "", "nothing in the console");
    let losses: Vec<f32> = parts[0]
        .split(' ')
        .map(|n| n.parse().expect(parts[0]))
        .collect();

    let mut lesson = Lesson::new(device(), &Lesson::scene(), 10f64.powf(-2.3));
    let steps = (0..losses.len()).map(|_| lesson.step().item().expect("a loss"));
    let native: Vec<f32> = steps.collect();
    let same = |(a, b): (&f32, &f32)| (a - b).abs() < 2e-6; // six places are shown
    assert!(
        losses.iter().zip(&native).all(same),
        "{losses:?}, {native:?}"
    );
    assert!(native[3] < native[0], "it learns");
    let shown = BASE64_STANDARD.decode(parts[2]).expect("base64");
    let learnt = lesson.picture().to_vec().expect("a picture");
    let pixels = shown.chunks_exact(4).flat_map(|pixel| &pixel[..3]);
    let apart = pixels
        .zip(&learnt)
        .map(|(&byte, v)| (f32::from(byte) - 255.0 * v.clamp(0.0, 1.0)).abs());
    assert!(
        apart.max_by(f32::total_cmp).is_some_and(|most| most < 0.51),
        "half of 1, and rounding"
    );
}

#[test]
fn the_page_runs_kernels_and_tells_what_is_wrong_with_them() {
    let reported = visit(
        "const said = [];
         const source = element('source');
         const run = async () => {
           element('run-kernel').click();
           await until(() => !element('run-kernel').disabled);
           said.push(element('kernel-status').textContent.split(':')[0]);
         };
         element('kernels').scrollIntoView();
         await until(() => source.value !== '');
         for (const name of ['LayerNorm', 'Depthwise convolution']) {
           const before = source.value;
           const select = element('kernel');
           select.value = [...select.options].find((option) => option.textContent === name).value;
           select.dispatchEvent(new Event('change'));
           await until(() => source.value !== before);
           await run();
         }
         source.value = source.value.replace('sum +=', 'sum =');
         await run();
         said.push(element('runs').tBodies[0].rows.length);
         source.value = 'fn broken';
         element('run-kernel').click();
         const error = element('kernel-error');
         while (error.hidden) await new Promise((resolve) => setTimeout(resolve, 50));
         said.push(error.textContent.includes('line 1:'), logged.join('; '));
         report(said.join('|'));",
    );
    let Some(reported) = reported else {
        eprintln!("passed over: there is no Chromium, or no page by scripts/build-web");
        return;
    };
    assert_eq!(reported, "Right|Right|Wrong|3|true|");
}

#[test]
fn the_page_shows_what_a_pixel_attends_to() {
    let reported = visit(
        "const side = 64;
         const canvas = document.createElement('canvas');
         canvas.width = canvas.height = side;
         const context = canvas.getContext('2d');
         for (let i = 0; i < 64; i++) {
           context.fillStyle = `hsl(${40 * i} 70% ${20 + i}%)`;
           context.fillRect((i % 8) * 8, Math.floor(i / 8) * 8, 8, 8);
         }
         await give(element('seen-file'), canvas);
         const status = element('explore-status');
         await until(() => status.textContent.startsWith('Column 33, row 33:'));
         const key = new KeyboardEvent('keydown', { key: 'ArrowUp', bubbles: true });
         element('groups').dispatchEvent(key);
         await until(() => status.textContent.startsWith('Column 33, row 32:'));
         const alike = Number(status.textContent.match(/: ([0-9]+) of 4096 pixels/)[1]);
         report([alike > 0 && alike < 4096, logged.join('; ')].join('|'));",
    );
    let Some(reported) = reported else {
        eprintln!("passed over: there is no Chromium, or no page by scripts/build-web");
        return;
    };
    assert_eq!(reported, "true|");
}
