//! The network agrees with PyTorch's numbers: outputs, losses, gradients, centres, Adam.
//!
//! Runs every file of the folder named by `CATANET_GOLDEN` (default: tests/golden), by its name:
//! `eval_*`, `train_*`, `adam_*` and `*_case` safetensors, and for a case every `.pth` of its scale
//! (`…_x3…`). Patterns that a folder lacks are passed over, a folder without any is an error.
//! Images there are NCHW, weights in PyTorch's layouts; the numbers come from the network in
//! PyTorch. Of its gradients, tests/golden/train_x2_later_step keeps a part, for size.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use autograd::Var;
use catanet::{CATANet, Mode};
use nn::checkpoint::{Array, Data, StateDict};
use nn::{Adam, AdamOptions, Layout, Module, Parameter, State, load_state_dict, parameters};
use tensor::{Device, Tensor};

/// How the names of the four kinds of cases start and end.
const EVAL: [&str; 2] = ["eval_", ".safetensors"];
const TRAIN: [&str; 2] = ["train_", ".safetensors"];
const ADAM: [&str; 2] = ["adam_", ".safetensors"];
const CASE: [&str; 2] = ["", "_case.safetensors"];
/// Not a case by itself.
const CHECKPOINT: [&str; 2] = ["", ".pth"];

fn device() -> &'static Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(|| Device::open(None).expect("tests need an adapter"))
}

fn folder() -> PathBuf {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    std::env::var_os("CATANET_GOLDEN").map_or_else(|| own.into(), PathBuf::from)
}

fn name(file: &Path) -> &str {
    file.file_name().and_then(|n| n.to_str()).unwrap_or("")
}

/// The files of `folder` named `start…end`.
fn matching(folder: &Path, [start, end]: [&str; 2]) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = entries.map(|e| e.expect("listing").path()).collect();
    files.retain(|f| name(f).starts_with(start) && name(f).ends_with(end));
    files.sort();
    files
}

/// The golden files of one pattern; there may be none.
fn golden(pattern: [&str; 2]) -> Vec<PathBuf> {
    let files = matching(&folder(), pattern);
    if files.is_empty() {
        let [start, end] = pattern;
        println!("no {start}*{end} in {}", folder().display());
    }
    files
}

/// The `.pth` files among `files` that are of the scale of `case`, both as their names tell.
fn checkpoints_of<'a>(case: &Path, files: &'a [PathBuf]) -> Vec<&'a PathBuf> {
    files
        .iter()
        .filter(|f| scale(f).is_some() && scale(f) == scale(case))
        .collect()
}

/// 3 for `…_x3…`.
fn scale(file: &Path) -> Option<usize> {
    let stem = file.file_stem()?.to_str()?;
    stem.split('_')
        .find_map(|p| p.strip_prefix('x')?.parse().ok())
}

fn load(path: &Path) -> StateDict {
    nn::checkpoint::load(path).unwrap_or_else(|e| panic!("{e}"))
}

fn floats(array: &Array) -> &[f32] {
    let Data::F32(values) = &array.data else {
        panic!("not floats")
    };
    values
}

/// [B, C, H, W] → [B, H, W, C]
fn channels_last(array: &Array) -> (Vec<f32>, [usize; 4]) {
    let &[b, c, h, w] = &array.shape[..] else {
        panic!("{:?} is not NCHW", array.shape)
    };
    let data = floats(array);
    let at = |i: usize| {
        let (image, pixel, channel) = (i / (h * w * c), i / c % (h * w), i % c);
        data[(image * c + channel) * h * w + pixel]
    };
    ((0..data.len()).map(at).collect(), [b, h, w, c])
}

fn image(file: &StateDict, key: &str) -> Var {
    let (data, shape) = channels_last(&file.arrays[key]);
    Var::constant(Tensor::new(device(), &data, &shape))
}

/// The arrays under `prefix`, as a dictionary of their own.
fn part(file: &StateDict, prefix: &str) -> StateDict {
    let strip = |(k, v): (&String, &Array)| Some((k.strip_prefix(prefix)?.to_owned(), v.clone()));
    StateDict {
        arrays: file.arrays.iter().filter_map(strip).collect(),
        ..Default::default()
    }
}

/// A network of the scale that the file's name tells, with the given weights.
fn network(file: &Path, weights: &StateDict) -> CATANet {
    let scale = scale(file).unwrap_or_else(|| panic!("no scale in {}", file.display()));
    let net = CATANet::new(device(), scale, 0);
    load_state_dict(&net, weights, |_| true).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    net
}

