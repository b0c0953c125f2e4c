/// The tokens of a square window, row by row. Pixel (y, x) of a map `width` pixels wide is token y·width + x.
/// `corner` is the row and column of the window's first pixel.
pub fn window(corner: [usize; 2], side: usize, width: usize) -> Vec<usize> {
    let [top, left] = corner;
    let place = |i: usize| {
        let (y, x) = (top + i / side, left + i % side);
        y * width + x
    };
    (0..side * side).map(place).collect()
}
