use super::super::compare::{difference, numbers};
use super::super::{Exercise, Side, Verdict};

#[path = "../holes/e17_counting_sort.rs"]
mod hole;
#[path = "../solutions/e17_counting_sort.rs"]
mod solution;

pub const EXERCISE: Exercise = Exercise {
    file: "e17_counting_sort.rs",
    chapter: 10,
    stars: 3,
    task: "a stable counting sort of tokens by their centre",
    check,
};

fn check(side: Side) -> anyhow::Result<Verdict> {
    let sort: fn(&[usize], usize) -> Vec<usize> =
        side.of(hole::counting_sort, solution::counting_sort);
    for (tokens, centres) in [(8, 3), (100, 16), (3, 9)] {
        let of = |x: &f32| ((x + 1.0) / 2.0 * centres as f32) as usize;
        let owner: Vec<usize> = numbers(11, tokens).iter().map(of).collect();
        // The standard library's sort_by_key is stable, too.
        let mut expected: Vec<usize> = (0..tokens).collect();
        expected.sort_by_key(|&t| owner[t]);
        let [found, expected] = [sort(&owner, centres), expected]
            .map(|o| o.iter().map(|&t| t as f64).collect::<Vec<_>>());
        let what =
            format!("the order of {tokens} tokens of {centres} centres, owners {owner:?}, at");
        if let Some(wrong) = difference(&what, &found, &expected, 0.0) {
            let hint = "Go over the tokens from the first to the last. next[m] is where the next token of centre m \
                        goes.";
            return Ok(Verdict::Wrong(format!("{wrong}\n{hint}")));
        }
    }
    Ok(Verdict::Right)
}
