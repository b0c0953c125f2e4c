//! The dictionary that a network asks for, wherever a file has it.

use super::*;

/// The value of `w` that a network with `w` and `b` finds.
fn found(bytes: &[u8]) -> Result<f32, Problem> {
    let file = super::super::parse(bytes)?;
    let wanted = ["w", "b"].map(str::to_owned);
    let prefix = file.prefix_for(&wanted)?;
    let state = file.arrays(&prefix, wanted.iter().map(String::as_str))?;
    match (&state.arrays["w"].data, state.arrays.len()) {
        (Data::F32(values), 2) => Ok(values[0]),
        other => panic!("{other:?}"),
    }
}

/// Pushes `{prefix w: value, prefix b: value}`.
fn network(pickle: &mut Pickle, prefix: &str, value: usize) {
    pickle.0.extend([opcode::EMPTY_DICT, opcode::MARK]);
    for name in ["w", "b"] {
        pickle.text(&format!("{prefix}{name}"));
        pickle.tensor(FLOATS, value, &[1], &[1]);
    }
    pickle.0.push(opcode::SETITEMS);
}

#[test]
fn a_network_is_found_behind_any_key_and_prefix() {
    for key in [
        "state_dict",
        "model",
        "net_g",
        "params-ema",
        "weights",
        "any thing",
    ] {
        for prefix in [
            "",
            "module.",
            "_orig_mod.",
            "model.net_g.",
            "module._orig_mod.x.",
        ] {
            let one = pth(|p| dict(p, key, |p| network(p, prefix, 3)));
            assert_eq!(found(&one).unwrap(), 3.0, "{key} {prefix}");
            let deep = pth(|p| dict(p, "a", |p| dict(p, key, |p| network(p, prefix, 2))));
            assert_eq!(found(&deep).unwrap(), 2.0, "{key} {prefix}");
            let arrays =
                ["w", "b"].map(|name| (format!("{key}.{prefix}{name}"), floats(&[1], &[5.0])));
            let flat = StateDict {
                arrays: arrays.into(),
                ..Default::default()
            };
            let flat = safetensors::to_bytes(&flat, Precision::F32).unwrap();
            assert_eq!(found(&flat).unwrap(), 5.0, "{key} {prefix}");
        }
    }
    assert_eq!(found(&pth(|p| network(p, "", 1))).unwrap(), 1.0);
    let in_list = pth(|p| {
        dict(p, "models", |p| {
            p.0.extend([opcode::EMPTY_LIST, opcode::MARK, opcode::NONE]);
            network(p, "", 1);
            p.0.push(opcode::APPENDS);
        });
    });
    assert_eq!(found(&in_list).unwrap(), 1.0);
}

#[test]
fn of_two_that_fit_the_averaged_one_is_taken_and_of_unequal_ones_the_whole() {
    let two = |keys: [&str; 2]| {
        pth(|p| {
            p.0.extend([opcode::EMPTY_DICT, opcode::MARK]);
            for (value, key) in keys.iter().enumerate() {
                p.text(key);
                network(p, "", value);
            }
            p.0.push(opcode::SETITEMS);
        })
    };
    assert_eq!(found(&two(["params", "params_ema"])).unwrap(), 1.0);
    assert_eq!(found(&two(["params-ema", "params"])).unwrap(), 0.0);
    assert_eq!(found(&two(["ema", "state_dict"])).unwrap(), 0.0);
    assert_eq!(found(&two(["schema_long", "model"])).unwrap(), 1.0);
    assert_eq!(found(&two(["exp_avg", "net"])).unwrap(), 1.0);
    let part = pth(|p| {
        network(p, "net_g.", 2);
        for name in ["ema.w", "loss.vgg.weight"] {
            p.text(name);
            p.tensor(FLOATS, 3, &[1], &[1]);
            p.0.push(opcode::SETITEM);
        }
    });
    assert_eq!(found(&part).unwrap(), 2.0);
}

