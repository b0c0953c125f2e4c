//! Weights as people have them: among other things, in other wrappings, and not quite whole.

use nn::checkpoint::{Array, Data};
use tempfile::tempdir;

use super::*;

fn device() -> Device {
    Device::open(None).expect("tests need an adapter")
}

/// The bytes of a safetensors file of these arrays.
fn bytes(arrays: BTreeMap<String, Array>) -> Vec<u8> {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let state = StateDict {
        arrays,
        ..StateDict::default()
    };
    save_safetensors(&path, &state, Precision::F32).unwrap();
    std::fs::read(path).unwrap()
}

fn renamed(state: &StateDict, prefix: &str) -> BTreeMap<String, Array> {
    let arrays = state.arrays.iter();
    arrays
        .map(|(name, array)| (format!("{prefix}{name}"), array.clone()))
        .collect()
}

#[test]
fn weights_of_every_scale_are_found_behind_any_prefix_and_among_others() {
    let device = device();
    for scale in [1, 2, 3, 4] {
        let state = state_dict(&CATANet::new(&device, scale, 5)).unwrap();
        for prefix in [
            "",
            "module.",
            "_orig_mod.",
            "params.module.",
            "model.net_g.",
        ] {
            let mut arrays = renamed(&state, prefix);
            arrays.extend(renamed(&state, "exp_avg.")); // an optimiser's, of the same names
            let one = Array {
                shape: vec![1],
                data: Data::F32(vec![1.0]),
            };
            arrays.insert("loss.vgg.weight".to_owned(), one);
            let bytes = bytes(arrays);
            let (net, _) = load_bytes(&device, &bytes, Path::new("a"), None).unwrap();
            assert_eq!(net.scale(), scale, "{prefix}");
            assert_eq!(state_dict(&net).unwrap(), state, "×{scale} {prefix}");
            let other = CATANet::new(&device, 4, 9);
            load_body_bytes(&other, &bytes).unwrap();
            let body = state_dict(&other).unwrap();
            assert_eq!(
                body.arrays["last_conv.bias"],
                state.arrays["last_conv.bias"]
            );
        }
    }
}

#[test]
fn errors_call_bytes_by_the_name_they_are_given() {
    let device = device();
    let error = |bytes: &[u8]| {
        let read = load_bytes(&device, bytes, Path::new("some name"), None);
        let text = read.map(drop).unwrap_err().to_string();
        assert!(text.contains("some name"), "{text}");
        text
    };
    assert!(error(b"<html>").contains("web page"));
    let mut state = state_dict(&CATANet::new(&device, 2, 5)).unwrap();
    state.arrays.remove("first_conv.weight");
    let text = error(&bytes(renamed(&state, "net.")));
    assert!(text.contains("`first_conv.weight` is missing"), "{text}");
    let other = BTreeMap::from([(
        "0.weight".to_owned(),
        state.arrays["last_conv.bias"].clone(),
    )]);
    assert!(error(&bytes(other)).contains("another network, such as `0.weight`"));
}

#[test]
fn names_of_pytorchs_files_are_known_in_any_case() {
    for name in ["a.pth", "a.PT", "b/a.x.Ckpt", "a.bin"] {
        assert!(is_pytorch_name(Path::new(name)), "{name}");
    }
    for name in ["a", "pth", "a.pth.safetensors", ".pth"] {
        assert!(!is_pytorch_name(Path::new(name)), "{name}");
    }
}
