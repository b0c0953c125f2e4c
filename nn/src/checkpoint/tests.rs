//! What a reader of good files relies on. Bad ones are in `tests/hostile.rs`.

mod files;
mod hostile;
mod nested;
#[path = "../../tests/old_torch/mod.rs"]
mod old_torch;

use std::fs;
use std::path::Path;

use tempfile::tempdir;

use super::main_arrays as parse;
use super::pth_write::{self, Pickle};
use super::*;

fn floats(shape: &[usize], values: &[f32]) -> Array {
    Array {
        shape: shape.to_vec(),
        data: Data::F32(values.to_vec()),
    }
}

fn state<const N: usize>(arrays: [(&str, Array); N]) -> StateDict {
    StateDict {
        arrays: arrays.map(|(name, array)| (name.into(), array)).into(),
        ..Default::default()
    }
}

/// One array of every kind: a matrix with the awkward floats, scalars, a bool, integers, none.
fn sample() -> StateDict {
    let awkward = [
        0.1,
        -0.0,
        f32::NAN,
        f32::INFINITY,
        f32::MIN_POSITIVE / 3.0,
        f32::MAX,
    ];
    let mut state = state([
        ("conv.weight", floats(&[2, 3], &awkward)),
        ("scale", floats(&[], &[0.5])),
        (
            "initted",
            Array {
                shape: vec![],
                data: Data::Bool(vec![true]),
            },
        ),
        (
            "mask",
            Array {
                shape: vec![3],
                data: Data::Bool(vec![false, true, false]),
            },
        ),
        (
            "steps",
            Array {
                shape: vec![2],
                data: Data::I64(vec![i64::MIN, 7]),
            },
        ),
        ("nothing", floats(&[0, 3], &[])),
    ]);
    state.metadata = [("scale", "2"), ("iteration", "400"), ("seed", "\"0\"\n")]
        .map(|(key, value)| (key.into(), value.into()))
        .into();
    state
}

/// Equal bit by bit: `==` finds NaN unequal to itself, and −0 equal to 0.
#[track_caller]
fn assert_same_arrays(a: &StateDict, b: &StateDict) {
    let bits = |state: &StateDict| format!("{:?}", state.arrays);
    assert_eq!(bits(a), bits(b));
    for (name, array) in &a.arrays {
        if let (Data::F32(x), Data::F32(y)) = (&array.data, &b.arrays[name].data) {
            assert!(
                x.iter()
                    .map(|x| x.to_bits())
                    .eq(y.iter().map(|y| y.to_bits())),
                "{name}"
            );
        }
    }
}

#[test]
fn a_pth_comes_back_bit_by_bit() {
    let folder = tempdir().unwrap();
    save_pth(folder.path().join("a.pth"), &sample()).unwrap();
    let first = load(folder.path().join("a.pth")).unwrap();
    assert_same_arrays(&first, &sample());
    save_pth(folder.path().join("b.pth"), &first).unwrap();
    assert_eq!(
        fs::read(folder.path().join("a.pth")).unwrap(),
        fs::read(folder.path().join("b.pth")).unwrap()
    );
}

#[test]
fn f32_safetensors_come_back_bit_by_bit_with_their_metadata() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    save_safetensors(&path, &sample(), Precision::F32).unwrap();
    let read = load(&path).unwrap();
    assert_same_arrays(&read, &sample());
    assert_eq!(read.metadata, sample().metadata);
}

#[test]
fn the_same_state_gives_the_same_bytes_and_aligned_arrays() {
    let bytes = safetensors::to_bytes(&sample(), Precision::F32).unwrap();
    for _ in 0..8 {
        assert_eq!(
            safetensors::to_bytes(&sample(), Precision::F32).unwrap(),
            bytes
        );
    }
    assert_eq!(bytes[0] % 8, 0);
}