/// As Lightning saves: the network among counters, an optimiser, objects of classes.
fn lightning(p: &mut Pickle) {
    p.0.extend([opcode::EMPTY_DICT, opcode::MARK]);
    p.text("epoch");
    p.0.extend([opcode::BININT1, 3]);
    p.text("hyper_parameters");
    p.global("argparse", "Namespace");
    p.0.extend([
        opcode::EMPTY_TUPLE,
        opcode::NEWOBJ,
        opcode::EMPTY_DICT,
        opcode::BUILD,
    ]);
    p.text("when");
    p.global("datetime", "datetime");
    p.0.extend([
        opcode::SHORT_BINBYTES,
        2,
        7,
        7,
        opcode::TUPLE1,
        opcode::REDUCE,
    ]);
    p.text("best");
    p.global("numpy.core.multiarray", "scalar");
    p.0.extend([
        opcode::NONE,
        opcode::SHORT_BINBYTES,
        1,
        0,
        opcode::TUPLE2,
        opcode::REDUCE,
    ]);
    p.text("seen");
    p.0.extend([
        opcode::EMPTY_SET,
        opcode::MARK,
        opcode::NONE,
        opcode::ADDITEMS,
    ]);
    p.text("optimizer_states");
    p.0.extend([opcode::EMPTY_LIST]);
    dict(p, "state", |p| {
        p.0.extend([opcode::EMPTY_DICT, opcode::BININT1, 0]);
        dict(p, "exp_avg", |p| p.tensor(FLOATS, 0, &[1], &[1]));
        p.0.push(opcode::SETITEM);
    });
    p.0.push(opcode::APPEND);
    p.text("state_dict");
    network(p, "net_g.", 2);
    p.0.push(opcode::SETITEMS);
}

#[test]
fn a_training_checkpoint_gives_its_network_and_nothing_in_it_is_run() {
    assert_eq!(found(&pth(lightning)).unwrap(), 2.0);
    let largest = parse(&pth(lightning)).unwrap();
    assert_eq!(
        largest.arrays.keys().collect::<Vec<_>>(),
        ["net_g.b", "net_g.w"]
    );
}

#[test]
fn a_file_without_the_network_is_called_what_it_is() {
    let says = |bytes: &[u8], what: &str| {
        let error = found(bytes).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    };
    let adam = pth(|p| {
        dict(p, "state", |p| {
            dict(p, "exp_avg", |p| p.tensor(FLOATS, 0, &[1], &[1]))
        });
    });
    says(&adam, "state of an optimiser");
    assert!(parse(&adam).unwrap_err().to_string().contains("optimiser"));
    let other = pth(|p| {
        dict(p, "params", |p| {
            dict(p, "0.weight", |p| p.tensor(FLOATS, 0, &[1], &[1]))
        })
    });
    says(&other, "another network, such as `params.0.weight`");
    let whole = pth(|p| {
        p.global("basicsr.archs", "Net");
        p.0.extend([
            opcode::EMPTY_TUPLE,
            opcode::NEWOBJ,
            opcode::EMPTY_DICT,
            opcode::BUILD,
        ]);
    });
    says(&whole, "`basicsr.archs.Net`");
}

#[test]
fn an_array_of_an_odd_type_is_passed_over_unless_it_is_asked_for() {
    for kind in [
        "ComplexFloatStorage",
        "QInt8Storage",
        "Float8_e4m3fnStorage",
    ] {
        let odd = |name: &str| {
            pth(|p| {
                network(p, "", 1);
                p.text(name);
                p.tensor((kind, "0", 2), 0, &[1], &[1]);
                p.0.push(opcode::SETITEM);
            })
        };
        assert_eq!(found(&odd("extra")).unwrap(), 1.0);
        let needed = pth(|p| {
            p.0.extend([opcode::EMPTY_DICT, opcode::MARK]);
            p.text("w");
            p.tensor((kind, "0", 2), 0, &[1], &[1]);
            p.text("b");
            p.tensor(FLOATS, 0, &[1], &[1]);
            p.0.push(opcode::SETITEMS);
        });
        let error = found(&needed).unwrap_err().to_string();
        assert!(error.contains("`w`") && error.contains(kind), "{error}");
    }
}

#[test]
fn the_format_from_before_version_1_6_is_read() {
    let arrays: [(&str, &[usize], &[f32]); 2] = [
        ("module.w", &[2, 2], &[1.0, 2.0, 3.0, 4.0]),
        ("module.b", &[], &[0.5]),
    ];
    let wanted = state([
        ("w", floats(&[2, 2], &[1.0, 2.0, 3.0, 4.0])),
        ("b", floats(&[], &[0.5])),
    ]);
    for part in [false, true] {
        let bytes = old_torch::file(&arrays, part);
        assert_eq!(parse(&bytes).unwrap(), wanted);
        assert_eq!(found(&bytes).unwrap(), 1.0);
        for length in 0..bytes.len() {
            assert!(parse(&bytes[..length]).is_err(), "{length}");
        }
    }
}

#[test]
fn a_name_of_nothing_but_wrappers_takes_no_time() {
    let name = "module.".repeat(1 << 20);
    let flat = state([(name.as_str(), floats(&[1], &[1.0]))]);
    let flat = safetensors::to_bytes(&flat, Precision::F32).unwrap();
    assert_eq!(parse(&flat).unwrap().arrays.len(), 1);
    assert!(found(&flat).is_err());
}
