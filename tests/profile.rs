//! `--profile`: what a user reads, and what a trace viewer does.

use std::fs;
use std::path::Path;

use catanet::CATANet;
use catanet::data::dead_leaves::scene;
use catanet::evaluate::enlarge;
use catanet::weights::{Notes, save};
use catanet_cli::profile::table;
use catanet_cli::upscale_cli::{Cli, run_on};
use clap::Parser;
use nn::checkpoint::Precision;
use serde_json::Value;
use tensor::{Device, Tensor, ops};

/// One test: a profile sees all work of its device.
#[test]
fn profiles_show_every_dispatch_in_a_table_and_in_a_trace_that_viewers_load() {
    let device = Device::open(None).expect("tests need an adapter");
    a_table_has_a_line_for_each_kernel(&device);
    a_trace_has_an_event_for_each_dispatch(&device);
}

fn a_table_has_a_line_for_each_kernel(device: &Device) {
    let x = Tensor::full(device, 1.0, &[1 << 16]);
    let (_, profile) = device
        .profile(0, || ops::gelu(&ops::mul(&x, &ops::mul(&x, &x))))
        .expect("profiled");
    let table = table(&profile);
    let line = |name| {
        let found = table.lines().find(|line| line.starts_with(name));
        found.unwrap_or_else(|| panic!("no {name} in\n{table}"))
    };
    let calls = |name| {
        let numbers = line(name).split("  ").map(str::trim);
        numbers.filter(|n| !n.is_empty()).nth(1)
    };
    assert_eq!(calls("mul"), Some("2"), "{table}");
    assert_eq!(calls("gelu"), Some("1"), "{table}");
    assert_eq!(calls("all"), Some("3"), "{table}");
    assert!(
        line("3 dispatches").contains("1 submit, 0 read-backs"),
        "{table}"
    );
    assert!(line("pool: ").contains("MiB"), "{table}");
}

fn a_trace_has_an_event_for_each_dispatch(device: &Device) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("profile");
    fs::create_dir_all(&folder).expect("made");
    let file = |name: &str| folder.join(name).display().to_string();
    let [image, weights, enlarged, trace] =
        ["a.png", "x2.safetensors", "b.png", "trace.json"].map(file);
    let small = scene(1, 0, 30, 28);
    small.save_png(&image).expect("written");
    let net = CATANet::new(device, 2, 7);
    save(&net, Path::new(&weights), Precision::F32, Notes::new()).expect("written");
    let profile = format!("--profile={trace}");
    let arguments = [
        "upscale",
        &image,
        "--weights",
        &weights,
        "-o",
        &enlarged,
        &profile,
        "--overwrite",
    ];

    let before = device.stats().dispatches;
    enlarge(&net, &small, false).expect("enlarged");
    let dispatches = device.stats().dispatches - before;
    run_on(device, &Cli::parse_from(arguments)).expect("enlarged");

    let json: Value = serde_json::from_slice(&fs::read(trace).expect("written")).expect("JSON");
    let all = json["traceEvents"].as_array().expect("events");
    let events: Vec<_> = all.iter().filter(|e| e["ph"] == "X").collect();
    assert_eq!(events.len() as u64, dispatches);
    // Before attention itself, which may be several dispatches.
    let packed = events.iter().filter(|e| e["name"] == "attention_pack_keys");
    assert_eq!(packed.count(), 24, "three in each of eight blocks");
    let mut end = 0.0;
    for event in events {
        let number = |key: &str| event[key].as_f64().expect("a number");
        assert!(
            number("ts") >= end - 1e-3 && number("dur") >= 0.0,
            "{event}"
        ); // µs
        end = number("ts") + number("dur");
        assert_eq!(
            event["args"]["workgroups"].as_array().map(Vec::len),
            Some(3)
        );
    }
}
