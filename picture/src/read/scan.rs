//! Whether a JPEG's compressed data is all there.
//!
//! Decoders fill what is missing with gray and say nothing. So the codes are walked here, without making
//! pixels of them: every scan has to hold as many blocks as the picture has, and to end where they end.
//! (ITU-T T.81, annexes F.2 and G.2; arithmetic coding and lossless are not walked, and not decoded either.)

use std::ops::Range;

use super::huffman::{Bits, End, Huffman};

/// What is wrong with a scan.
pub struct Broken {
    pub what: String,
    /// The part of the picture that is there, 0 to 1.
    pub there: f64,
}

/// A component of the picture: how its blocks lie, and what is known of them.
pub struct Component {
    pub id: u8,
    pub sampling: [usize; 2], // across, down
    blocks_across: usize,
    nonzero: Vec<u64>, // a bit for each coefficient of each block; progressive pictures only
    precision: [Option<u8>; 64], // the lowest bit that has come of each coefficient
}

/// The frame that scans belong to.
pub struct Frame {
    pub size: [usize; 2], // width, height
    pub progressive: bool,
    pub components: Vec<Component>,
}

impl Frame {
    /// From the content of a start-of-frame segment; None where it makes no sense, or claims more than
    /// `max_bytes` pixels.
    pub fn parse(segment: &[u8], progressive: bool, max_bytes: u64) -> Option<Frame> {
        let (&[8, h1, h0, w1, w0, count], rest) = segment.split_first_chunk::<6>()? else {
            return None; // 12 bits, say
        };
        let side = |high, low| usize::from(u16::from_be_bytes([high, low]));
        let size = [side(w1, w0), side(h1, h0)];
        let parts = rest.chunks_exact(3).take(usize::from(count));
        let mut components: Vec<Component> = parts
            .map(|part| Component {
                id: part[0],
                sampling: [part[1] >> 4, part[1] & 15].map(usize::from),
                blocks_across: 0,
                nonzero: Vec::new(),
                precision: [None; 64],
            })
            .collect();
        let sane = |c: &Component| c.sampling.iter().all(|s| (1..=4).contains(s));
        let pixels = size[0] as u64 * size[1] as u64;
        if pixels == 0
            || pixels > max_bytes
            || !(1..=4).contains(&components.len())
            || !components.iter().all(sane)
        {
            return None;
        }
        let mut frame = Frame {
            size,
            progressive,
            components: Vec::new(),
        };
        let most = [0, 1].map(|axis| {
            components
                .iter()
                .map(|c| c.sampling[axis])
                .max()
                .unwrap_or(1)
        });
        let units = [0, 1].map(|axis| size[axis].div_ceil(8 * most[axis]));
        for component in &mut components {
            let [across, down] = [0, 1].map(|axis| units[axis] * component.sampling[axis]);
            component.blocks_across = across;
            if progressive {
                component.nonzero = vec![0; across * down];
            }
        }
        frame.components = components;
        Some(frame)
    }

    fn most(&self) -> [usize; 2] {
        [0, 1].map(|axis| {
            self.components
                .iter()
                .map(|c| c.sampling[axis])
                .max()
                .unwrap_or(1)
        })
    }

    /// What no scan has brought, if anything.
    pub fn lacks(&self) -> Option<&'static str> {
        let all = |coefficients: Range<usize>, bit: fn(u8) -> bool| {
            let mut components = self.components.iter();
            components.all(|c| {
                c.precision[coefficients.clone()]
                    .iter()
                    .all(|p| p.is_some_and(bit))
            })
        };
        match () {
            () if !all(0..1, |_| true) => Some("a colour is missing"),
            () if !all(0..64, |bit| bit == 0) => Some("its last scans are missing"),
            () => None,
        }
    }
}

/// The tables that a scan may name: DC and AC, four each.
#[derive(Default)]
pub struct Tables {
    pub huffman: [[Option<Huffman>; 4]; 2],
    pub restart: usize,
}

/// The range of coefficients that a scan brings, and of bits.
struct Spectrum {
    first: usize,
    last: usize,
    high: u8,
    low: u8,
}

/// Bytes that may be left over at the end of a scan: encoders pad.
const SLACK: usize = 16;

/// Walks one scan. `header` is the content of its segment, `data` what follows up to the next marker that
/// is no restart marker.
pub fn walk(frame: &mut Frame, tables: &Tables, header: &[u8], data: &[u8]) -> Result<(), Broken> {
    let broken = |what: &str, there| Broken {
        what: what.to_owned(),
        there,
    };
    let senseless = || broken("a scan's header makes no sense", 0.0);
    let (members, spectrum) = parse(frame, header).ok_or_else(senseless)?;
    let most = frame.most();
    let alone = members.len() == 1;
    let extent = match alone {
        true => [0, 1].map(|axis| {
            let sampling = frame.components[members[0].0].sampling[axis];
            (frame.size[axis] * sampling)
                .div_ceil(most[axis])
                .div_ceil(8)
        }),
        false => [0, 1].map(|axis| frame.size[axis].div_ceil(8 * most[axis])),
    };
    let units = extent[0] * extent[1];
    let mut bits = Bits::new(data);
    let mut skipped = 0; // blocks of a run that has no more coefficients
    for unit in 0..units {
        let there = unit as f64 / units as f64;
        if tables.restart > 0 && unit > 0 && unit % tables.restart == 0 {
            let number = unit / tables.restart - 1;
            bits.restart(number)
                .map_err(|End(what)| broken(what, there))?;
            skipped = 0;
        }
        let (x, y) = (unit % extent[0], unit / extent[0]);
        for &(index, dc, ac) in &members {
            let component = &mut frame.components[index];
            let [across, down] = if alone { [1, 1] } else { component.sampling };
            for k in 0..across * down {
                let at =
                    (y * down + k / across) * component.blocks_across + x * across + k % across;
                let table = |class: usize, id: usize| {
                    tables.huffman[class].get(id).and_then(Option::as_ref)
                };
                let codes = [table(0, dc), table(1, ac)];
                let mut none = 0;
                let nonzero = component.nonzero.get_mut(at).unwrap_or(&mut none);
                block(
                    &mut bits,
                    codes,
                    frame.progressive,
                    &spectrum,
                    nonzero,
                    &mut skipped,
                )
                .map_err(|End(what)| broken(what, there))?;
            }
        }
    }
    if bits.left() > SLACK {
        return Err(broken("its data is corrupt", 1.0));
    }
    for (index, ..) in members {
        for bit in &mut frame.components[index].precision[spectrum.first..=spectrum.last] {
            *bit = Some(spectrum.low);
        }
    }
    Ok(())
}