#[test]
fn f16_safetensors_round_to_nearest_even_and_keep_bools() {
    // Around 1 the f16 grid has steps of 2⁻¹⁰; the first two lie halfway between two of its points.
    let ulp = 1.0 / 1024.0;
    let exact = [
        1.0 + 0.5 * ulp,
        1.0 + 1.5 * ulp,
        1.0 + 0.51 * ulp,
        -65504.0,
        f32::NEG_INFINITY,
    ];
    let rounded = [1.0, 1.0 + 2.0 * ulp, 1.0 + ulp, -65504.0, f32::NEG_INFINITY];
    let flag = Array {
        shape: vec![],
        data: Data::Bool(vec![true]),
    };
    let bytes = safetensors::to_bytes(
        &state([("w", floats(&[5], &exact)), ("initted", flag.clone())]),
        Precision::F16,
    )
    .unwrap();
    let header = String::from_utf8_lossy(&bytes);
    assert!(header.contains(r#""dtype":"F16""#) && header.contains(r#""dtype":"BOOL""#));
    assert_eq!(
        parse(&bytes).unwrap(),
        state([("w", floats(&[5], &rounded)), ("initted", flag)])
    );
}

#[test]
fn a_float_too_large_for_f16_is_refused_by_name() {
    let folder = tempdir().unwrap();
    let big = state([("conv.bias", floats(&[2], &[1.0, 65520.0]))]);
    let error = save_safetensors(folder.path().join("a"), &big, Precision::F16)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`conv.bias` holds 65520") && error.contains("32-bit"),
        "{error}"
    );
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
}

#[test]
fn the_content_decides_the_format_not_the_name() {
    let folder = tempdir().unwrap();
    save_pth(folder.path().join("a.safetensors"), &sample()).unwrap();
    save_safetensors(folder.path().join("a.pth"), &sample(), Precision::F32).unwrap();
    assert_same_arrays(
        &load(folder.path().join("a.safetensors")).unwrap(),
        &sample(),
    );
    assert_same_arrays(&load(folder.path().join("a.pth")).unwrap(), &sample());
}

#[test]
#[should_panic(expected = "`w` has shape [2, 2] but 3 elements")]
fn saving_an_array_that_contradicts_its_shape_panics() {
    let _ = save_pth(
        Path::new("never"),
        &state([("w", floats(&[2, 2], &[1.0, 2.0, 3.0]))]),
    );
}

/// Four floats, 0 to 3, in storage 0.
const FLOATS: (&str, &str, usize) = ("FloatStorage", "0", 4);

/// A `.pth` of this pickle, `program` completing it, with a storage of the floats 0 to 3.
fn pth(program: impl Fn(&mut Pickle)) -> Vec<u8> {
    pth_with(
        (0..4).flat_map(|i| (i as f32).to_le_bytes()).collect(),
        program,
    )
}

fn pth_with(storage: Vec<u8>, program: impl Fn(&mut Pickle)) -> Vec<u8> {
    let mut pickle = Pickle::new();
    program(&mut pickle);
    pickle.0.push(opcode::STOP);
    pth_write::archive(&pickle.0, [storage]).unwrap()
}

/// A dictionary of one entry whose value `value` pushes.
fn dict(pickle: &mut Pickle, key: &str, value: impl Fn(&mut Pickle)) {
    pickle.0.push(opcode::EMPTY_DICT);
    pickle.text(key);
    value(pickle);
    pickle.0.push(opcode::SETITEM);
}

/// The only array of a `.pth` whose view of the floats 0 to 3 is this.
fn view(offset: usize, shape: &[usize], strides: &[usize]) -> Result<Data, Problem> {
    let bytes = pth(|p| dict(p, "w", |p| p.tensor(FLOATS, offset, shape, strides)));
    let mut state = parse(&bytes)?;
    Ok(state.arrays.remove("w").expect("it was written").data)
}

#[test]
fn strided_views_are_gathered_row_by_row() {
    let gathered =
        |offset, shape: &[usize], strides: &[usize]| view(offset, shape, strides).unwrap();
    assert_eq!(
        gathered(0, &[2, 2], &[2, 1]),
        Data::F32(vec![0.0, 1.0, 2.0, 3.0])
    );
    assert_eq!(
        gathered(0, &[2, 2], &[1, 2]),
        Data::F32(vec![0.0, 2.0, 1.0, 3.0])
    );
    assert_eq!(gathered(1, &[2], &[2]), Data::F32(vec![1.0, 3.0]));
    assert_eq!(
        gathered(2, &[2, 3], &[1, 0]),
        Data::F32(vec![2.0, 2.0, 2.0, 3.0, 3.0, 3.0])
    );
    assert_eq!(gathered(3, &[], &[]), Data::F32(vec![3.0]));
    assert_eq!(
        gathered(3, &[1, 1], &[usize::MAX >> 1, 9]),
        Data::F32(vec![3.0])
    );
    assert_eq!(gathered(9, &[2, 0], &[7, 7]), Data::F32(vec![]));
}

#[test]
fn other_number_types_are_widened_or_narrowed() {
    let read = |kind, bytes: &[u8]| {
        let count = 1;
        let bytes = pth_with(bytes.to_vec(), |p| {
            dict(p, "w", |p| p.tensor((kind, "0", count), 0, &[], &[]));
        });
        parse(&bytes).unwrap().arrays.remove("w").unwrap().data
    };
    assert_eq!(read("HalfStorage", &[0, 0x3e]), Data::F32(vec![1.5]));
    assert_eq!(read("BFloat16Storage", &[0xc0, 0x3f]), Data::F32(vec![1.5]));
    assert_eq!(
        read("DoubleStorage", &0.1f64.to_le_bytes()),
        Data::F32(vec![0.1])
    );
    assert_eq!(read("BoolStorage", &[1]), Data::Bool(vec![true]));
    assert_eq!(
        read("IntStorage", &(-3i32).to_le_bytes()),
        Data::I64(vec![-3])
    );
    assert_eq!(
        read("LongStorage", &(-3i64).to_le_bytes()),
        Data::I64(vec![-3])
    );
    assert_eq!(read("ByteStorage", &[200]), Data::I64(vec![200]));
}

#[test]
fn params_ema_come_before_params_and_module_is_stripped() {
    let scalar = |p: &mut Pickle, offset| p.tensor(FLOATS, offset, &[], &[]);
    let value = |keys: &[&str]| {
        let bytes = pth(|p| {
            p.0.extend([opcode::EMPTY_DICT, opcode::MARK]);
            for (i, key) in keys.iter().enumerate() {
                p.text(key);
                dict(p, "module.conv.weight", |p| scalar(p, i));
            }
            p.0.push(opcode::SETITEMS);
        });
        parse(&bytes).unwrap().arrays["conv.weight"].data.clone()
    };
    assert_eq!(value(&["params", "params_ema"]), Data::F32(vec![1.0]));
    assert_eq!(value(&["other", "params"]), Data::F32(vec![1.0]));
    assert_eq!(
        value(&["epoch", "optimizer", "state_dict"]),
        Data::F32(vec![2.0])
    );
    let bare = pth(|p| dict(p, "module.conv.weight", |p| scalar(p, 3)));
    assert_eq!(
        parse(&bare).unwrap(),
        state([("conv.weight", floats(&[], &[3.0]))])
    );
}

#[test]
fn pickles_of_newer_protocols_with_attributes_are_read() {
    // Protocol 4: a frame, a memoised text, a STACK_GLOBAL; then a BUILD as of `_metadata`.
    let mut pickle = vec![opcode::PROTO, 4, opcode::FRAME, 0, 0, 0, 0, 0, 0, 0, 0];
    for text in ["collections", "OrderedDict"] {
        pickle.extend([opcode::SHORT_BINUNICODE, text.len() as u8]);
        pickle.extend(text.as_bytes());
        pickle.push(opcode::MEMOIZE);
    }
    pickle.extend([
        opcode::STACK_GLOBAL,
        opcode::EMPTY_TUPLE,
        opcode::REDUCE,
        opcode::MEMOIZE,
    ]);
    pickle.extend([opcode::SHORT_BINUNICODE, 1, b'w']);
    let mut rest = Pickle(pickle);
    rest.tensor(FLOATS, 1, &[2], &[1]);
    rest.0.extend([
        opcode::SETITEM,
        opcode::EMPTY_DICT,
        opcode::BUILD,
        opcode::BINGET,
        2,
        opcode::STOP,
    ]);
    let storage = (0..4).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let bytes = pth_write::archive(&rest.0, [storage]).unwrap();
    assert_eq!(
        parse(&bytes).unwrap(),
        state([("w", floats(&[2], &[1.0, 2.0]))])
    );
}
