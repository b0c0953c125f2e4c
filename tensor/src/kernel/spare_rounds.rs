//! Loops that a software driver shall unroll.
//!
//! Kernels keep their sums in private arrays, and those are registers only where the loops over them
//! are unrolled. A compiler that looks for an array as long as the loop has rounds, but counts one
//! round too few, finds none (which one does so: `moves_loop_tests` in `target.rs`). A round to spare,
//! in which nothing is done, makes up for it; unrolled, it is gone.

/// The source with a round to spare in every loop `for (var i = 0u; i < N; i++)`, N being made of
/// numbers and of constants, whose names are in capitals. A loop that shall stay one is left alone if
/// it counts by `i += 1u`.
pub(crate) fn with_spare_rounds(source: &str) -> String {
    let mut spared = String::with_capacity(source.len() * 5 / 4);
    let mut open = Vec::new(); // for every brace that is open: whether it needs another to close
    for line in source.lines() {
        let (mut code, comment) = line.split_at(line.find("//").unwrap_or(line.len()));
        while let Some(at) = code.find(['{', '}']) {
            let (head, rest) = code.split_at(at + 1);
            spared += &head[..at];
            if head.ends_with('{') {
                let spare = head[..at].rfind("for (").and_then(|start| {
                    let (name, rounds) = counted(&head[start..at])?;
                    spared.truncate(spared.len() - (at - start));
                    spared += &format!("for (var {name} = 0u; {name} < {rounds} + 1u; {name}++) ");
                    Some(format!("{{ if {name} < {rounds} {{"))
                });
                open.push(spare.is_some());
                spared += spare.as_deref().unwrap_or("{");
            } else {
                spared += if open.pop() == Some(true) { "}}" } else { "}" };
            }
            code = rest;
        }
        spared += code;
        spared += comment;
        spared.push('\n');
    }
    spared
}

/// i and N of `for (var i = 0u; i < N; i++) `, N constant.
fn counted(head: &str) -> Option<(&str, &str)> {
    let (name, rest) = head.strip_prefix("for (var ")?.split_once(" = 0u; ")?;
    let (rounds, rest) = rest
        .strip_prefix(name)?
        .strip_prefix(" < ")?
        .split_once("; ")?;
    rest.strip_prefix(name).filter(|&r| r == "++) ")?;
    let constant = |word: &str| {
        let number = word.strip_suffix('u').unwrap_or(word);
        !word.contains(|c: char| c.is_ascii_lowercase()) || number.parse::<u32>().is_ok()
    };
    let words = rounds.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'));
    words.into_iter().all(constant).then_some((name, rounds))
}

#[cfg(test)]
mod tests {
    use super::with_spare_rounds;

    #[test]
    fn a_loop_of_constant_length_gets_a_round_to_spare() {
        assert_eq!(
            with_spare_rounds("for (var r = 0u; r < ROWS + 2u; r++) { sum += a[r]; } // {\n"),
            "for (var r = 0u; r < ROWS + 2u + 1u; r++) { if r < ROWS + 2u { sum += a[r]; }} // {\n"
        );
    }

    #[test]
    fn each_of_nested_loops_is_closed_where_it_ends() {
        let source = "\
fn f() {
    for (var r = 0u; r < R; r++) {
        for (var e = 0u; e < 8u; e++) { if e > r { a[r] = e; } }
    }
}
";
        let spared = "\
fn f() {
    for (var r = 0u; r < R + 1u; r++) { if r < R {
        for (var e = 0u; e < 8u + 1u; e++) { if e < 8u { if e > r { a[r] = e; } }}
    }}
}
";
        assert_eq!(with_spare_rounds(source), spared);
    }

    #[test]
    fn other_loops_are_left_alone() {
        for head in [
            "for (var c = 0u; c < STEPS; c += 1u)",   // shall stay a loop
            "for (var j = 0u; j < p.keys; j++)",      // its rounds are known when it runs
            "for (var j = 0u; j < rounds; j++)",      //
            "for (var r = 1u; r < ROWS; r++)",        // begins elsewhere
            "for (var b = 0u; b < BLOCK; b += STEP)", // has other steps
        ] {
            let source = format!("{head} {{ a[0] = 1u; }}\n");
            assert_eq!(with_spare_rounds(&source), source);
        }
    }
}