/// The components that a scan holds, with the numbers of their tables; and what it brings of them.
#[allow(clippy::type_complexity)]
fn parse(frame: &Frame, header: &[u8]) -> Option<(Vec<(usize, usize, usize)>, Spectrum)> {
    let (&count, rest) = header.split_first()?;
    let count = usize::from(count);
    let (selectors, end) = rest.split_at_checked(2 * count)?;
    let &[first, last, bits, ..] = end else {
        return None;
    };
    let member = |pair: &[u8]| {
        let index = frame.components.iter().position(|c| c.id == pair[0])?;
        Some((index, usize::from(pair[1] >> 4), usize::from(pair[1] & 15)))
    };
    let members: Vec<_> = selectors
        .chunks_exact(2)
        .map(member)
        .collect::<Option<_>>()?;
    let spectrum = match frame.progressive {
        true => Spectrum {
            first: first.into(),
            last: last.into(),
            high: bits >> 4,
            low: bits & 15,
        },
        false => Spectrum {
            first: 0,
            last: 63,
            high: 0,
            low: 0,
        },
    };
    let sane = spectrum.first <= spectrum.last
        && spectrum.last < 64
        && !members.is_empty()
        && (members.len() == 1 || spectrum.first == 0);
    sane.then_some((members, spectrum))
}

fn block(
    bits: &mut Bits,
    [dc, ac]: [Option<&Huffman>; 2],
    progressive: bool,
    spectrum: &Spectrum,
    nonzero: &mut u64,
    skipped: &mut u32,
) -> Result<(), End> {
    let missing = || End("a table is missing");
    let mut first = spectrum.first;
    if first == 0 {
        if spectrum.high > 0 {
            bits.bits(1)?;
        } else {
            let size = bits.code(dc.ok_or_else(missing)?)?;
            bits.bits(u32::from(size.min(16)))?;
        }
        first = 1;
        if progressive {
            return Ok(());
        }
    }
    let ac = ac.ok_or_else(missing)?;
    match spectrum.high {
        0 => coefficients(
            bits,
            ac,
            first,
            spectrum.last,
            nonzero,
            skipped,
            progressive,
        ),
        _ => refinement(bits, ac, first, spectrum.last, nonzero, skipped),
    }
}

/// The first bits of coefficients other than the first.
fn coefficients(
    bits: &mut Bits,
    table: &Huffman,
    first: usize,
    last: usize,
    nonzero: &mut u64,
    skipped: &mut u32,
    progressive: bool,
) -> Result<(), End> {
    if *skipped > 0 {
        *skipped -= 1;
        return Ok(());
    }
    let mut k = first;
    while k <= last {
        let code = bits.code(table)?;
        let (run, size) = (usize::from(code >> 4), u32::from(code & 15));
        match (run, size) {
            (15, 0) => k += 16,
            (0, 0) => return Ok(()),
            (run, 0) if progressive => {
                *skipped = (1 << run) - 1 + bits.bits(run as u32)?;
                return Ok(());
            }
            (_, 0) => return Err(End("its data is corrupt")),
            (run, size) => {
                k += run;
                if k > last {
                    return Err(End("its data is corrupt"));
                }
                bits.bits(size)?;
                *nonzero |= 1 << k;
                k += 1;
            }
        }
    }
    Ok(())
}

/// One more bit of coefficients that are known, and new ones between them.
fn refinement(
    bits: &mut Bits,
    table: &Huffman,
    first: usize,
    last: usize,
    nonzero: &mut u64,
    skipped: &mut u32,
) -> Result<(), End> {
    let mut k = first;
    if *skipped == 0 {
        while k <= last {
            let code = bits.code(table)?;
            let (mut run, size) = (code >> 4, code & 15);
            match size {
                0 if run < 15 => {
                    *skipped = (1 << run) + bits.bits(run.into())?;
                    break;
                }
                0 => {}
                1 => drop(bits.bits(1)?),
                _ => return Err(End("its data is corrupt")),
            }
            while k <= last {
                let known = *nonzero >> k & 1 == 1;
                if known {
                    bits.bits(1)?;
                } else if run == 0 {
                    *nonzero |= u64::from(size) << k;
                    k += 1;
                    break;
                } else {
                    run -= 1;
                }
                k += 1;
            }
        }
    }
    if *skipped > 0 {
        let rest = (k..=last).filter(|k| *nonzero >> k & 1 == 1).count();
        for _ in 0..rest {
            bits.bits(1)?;
        }
        *skipped -= 1;
    }
    Ok(())
}
