//! What is written for TensorBoard is what TensorBoard's own reader finds, by way of `read_events.py`.

mod common;

use std::path::Path;
use std::process::Command;

use catanet::data::dead_leaves::scene;
use catanet_cli::train::look::crops::beside;
use catanet_cli::train::look::events::EventWriter;
use common::Folder;

/// A Python with TensorBoard, if this machine has one; with CATANET_JUDGE=required it must.
fn python() -> Option<String> {
    let named = std::env::var("CATANET_PYTHON").ok();
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/target/judge/bin/python3");
    let names = ["python3", own].map(str::to_owned);
    let found = named.into_iter().chain(names).find(|python| {
        let test = "from tensorboard.backend.event_processing import event_accumulator";
        let output = Command::new(python).args(["-c", test]).output();
        output.is_ok_and(|output| output.status.success())
    });
    let required = std::env::var("CATANET_JUDGE").is_ok_and(|v| v == "required");
    assert!(
        found.is_some() || !required,
        "scripts/test-setup installs TensorBoard"
    );
    found
}

/// What TensorBoard finds in a folder, line by line.
fn found(python: &str, folder: &Path) -> Vec<String> {
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/read_events.py");
    let mut command = Command::new(python);
    let output = command
        .arg(judge)
        .arg(folder)
        .output()
        .expect("Python runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    let said = String::from_utf8(output.stdout).expect("text");
    said.lines().map(str::to_owned).collect()
}

#[test]
fn tensorboard_reads_figures_pictures_and_text_and_forgets_what_a_resumed_run_does_again() {
    let Some(python) = python() else {
        eprintln!("passed over: there is no TensorBoard");
        return;
    };
    let folder = Folder::new("events");
    let pictures = [0, 1].map(|i| scene(3, i, 24, 16).to_picture());
    let mut writer = EventWriter::create(&folder).expect("a file");
    for step in [100, 200, 300] {
        let loss = 1.0 / step as f64;
        writer.scalar(step, "losses/l_pix", loss).expect("a loss");
    }
    writer
        .scalar(200, "metrics/Set5/psnr", 0.0)
        .expect("a metric");
    writer
        .text(0, "options", "name: *train*\nü")
        .expect("a text");
    let (width, height, png) = beside(&[&pictures[0], &pictures[1]]).expect("a PNG");
    writer
        .image(200, "validation/a", width, height, &png.0)
        .expect("a picture");
    // The run was stopped after 300, but its last state is of 200.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let mut writer = EventWriter::create(&folder).expect("a file");
    writer.resumed(201).expect("a session");
    writer.scalar(250, "losses/l_pix", 0.5).expect("a loss");
    let length = png.0.len();
    let expected = [
        "scalar losses/l_pix 100 0.01".to_owned(),
        "scalar losses/l_pix 200 0.005".to_owned(),
        "scalar losses/l_pix 250 0.5".to_owned(),
        "scalar metrics/Set5/psnr 200 0".to_owned(),
        format!("image validation/a 200 48x16 {length} bytes, PNG"),
        "text options 0 'name: *train*\\nü'".to_owned(),
        "wall time of now".to_owned(),
    ];
    assert_eq!(found(&python, &folder), expected);
}