/// ‖a − b‖ / ‖b‖
fn distance(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let square = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
        a.iter()
            .zip(b)
            .map(|(&a, &b)| f(a.into(), b.into()).powi(2))
            .sum()
    };
    (square(&|a, b| a - b) / square(&|_, b| b).max(1e-300)).sqrt()
}

#[track_caller]
fn assert_within(what: &str, error: f64, tolerance: f64) {
    println!("{what}: {error:.2e} (tolerance {tolerance:.0e})");
    assert!(
        error <= tolerance,
        "{what}: {error:.2e} exceeds {tolerance:.0e}"
    );
}

#[track_caller]
fn assert_output(what: &str, output: &Tensor, expected: &Array) {
    let (expected, shape) = channels_last(expected);
    assert_eq!(output.shape(), shape, "{what}");
    assert_within(
        what,
        distance(&output.to_vec().expect("read-back"), &expected),
        1e-5,
    );
}

#[test]
fn evaluation_outputs_agree_at_every_scale_and_size() {
    for path in golden(EVAL) {
        let file = load(&path);
        let net = network(&path, &part(&file, "params."));
        for (key, expected) in file.arrays.iter().filter(|(k, _)| k.starts_with("output.")) {
            let input = image(&file, &key.replace("output", "input"));
            let what = format!("{} {key} {:?}", path.display(), input.shape());
            assert_output(&what, &net.upscale(input.value()), expected);
        }
    }
    assert_eq!(device().stats().replaced, 0, "kernels that do not compile");
}

#[test]
fn published_checkpoints_give_the_published_output() {
    let checkpoints = golden(CHECKPOINT);
    for case in golden(CASE) {
        let file = load(&case);
        let own = checkpoints_of(&case, &checkpoints);
        if own.is_empty() {
            println!("{}: no .pth of its scale beside it", case.display());
        }
        for checkpoint in own {
            let net = network(&case, &load(checkpoint));
            let output = net.upscale(image(&file, "input").value());
            let what = format!("{} {}", name(&case), name(checkpoint));
            assert_output(&what, &output, &file.arrays["output"]);
        }
    }
}

/// A gradient in PyTorch's layout, by the one function that turns weights into it.
fn in_file_layout(parameter: &Parameter) -> Option<Vec<f32>> {
    struct Only(Parameter);
    impl Module for Only {
        fn visit(&self, _: &str, visitor: &mut dyn FnMut(String, State)) {
            visitor(String::new(), State::Parameter(&self.0));
        }
    }
    let gradient = Parameter::new(parameter.grad()?, parameter.layout());
    let dict = nn::state_dict(&Only(gradient)).expect("read-back");
    Some(floats(&dict.arrays[""]).to_vec())
}

fn means(net: &CATANet) -> StateDict {
    let mut dict = nn::state_dict(net).expect("read-back");
    dict.arrays.retain(|k, _| k.ends_with(".means"));
    dict
}

#[test]
fn training_steps_agree_in_loss_gradients_and_centres() {
    for path in golden(TRAIN) {
        let file = load(&path);
        let before = part(&file, "before.");
        let net = network(&path, &before);
        let output = net.forward(&image(&file, "lq"), Mode::Train);
        assert_output(
            &format!("{} output", path.display()),
            output.value(),
            &file.arrays["output"],
        );

        let loss = nn::l1_loss(&output, &image(&file, "gt"));
        let expected = f64::from(floats(&file.arrays["loss"])[0]);
        let got = f64::from(loss.item().expect("read-back"));
        assert_within("loss", (got - expected).abs() / expected, 1e-5);

        loss.backward();
        let (mut worst, mut compared) = ((0.0, String::new()), 0);
        net.visit("", &mut |name, state| {
            let State::Parameter(parameter) = state else {
                return;
            };
            let Some(expected) = file.arrays.get(&format!("grad.{name}")) else {
                return;
            };
            let expected = floats(expected);
            let got = in_file_layout(parameter).unwrap_or_else(|| panic!("{name}: no gradient"));
            let error = distance(&got, expected);
            assert!(
                error <= 3e-4,
                "gradient of {name}: {error:.2e} exceeds 3e-4"
            );
            compared += 1;
            if error > worst.0 {
                worst = (error, name);
            }
        });
        let gradients = file
            .arrays
            .keys()
            .filter(|k| k.starts_with("grad."))
            .count();
        assert!(
            compared == gradients && compared > 0,
            "{}: {compared} of {gradients} gradients belong to the network",
            path.display()
        );
        println!("worst of {compared} gradients: {} {:.2e}", worst.1, worst.0);

        for (name, got) in &means(&net).arrays {
            let expected = floats(&file.arrays[&format!("after.{name}")]);
            let block = name.trim_end_matches("means");
            let first = match before.arrays[&format!("{block}initted")].data {
                Data::Bool(ref v) => !v[0],
                Data::I64(ref v) => v[0] == 0,
                Data::F32(_) => panic!("initted is a flag"),
            };
            if first {
                assert_within(name, distance(floats(got), expected), 1e-4);
            } else {
                let old = floats(&before.arrays[name]);
                let change =
                    |new: &[f32]| -> Vec<f32> { new.iter().zip(old).map(|(a, b)| a - b).collect() };
                assert_within(
                    name,
                    distance(&change(floats(got)), &change(expected)),
                    5e-3,
                );
            }
        }
    }
}

