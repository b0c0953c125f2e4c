//! Convolutions.

use super::vectors::{Constants, largest_divisor, tuned, vec_width};
use crate::kernel::target::{Class, Target};
use crate::kernel::team::{Team, WG};

/// conv3x3: ROWS × COLS pixels, OUTS output channels a lane.
pub(crate) struct Conv3x3 {
    pub team: Team,
    pub constants: Constants,
    tile: [usize; 3],
}

impl Conv3x3 {
    /// Teams for an output `[B, H, W, Co]`.
    pub fn teams(&self, [b, h, w, co]: [usize; 4]) -> usize {
        let [rows, cols, outs] = self.tile;
        b * h.div_ceil(rows) * w.div_ceil(cols) * co.div_ceil(outs * self.team.lanes)
    }
}

/// A software driver pays for loads: there the tile is as large as fits an instruction cache, and 40
/// output channels, of which the network's are multiples, make a team, or 16 where there are 16 lanes
/// (8×16 pixels 2.0 ms, 8×8 2.4 ms; 16×16 1.8 ms, but 3.1 s to compile).
/// Safe: 144 registers, 5 waves of 16, 512 of 1750 instructions are multiply-adds; it spills on three
/// of nine compilers tried.
pub(crate) fn conv3x3(target: &Target, co: usize) -> Option<Conv3x3> {
    let target = tuned(target)?;
    let alone = |wg| Team { lanes: 1, wg };
    let lanes = target.lanes;
    let each = 40usize.div_ceil(lanes);
    let (tile, team) = match (target.class, co) {
        (Class::Software, ..=4) => ([8, 4, 3], alone(8)),
        (Class::Software, _) if lanes >= 16 => ([8, 16, 1], Team { lanes, wg: lanes }),
        (Class::Software, _) if lanes > 1 => ([8, 16, each], Team { lanes, wg: lanes }),
        (Class::Software, _) => ([8, 8, 8], alone(8)),
        (_, ..=4) => ([2, 4, 3], Team::ALONE),
        _ => ([2, 4, 8], Team::ALONE),
    };
    let [rows, cols, outs] = tile;
    Some(Conv3x3 {
        team,
        constants: vec![("ROWS", rows), ("COLS", cols), ("OUTS", outs)],
        tile,
    })
}

/// conv3x3 where weights are scalars, `tuned/conv3x3_scalar`: COLS pixels of a row, OUTS4 fours of output
/// channels.
pub(crate) struct Conv3x3Scalar {
    pub constants: Constants,
    /// Numbers in a vector of input channels.
    pub vec: usize,
    /// Output channels with those that fill up the last four.
    pub outs: usize,
    pub cols: usize,
    /// Tiles of output channels.
    pub out_tiles: usize,
}

/// GPU, 40 to 40 channels: 84 registers and 9 waves (6 on RDNA 2), 1152 of 1433 instructions of the loop are
/// multiply-adds; [`conv3x3`]'s safe row has 252, 3 waves, 512 of 1025. 8 pixels × 4 outputs: 120
/// registers, 75 %; 2 × 20: 82 %, but half of the pixels for a load of weights.
pub(crate) fn conv3x3_scalar(target: &Target, ci: usize, co: usize) -> Option<Conv3x3Scalar> {
    if tuned(target)?.class != Class::Gpu {
        return None;
    }
    let (vec, co4, cols) = (vec_width(target, ci), co.div_ceil(4), 4);
    let outs4 = largest_divisor(co4, 2);
    Some(Conv3x3Scalar {
        constants: vec![("VEC", vec), ("COLS", cols), ("OUTS4", outs4), ("CO4", co4)],
        vec,
        outs: 4 * co4,
        cols,
        out_tiles: co4 / outs4,
    })
}

/// conv3x3_backward_w: INS × OUTS channels a lane, STEP pixels at a time.
pub(crate) struct Conv3x3BackwardW {
    pub team: Team,
    pub constants: Constants,
    channels: [usize; 2],
}

