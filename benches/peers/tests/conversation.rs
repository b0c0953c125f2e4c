//! Our side of the comparison still works, with whatever has changed in the library.

use std::io::Write;
use std::process::{Command, Stdio};

/// What our contestant says of a work: when ready, to `run` and to `peak`.
fn converse(work: &str) -> Vec<String> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_peers"))
        .args(["contestant", "ours", work])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was built");
    let mut questions = child.stdin.take().expect("it was asked for");
    let _ = questions.write_all(b"run\npeak\n"); // who takes no questions may be gone
    drop(questions); // the end of the conversation
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8(output.stdout).expect("it speaks UTF-8");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn every_kind_of_work_is_set_up_run_and_weighed() {
    for work in [
        r#"{"kind":"forward","scale":2,"height":28,"width":32}"#,
        r#"{"kind":"train","scale":2,"batch":1,"side":28}"#,
        r#"{"kind":"linear","rows":64,"inputs":40,"outputs":96,"bias":true}"#,
        r#"{"kind":"conv3x3","side":8,"inputs":40,"outputs":40}"#,
        r#"{"kind":"depthwise5x5","side":8,"channels":96}"#,
        r#"{"kind":"layer_norm","rows":64,"channels":40}"#,
        r#"{"kind":"attention","windows":2,"tokens":64,"heads":4,"dk":9,"dv":10}"#,
    ] {
        let answers = converse(work);
        let [ready, seconds, bytes] = &answers[..] else {
            panic!("{work}: {answers:?}")
        };
        assert!(ready.starts_with(r#"{"ready":"#), "{work}: {ready}");
        assert!(seconds.starts_with(r#"{"seconds":"#), "{work}: {seconds}");
        assert!(bytes.starts_with(r#"{"bytes":"#), "{work}: {bytes}");
    }
}

#[test]
fn a_start_is_over_with_its_first_result() {
    let answers = converse(r#"{"kind":"start","scale":2,"side":28,"cold":false}"#);
    assert_eq!(answers.len(), 1);
    assert!(answers[0].starts_with(r#"{"ready":"#), "{answers:?}");
}

#[test]
fn a_work_that_cannot_be_done_is_answered_with_the_reason() {
    let answers = converse(r#"{"kind":"forward","scale":5,"height":28,"width":28}"#);
    assert_eq!(answers.len(), 1);
    assert!(answers[0].contains("there is no scale 5"), "{answers:?}");
}