#[test]
fn adam_follows_the_same_losses_for_twelve_steps() {
    for path in golden(ADAM) {
        let file = load(&path);
        let net = network(&path, &part(&file, "before."));
        let options = AdamOptions {
            lr: 2e-4,
            betas: (0.9, 0.99),
            eps: 1e-8,
            weight_decay: 0.0,
            decoupled: false,
        };
        let mut adam = Adam::new(parameters(&net), options);
        for (step, &expected) in floats(&file.arrays["losses"]).iter().enumerate() {
            let output = net.forward(&image(&file, &format!("lq.{step}")), Mode::Train);
            let loss = nn::l1_loss(&output, &image(&file, &format!("gt.{step}")));
            loss.backward();
            adam.step();
            let error = (loss.item().expect("read-back") - expected).abs() / expected;
            let tolerance = if step == 0 { 1e-5 } else { 3e-3 };
            assert_within(&format!("loss of step {step}"), error.into(), tolerance);
        }
    }
}

#[test]
fn the_golden_folder_holds_a_case() {
    let cases = [EVAL, TRAIN, ADAM, CASE].map(|pattern| matching(&folder(), pattern));
    let (all, checkpoints) = (matching(&folder(), ["", ""]), golden(CHECKPOINT));
    let names: Vec<_> = all.iter().map(|f| name(f)).collect();
    assert!(
        cases.iter().any(|files| !files.is_empty()),
        "no eval_*, train_*, adam_* or *_case.safetensors in {}; it holds: {}",
        folder().display(),
        names.join(", ")
    );
    let paired = |file| {
        cases[3]
            .iter()
            .any(|case| checkpoints_of(case, &checkpoints).contains(&file))
    };
    for file in &all {
        if !cases.iter().flatten().any(|case| case == file) && !paired(file) {
            println!(
                "{}: neither a case nor a checkpoint of one, passed over",
                file.display()
            );
        }
    }
}

#[test]
fn a_case_is_run_with_the_checkpoints_of_its_scale_only() {
    let files = [
        "ddp_x3.pth",
        "published_x3_ema.pth",
        "published_x4.pth",
        "other.pth",
    ];
    let files = files.map(PathBuf::from);
    let paired = |case: &str| checkpoints_of(Path::new(case), &files).len();
    assert_eq!(
        [
            "a_x3_case.safetensors",
            "b_x4_case.safetensors",
            "c_x2_case.safetensors",
            "case.safetensors"
        ]
        .map(paired),
        [2, 1, 0, 0]
    );
}

#[test]
fn a_gradient_is_compared_in_the_layout_of_the_file() {
    let values: Vec<f32> = (0..9 * 2 * 3).map(|i| i as f32).collect();
    let parameter = Parameter::new(
        Tensor::new(device(), &values, &[3, 3, 2, 3]),
        Layout::Conv3x3,
    );
    assert!(
        in_file_layout(&parameter).is_none(),
        "no backward pass has run"
    );
    let ones = Tensor::full(device(), 1.0, &[3, 3, 2, 3]);
    let weights = Tensor::new(device(), &values, &[3, 3, 2, 3]);
    let product = autograd::mul(&parameter, &Var::constant(weights));
    autograd::sum(&autograd::mul(&product, &Var::constant(ones))).backward();
    let turned = in_file_layout(&parameter).expect("a gradient");
    // [ky, kx, i, o] = [1, 2, 1, 0] stands at [o, i, ky, kx] = [0, 1, 1, 2].
    assert_eq!(turned[9 + 5], values[(5 * 2 + 1) * 3]);
}
