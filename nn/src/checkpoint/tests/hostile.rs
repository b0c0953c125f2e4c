//! Files that are cut off, damaged or lie: each gives an error, never a panic, never a flood.

use super::*;

#[track_caller]
fn error(bytes: &[u8]) -> String {
    parse(bytes).unwrap_err().to_string()
}

#[track_caller]
fn assert_says(error: &str, parts: &[&str]) {
    assert!(parts.iter().all(|part| error.contains(part)), "{error}");
}

/// xorshift64*
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as usize % n
    }
}

#[test]
fn a_file_cut_off_anywhere_is_an_error() {
    let pth = pth_write::to_bytes(&sample()).unwrap();
    let safetensors = safetensors::to_bytes(&sample(), Precision::F32).unwrap();
    for whole in [pth, safetensors] {
        assert!(parse(&whole).is_ok());
        for length in 0..whole.len() {
            assert!(
                parse(&whole[..length]).is_err(),
                "{length} of {}",
                whole.len()
            );
        }
    }
}

#[test]
fn flipped_pickles_never_panic() {
    // Without the zip, whose checksums would catch nearly every flip.
    let mut pickle = Pickle::new();
    dict(&mut pickle, "params", |p| {
        p.0.extend([opcode::EMPTY_DICT, opcode::BINPUT, 0]);
        p.text("w");
        p.tensor(FLOATS, 0, &[2, 2], &[2, 1]);
        p.0.extend([opcode::SETITEM, opcode::MARK]);
        p.0.extend([
            opcode::NONE,
            opcode::TUPLE,
            opcode::BUILD,
            opcode::BINGET,
            0,
        ]);
        p.0.extend([opcode::EMPTY_LIST, opcode::BUILD, opcode::BUILD]);
    });
    pickle.0.push(opcode::STOP);
    let storage: Vec<u8> = (0..4).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let mut random = Random(1);
    let mut read = 0;
    for _ in 0..20_000 {
        let mut program = pickle.0.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(program.len());
            program[at] = if random.below(2) == 0 {
                random.below(256) as u8
            } else {
                pickle.0[random.below(pickle.0.len())] // more often an instruction
            };
        }
        let _ = pickle::unpickle(&program);
        let bytes = pth_write::archive(&program, [storage.clone()]).unwrap();
        read += usize::from(parse(&bytes).is_ok());
    }
    assert!(read > 0, "flips in names do no harm, so some must be read");
}

#[test]
fn a_forbidden_global_is_named_and_not_run() {
    for program in [
        &b"cos\nsystem\nX\x04\x00\x00\x00exit\x85R."[..],
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
    ] {
        let bytes = pth_write::archive(program, []).unwrap();
        assert_says(&error(&bytes), &["`os.system`", "not run", "torch.save"]);
        // Beside weights it does no harm.
        let mut beside = Pickle::new();
        dict(&mut beside, "params", |p| {
            dict(p, "w", |p| p.tensor(FLOATS, 0, &[1], &[1]))
        });
        beside.text("hook");
        beside.0.extend(&program[..program.len() - 1]);
        beside.0.extend([opcode::SETITEM, opcode::STOP]);
        let bytes = pth_write::archive(&beside.0, [vec![0; 16]]).unwrap();
        assert_eq!(parse(&bytes).unwrap(), state([("w", floats(&[1], &[0.0]))]));
    }
    // The function that rebuilds tensors must get what torch gives it, and nothing else is called.
    let called = pth(|p| {
        p.global("torch", "FloatStorage");
        p.0.extend([opcode::EMPTY_TUPLE, opcode::REDUCE]);
    });
    assert!(parse(&called).is_err());
}

#[test]
fn views_outside_their_storage_are_refused_by_name() {
    let huge = usize::MAX >> 1;
    for (offset, shape, strides) in [
        (4, &[][..], &[][..]),
        (0, &[5], &[1]),
        (1, &[4], &[1]),
        (0, &[2, 2], &[3, 1]),
        (huge, &[2], &[1]),
        (1, &[2], &[huge]),
        (0, &[2], &[1, 1]),
        (0, &[2, 2], &[1]),
    ] {
        let what = view(offset, shape, strides).unwrap_err().to_string();
        assert_says(&what, &["`w`", "outside its storage"]);
    }
}

#[test]
fn shapes_that_claim_more_than_the_file_holds_are_refused_before_anything_is_allocated() {
    let claims: [(&[usize], &[usize]); 4] = [
        (&[1 << 40], &[0]),                   // one element, repeated
        (&[1 << 32, 1 << 32], &[0, 0]),       // a product beyond usize
        (&[1 << 40, 1 << 40, 0], &[0, 0, 0]), // the same, though empty
        (&[usize::MAX >> 1], &[1]),
    ];
    for (shape, strides) in claims {
        assert_says(
            &view(0, shape, strides).unwrap_err().to_string(),
            &["claim more elements"],
        );
    }
    // Many small names for one storage add up as well.
    let shared = pth_with(vec![0; 1 << 16], |p| {
        p.0.extend([opcode::EMPTY_DICT, opcode::MARK]);
        p.text("0");
        p.tensor(("BoolStorage", "0", 1 << 16), 0, &[1 << 16], &[1]);
        p.0.extend([opcode::BINPUT, 0]);
        for name in 1..100 {
            p.text(&name.to_string());
            p.0.extend([opcode::BINGET, 0]);
        }
        p.0.push(opcode::SETITEMS);
    });
    assert_says(&error(&shared), &["claim more elements"]);
}

