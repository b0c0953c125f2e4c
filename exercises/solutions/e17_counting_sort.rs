/// The order of tokens by their owner: first those of centre 0, then those of centre 1, and so on; those of
/// one centre as they were (the sort is stable).
pub fn counting_sort(owner: &[usize], centres: usize) -> Vec<usize> {
    let mut next = vec![0; centres + 1];
    owner.iter().for_each(|&m| next[m + 1] += 1); // how many tokens the centre before has
    (0..centres).for_each(|m| next[m + 1] += next[m]); // where each centre's tokens begin
    let mut order = vec![0; owner.len()];
    for (token, &m) in owner.iter().enumerate() {
        order[next[m]] = token;
        next[m] += 1;
    }
    order
}
