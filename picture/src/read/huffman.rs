//! The codes of a JPEG's compressed data (ITU-T T.81, annexes C and F.2.2).

/// A Huffman table.
#[derive(Clone)]
pub struct Huffman {
    /// By the next eight bits: length and value of a code of at most eight.
    short: Vec<(u8, u8)>,
    /// For each length, the first code behind those of it, and what to add to a code for its value.
    ends: [(u32, i32); 17],
    values: Vec<u8>,
}

impl Huffman {
    /// From 16 counts and the values; None where there are more codes than bits allow.
    pub fn new(counts: &[u8; 16], values: &[u8]) -> Option<Huffman> {
        let mut table = Huffman {
            short: vec![(0, 0); 256],
            ends: [(0, 0); 17],
            values: values.to_vec(),
        };
        let (mut code, mut index) = (0u32, 0usize);
        for length in 1..=16usize {
            let count = usize::from(counts[length - 1]);
            table.ends[length].1 = index as i32 - code as i32;
            for _ in 0..count {
                let value = *values.get(index)?;
                if length <= 8 {
                    let first = (code as usize) << (8 - length);
                    let slots = table.short.get_mut(first..first + (1 << (8 - length)))?;
                    slots.fill((length as u8, value));
                }
                code += 1;
                index += 1;
            }
            if code > 1 << length {
                return None;
            }
            table.ends[length].0 = code;
            code <<= 1;
        }
        Some(table)
    }
}

/// The bits between two markers, with the stuffed zeros taken out.
pub struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    held: u32,
    count: u32,
}

/// No more bits, or a code that there is not.
pub struct End(pub &'static str);

impl<'a> Bits<'a> {
    pub fn new(bytes: &'a [u8]) -> Bits<'a> {
        Bits {
            bytes,
            at: 0,
            held: 0,
            count: 0,
        }
    }

    /// Takes bytes in until there are 16 bits at least, or no more bytes.
    fn fill(&mut self) {
        while self.count <= 16
            && let Some(&byte) = self.bytes.get(self.at)
        {
            let next = self.bytes.get(self.at + 1);
            if byte == 0xff && next != Some(&0) {
                return; // a restart marker
            }
            self.at += if byte == 0xff { 2 } else { 1 };
            self.held = self.held << 8 | u32::from(byte);
            self.count += 8;
        }
    }

    /// The next bits, as a number.
    pub fn bits(&mut self, count: u32) -> Result<u32, End> {
        if count == 0 {
            return Ok(0);
        }
        if self.count < count {
            self.fill();
        }
        if self.count < count {
            return Err(End("its data ends too soon"));
        }
        self.count -= count;
        Ok(self.held >> self.count & ((1 << count) - 1))
    }

    /// The value of the next code.
    pub fn code(&mut self, table: &Huffman) -> Result<u8, End> {
        if self.count < 16 {
            self.fill();
        }
        if self.count >= 8 {
            let (length, value) = table.short[(self.held >> (self.count - 8) & 0xff) as usize];
            if length > 0 {
                self.count -= u32::from(length);
                return Ok(value);
            }
        }
        let mut code = 0;
        for length in 1..=16 {
            code = code << 1 | self.bits(1)?;
            let (end, offset) = table.ends[length];
            if code < end {
                let index = usize::try_from(code as i32 + offset).ok();
                let value = index.and_then(|i| table.values.get(i));
                return value.copied().ok_or(End("its data is corrupt"));
            }
        }
        Err(End("its data is corrupt"))
    }

    /// Goes behind the restart marker that has to come here.
    pub fn restart(&mut self, number: usize) -> Result<(), End> {
        (self.held, self.count) = (0, 0);
        while self.bytes.get(self.at) == Some(&0xff) && self.bytes.get(self.at + 1) == Some(&0xff) {
            self.at += 1;
        }
        match self.bytes.get(self.at..self.at + 2) {
            Some(&[0xff, marker]) if marker == 0xd0 + (number % 8) as u8 => {
                self.at += 2;
                Ok(())
            }
            _ => Err(End("a part of its data is missing")),
        }
    }

    /// Bytes that are left over.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at + self.count as usize / 8
    }
}
