/// The tokens of a square window, row by row. Pixel (y, x) of a map `width` pixels wide is token y·width + x.
/// `corner` is the row and column of the window's first pixel.
pub fn window(corner: [usize; 2], side: usize, width: usize) -> Vec<usize> {
    let [top, left] = corner;
    let place = |i: usize| {
        // Fill in: the window's pixel i is in its row i / side. These are side² tokens in one line.
        top * width + left + i
    };
    (0..side * side).map(place).collect()
}