#[test]
fn a_storage_of_another_length_than_described_is_refused_by_name() {
    let bytes = pth(|p| {
        dict(p, "w", |p| {
            p.tensor(("FloatStorage", "0", 3), 0, &[2], &[1])
        })
    });
    assert_says(&error(&bytes), &["`w`", "16 bytes"]);
    let bytes = pth(|p| {
        dict(p, "w", |p| {
            p.tensor(("FloatStorage", "../0", 4), 0, &[2], &[1])
        })
    });
    assert_says(&error(&bytes), &["lacks `archive/data/../0`"]);
}

#[test]
fn a_name_that_occurs_twice_is_refused() {
    let twice = |names: [&str; 2]| {
        error(&pth(|p| {
            p.0.extend([opcode::EMPTY_DICT, opcode::MARK]);
            for name in names {
                p.text(name);
                p.tensor(FLOATS, 0, &[1], &[1]);
            }
            p.0.push(opcode::SETITEMS);
        }))
    };
    assert_says(&twice(["conv.bias", "conv.bias"]), &["`conv.bias` twice"]);
}

#[test]
fn what_stands_beside_arrays_is_passed_over_and_a_file_without_any_says_so() {
    let bytes = pth(|p| {
        dict(p, "epoch", |p| p.text("7"));
        p.text("w");
        p.tensor(FLOATS, 0, &[1], &[1]);
        p.0.push(opcode::SETITEM);
    });
    assert_eq!(parse(&bytes).unwrap(), state([("w", floats(&[1], &[0.0]))]));
    let bare = [
        pth(|p| p.text("weights")),
        pth(|p| p.0.push(opcode::EMPTY_DICT)),
        pth(|p| dict(p, "epoch", |p| p.text("7"))),
        pth(|p| {
            // A dictionary in itself.
            p.0.extend([opcode::EMPTY_DICT, opcode::BINPUT, 0]);
            p.text("a");
            p.0.extend([opcode::BINGET, 0, opcode::SETITEM]);
        }),
    ];
    for bytes in bare {
        assert_says(&error(&bytes), &["no arrays"]);
    }
}

#[test]
fn nesting_however_deep_overflows_no_stack() {
    let bytes = pth(|p| {
        p.0.push(opcode::EMPTY_TUPLE);
        p.0.resize(1 << 20, opcode::TUPLE1);
    });
    assert!(parse(&bytes).is_err());
    let marks = pth(|p| p.0.resize(1 << 20, opcode::MARK));
    assert!(parse(&marks).is_err());
    let long = pth(|p| p.0.resize(5 << 20, opcode::NONE));
    assert_says(&error(&long), &["longer than 4 MB"]);
}

/// Position in the central directory of the header of the entry whose name ends so.
fn central_header(bytes: &[u8], name_end: &str) -> usize {
    let name = bytes
        .windows(name_end.len())
        .rposition(|w| w == name_end.as_bytes())
        .unwrap();
    bytes[..name]
        .windows(4)
        .rposition(|w| w == b"PK\x01\x02")
        .unwrap()
}

#[test]
fn a_lying_zip_is_refused() {
    let two = state([
        ("a", floats(&[2], &[1.0, 2.0])),
        ("b", floats(&[2], &[3.0, 4.0])),
    ]);
    let honest = pth_write::to_bytes(&two).unwrap();
    let lie = |name: &str, field: usize, value: &[u8]| {
        let mut bytes = honest.clone();
        let at = central_header(&bytes, name) + field;
        bytes[at..at + value.len()].copy_from_slice(value);
        error(&bytes)
    };
    assert_says(&lie("data/1", 10, &[8]), &["compressed"]);
    assert_says(&lie("data/1", 20, &[7]), &["data/1"]); // stored size
    assert_says(&lie("data/1", 24, &[9]), &["data/1"]); // size
    assert_says(&lie("data/1", 20, &[9, 0, 0, 0, 9]), &["two entries"]); // both
    assert_says(
        &lie(
            "data/1",
            20,
            &[0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f],
        ),
        &["zip"],
    );
    assert_says(&lie("data/1", 16, &[0; 4]), &["data/1"]); // checksum
    let start = central_header(&honest, "data/0") + 42;
    let first = honest[start..start + 4].to_vec();
    assert_says(&lie("data/1", 42, &first), &["two entries"]); // place
    let name = central_header(&honest, "data/1") + 46 + "archive/data/".len();
    assert_says(
        &lie("data/1", name - central_header(&honest, "data/1"), b"0"),
        &["two entries"],
    );
}

