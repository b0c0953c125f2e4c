//! A folder of small pictures, beside the time in the network alone: `cargo bench --bench folder`.
//!
//! Both enlarge the same pictures on the same device. The second reads, decodes, encodes and writes them too, on
//! threads beside the one that feeds the adapter: it should take at most 1.1 of the first.

use std::hint::black_box;
use std::path::Path;

use catanet::data::dead_leaves::scene;
use catanet::enlarge::{EnlargeOptions, enlarge_picture};
use catanet::weights::load_bytes;
use catanet_cli::upscale_cli::{Cli, run_on};
use catanet_cli::weights::shipped;
use clap::Parser;
use criterion::{Criterion, criterion_group, criterion_main};
use tensor::Device;

const PICTURES: usize = 24;
const SIZE: [usize; 2] = [96, 64]; // width, height

fn folder(c: &mut Criterion) {
    let device = Device::open(None).expect("an adapter");
    let weights = shipped(2).expect("shipped");
    let (net, _) =
        load_bytes(&device, weights, Path::new("as shipped"), Some(2)).expect("they load");
    let root = tempfile::tempdir().expect("a folder");
    let input = root.path().join("in");
    std::fs::create_dir(&input).expect("made");
    let images: Vec<_> = (0..PICTURES as u64)
        .map(|i| scene(5, i, SIZE[0], SIZE[1]))
        .collect();
    for (i, image) in images.iter().enumerate() {
        image
            .save_png(input.join(format!("{i:02}.png")))
            .expect("written");
    }
    let mut group = c.benchmark_group("folder");
    group.sample_size(10);
    group.bench_function("network_alone", |b| {
        b.iter(|| {
            for image in &images {
                let options = EnlargeOptions::default();
                let picture = image.to_picture();
                black_box(
                    enlarge_picture(&net, picture, "it", &options, &mut |_| true)
                        .expect("enlarged"),
                );
            }
        });
    });
    let output = root.path().join("out");
    let line = [
        "upscale".as_ref(),
        input.as_os_str(),
        "--save".as_ref(),
        output.as_os_str(),
        "-q".as_ref(),
    ];
    let cli = Cli::parse_from(line);
    catanet_cli::terminal::set_level(catanet_cli::terminal::Level::Quiet);
    group.bench_function("whole_program", |b| {
        b.iter(|| run_on(&device, &cli).expect("enlarged"))
    });
    group.finish();
}

criterion_group!(benches, folder);
criterion_main!(benches);
