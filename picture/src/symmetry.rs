//! The eight symmetries of the square: how pictures are turned and mirrored.

/// One of the eight symmetries of the square: flips first, then the transpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Symmetry {
    /// Left and right change places.
    pub flip_x: bool,
    /// Top and bottom change places.
    pub flip_y: bool,
    /// Then rows become columns.
    pub transpose: bool,
}

impl Symmetry {
    /// All eight, the identity first.
    pub const ALL: [Self; 8] = {
        let mut all = [Self {
            flip_x: false,
            flip_y: false,
            transpose: false,
        }; 8];
        let mut i = 0;
        while i < 8 {
            all[i] = Self {
                flip_x: i & 1 != 0,
                flip_y: i & 2 != 0,
                transpose: i & 4 != 0,
            };
            i += 1;
        }
        all
    };

    /// The symmetry that undoes this one: a flip seen from behind the transpose is along the other axis.
    pub fn inverse(self) -> Self {
        if self.transpose {
            Self {
                flip_x: self.flip_y,
                flip_y: self.flip_x,
                transpose: true,
            }
        } else {
            self
        }
    }

    /// (height, width) of what [`apply`](Self::apply) returns.
    pub fn size(self, height: usize, width: usize) -> (usize, usize) {
        if self.transpose {
            (width, height)
        } else {
            (height, width)
        }
    }

    /// `pixels` `[height, width, channels]` flipped and transposed, of the size that [`size`](Self::size) tells.
    ///
    /// # Panics
    /// When `pixels` has another length.
    #[track_caller]
    pub fn apply<T: Copy>(
        self,
        pixels: &[T],
        height: usize,
        width: usize,
        channels: usize,
    ) -> Vec<T> {
        assert_eq!(
            pixels.len(),
            height * width * channels,
            "Symmetry::apply: not [{height}, {width}, {channels}]"
        );
        let (rows, columns) = self.size(height, width);
        let mut out = Vec::with_capacity(pixels.len());
        for row in 0..rows {
            for column in 0..columns {
                let (y, x) = if self.transpose {
                    (column, row)
                } else {
                    (row, column)
                };
                let y = if self.flip_y { height - 1 - y } else { y };
                let x = if self.flip_x { width - 1 - x } else { x };
                out.extend_from_slice(&pixels[(y * width + x) * channels..][..channels]);
            }
        }
        out
    }
}
