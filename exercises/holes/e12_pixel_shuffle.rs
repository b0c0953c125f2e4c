/// Where a pixel shuffle takes an output's number from.
///
/// The output is `[H·r, W·r, C]`, the input `[H, W, C·r²]`: channel c·r² + i·r + j of an input's pixel becomes
/// channel c of row i, column j of the r×r pixels that take its place. `at` is `[y, x, c]` in the output; the
/// result is the place in the input.
pub fn source(at: [usize; 3], r: usize) -> [usize; 3] {
    let [y, x, c] = at;
    // Fill in: the pixel is right; the channel also depends on where in its r×r pixels the output's pixel is.
    [y / r, x / r, c]
}
