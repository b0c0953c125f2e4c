/// What the tape notes of a number: its inputs, by their places on the tape, and its derivative by each.
pub type Note = Vec<(usize, f64)>;

/// The gradients of the last number on the tape by all of them.
pub fn gradients(tape: &[Note]) -> Vec<f64> {
    let mut gradients = vec![0.0; tape.len()];
    gradients[tape.len() - 1] = 1.0;
    // From the last place to the first: a number's gradient is whole once all that use it have been visited.
    for place in (0..tape.len()).rev() {
        for &(input, derivative) in &tape[place] {
            gradients[input] += gradients[place] * derivative; // one share for each use
        }
    }
    gradients
}