#[test]
fn a_zip_that_is_no_checkpoint_is_refused() {
    let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    zip.start_file("readme.txt", zip::write::SimpleFileOptions::default())
        .unwrap();
    let bytes = zip.finish().unwrap().into_inner();
    assert_says(&error(&bytes), &["torch.save"]);
}

fn safetensors_of(header: &str, data: &[u8]) -> Vec<u8> {
    [
        &(header.len() as u64).to_le_bytes(),
        header.as_bytes(),
        data,
    ]
    .concat()
}

#[test]
fn a_lying_safetensors_header_is_refused() {
    let info = |dtype: &str, shape: &str, start: u64, end: u64| {
        format!(r#"{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{start},{end}]}}"#)
    };
    let f32 = |start, end| info("F32", "[1]", start, end);
    assert!(
        parse(&safetensors_of(
            &format!(r#"{{"a":{}}}"#, f32(0, 4)),
            &[0; 4]
        ))
        .is_ok()
    );
    let mut lies = vec![
        format!(r#"{{"a":{}}}"#, f32(4, 8)),                   // a gap
        format!(r#"{{"a":{},"b":{}}}"#, f32(0, 4), f32(0, 4)), // an overlap
        format!(r#"{{"a":{},"a":{}}}"#, f32(0, 4), f32(4, 8)), // a name twice
        format!(r#"{{"a":{}}}"#, f32(0, 1 << 40)),
        format!(r#"{{"a":{}}}"#, info("F32", "[2]", 0, 4)), // shape against offsets
        format!(
            r#"{{"a":{}}}"#,
            info("F32", "[4611686018427387904,4]", 0, 0)
        ), // overflow
        format!(
            r#"{{"a":{},"b":{}}}"#,
            info("F32", "[0,4611686018427387904,4]", 0, 0),
            info("F32", "[2]", 0, 8)
        ),
        format!(r#"{{"a":{}}}"#, info("F32", "[-1]", 0, 4)),
        format!(r#"{{"a":{}}}"#, info("F33", "[1]", 0, 4)),
        "{".into(),
        "{\"a\":".to_owned() + &"[".repeat(100_000),
    ];
    // Arrays whose lengths add up to the whole address space, less than the header's length.
    let (each, end) = ((1u64 << 61) - 1, |i: u64| i * ((1 << 61) - 1));
    let all: Vec<_> = (0..8)
        .map(|i| {
            format!(
                r#""{i}":{}"#,
                info("U8", &format!("[{each}]"), end(i), end(i + 1))
            )
        })
        .collect();
    lies.push(format!("{{{}}}", all.join(",")));
    let once = info("F32", "[2]", 0, 8);
    lies.push(format!(r#"{{"a":{once},"\u0061":{once}}}"#)); // the same twice, all consistent
    for lie in lies {
        assert_says(&error(&safetensors_of(&lie, &[0; 8])), &["header"]);
    }
    let complex = format!(r#"{{"conv.bias":{}}}"#, info("C64", "[1]", 0, 8));
    assert_says(
        &error(&safetensors_of(&complex, &[0; 8])),
        &["`conv.bias`", "C64", "F32"],
    );
}

#[test]
fn every_error_names_the_file_and_what_to_do() {
    let folder = tempdir().unwrap();
    for (name, content, advice) in [
        ("empty.pth", &b""[..], "download"),
        (
            "old.pth",
            b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.",
            "download",
        ),
        ("bare.pkl", b"\x80\x04}.", "torch.save"),
        (
            "page.pth",
            b"<!DOCTYPE html><title>Not found</title>",
            "web page",
        ),
        ("cut.pth", b"PK\x03\x04", "download"),
        ("cut.safetensors", b"\x09\0\0\0\0\0\0\0{", "download"),
    ] {
        fs::write(folder.path().join(name), content).unwrap();
        assert_says(
            &load(folder.path().join(name)).unwrap_err().to_string(),
            &[name, advice],
        );
    }
    let missing = load(folder.path().join("missing.pth"))
        .unwrap_err()
        .to_string();
    assert_says(
        &missing,
        &["missing.pth", "cannot be read", "check the path"],
    );
    let directory = load(folder.path()).unwrap_err().to_string();
    assert_says(
        &directory,
        &[&folder.path().to_string_lossy(), "not a file"],
    );
}

#[test]
fn control_characters_of_a_name_do_not_reach_the_terminal() {
    let bytes = pth(|p| dict(p, "a\x1b[2Jb", |p| p.tensor(FLOATS, 9, &[], &[])));
    let what = error(&bytes);
    assert!(what.contains("[2Jb") && !what.contains('\x1b'), "{what}");
}