impl Conv3x3BackwardW {
    /// Teams for so many chunks of rows, each for the three rows of taps.
    pub fn teams(&self, chunks: usize, ci: usize, co: usize) -> usize {
        let [ins, outs] = self.channels.map(|n| n * self.team.lanes);
        chunks * 3 * ci.div_ceil(ins) * co.div_ceil(outs)
    }
}

/// Sums share a step's loads; its pixels share what a round costs every sum, a mask. The code of a step
/// has room for more of one: of sums where loads are dear (8.7 ms
/// instead of 9.8 with Mesa 22.3), else of pixels (5.6 ms instead of 9.8 with Mesa 25; both eight lanes).
/// Safe: 84 registers, only 4-byte loads.
pub(crate) fn conv3x3_backward_w(
    target: &Target,
    ci: usize,
    co: usize,
) -> Option<Conv3x3BackwardW> {
    let target = tuned(target)?;
    let lanes = target.lanes;
    let software = target.class == Class::Software;
    let each = 40usize.div_ceil(lanes);
    let few = |n: usize, wide| if n <= 4 { 3 } else { wide };
    let (ins, outs, step, team) = if software && lanes > 1 && ci.min(co) > 4 {
        let team = Team { lanes, wg: lanes };
        match target.uniform_bytes {
            _ if lanes >= 16 => (1, each, 4, team),
            Some(_) => (each, each, 1, team),
            None => (each, each.min(3), 4, team),
        }
    } else if software {
        (few(ci, 10), few(co, 10), 2, Team { lanes: 1, wg: 8 })
    } else {
        (few(ci, 4), few(co, 4), 4, Team::ALONE)
    };
    Some(Conv3x3BackwardW {
        team,
        constants: vec![("INS", ins), ("OUTS", outs), ("STEP", step)],
        channels: [ins, outs],
    })
}

/// Whether conv3x3_backward_w takes four inputs by four outputs, `tuned/conv3x3_backward_w_fours`.
/// GPU: 84 registers, 9 waves, 48 of 86 instructions of the loop are multiply-adds (safe: 120, 6 waves, 192
/// of 388).
pub(crate) fn conv3x3_backward_w_by_fours(target: &Target, ci: usize, co: usize) -> bool {
    let by_fours = ci.is_multiple_of(4) && co.is_multiple_of(4);
    tuned(target).is_some_and(|target| target.class == Class::Gpu) && by_fours
}

/// depthwise5x5 and its weights' gradient: a strip of ROWS × COLS pixels, VEC channels.
pub(crate) struct Strip {
    pub wg: usize,
    pub constants: Constants,
    pub rows: usize,
    pub cols: usize,
    pub vec: usize,
}

impl Strip {
    /// Strips of images `[B, H, W, ..]`.
    pub fn count(&self, b: usize, h: usize, w: usize) -> usize {
        b * h.div_ceil(self.rows) * w.div_ceil(self.cols)
    }
}

/// On a software driver four channels at a time take half of the time of one (0.63 to 0.72 ms instead of
/// 0.83 to 1.5), in strips of 4 or 8
/// columns alike; with 16 columns the weight gradient's registers no longer fit.
/// Safe: 84 to 120 registers, only 4-byte loads.
pub(crate) fn depthwise5x5(target: &Target, channels: usize) -> Option<Strip> {
    let target = tuned(target)?;
    let wg = target.lanes.max(8);
    let (rows, cols, vec, wg) = match target.class {
        Class::Software if channels.is_multiple_of(4) => (64, 4, 4, wg),
        Class::Software => (64, 16, 1, wg),
        _ => (16, 4, 1, WG),
    };
    Some(Strip {
        wg,
        constants: vec![("ROWS", rows), ("COLS", cols), ("VEC", vec)],
        rows,
        cols,
        vec,
    })
}
