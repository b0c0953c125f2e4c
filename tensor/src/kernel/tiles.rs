//! Every tile of every tuned kernel, for every class of device: the one table to tune.
//!
//! A tile is what one invocation, or a team of them, makes. Each function is the row of one kernel and
//! gives None where its plain form is to run: everywhere in plain mode, and for sizes that the tuned
//! form does not take. The last arm of each `match` is the safe row: what nobody has measured takes
//! it, GPUs of all makers among them as yet. Beside a row stands what it was chosen by: times of a
//! software driver on two cores, or what a GPU's own compiler says of one invocation (registers,
//! and the waves that fit at once, of 16, on RDNA3; no GPU has run them).

use crate::Kernels;
use crate::kernel::target::{Class, Target};
use crate::kernel::team::{Team, WG};

type Constants = Vec<(&'static str, usize)>;

/// Whether tuned kernels run at all.
fn tuned(target: &Target) -> Option<&Target> {
    (target.kernels == Kernels::Tuned).then_some(target)
}

/// Numbers that an invocation of a kernel bound by memory loads at once, for rows of so many channels.
/// Four cost little more than one.
pub(crate) fn vec_width(target: &Target, channels: usize) -> usize {
    match tuned(target) {
        Some(_) if channels.is_multiple_of(4) => 4,
        _ => 1,
    }
}

/// Numbers that an invocation takes of a row of `vecs` vectors that it gathers. A software driver loads
/// lane by lane anyway: there it takes whole rows, in parts of few enough to be registers, and reads
/// the index once. On a GPU neighbours write neighbours.
pub(crate) fn gather_part(target: &Target, vecs: usize) -> usize {
    match (target.kernels, target.class) {
        (Kernels::Tuned, Class::Software) => largest_divisor(vecs, 12),
        _ => 1,
    }
}

fn largest_divisor(n: usize, most: usize) -> usize {
    (1..=most).rev().find(|&d| n.is_multiple_of(d)).unwrap_or(1)
}

/// linear: R rows × OUTS columns, INS4 fours of Ci at a time in each of CHUNKS chunks.
pub(crate) struct Linear {
    pub team: Team,
    pub constants: Constants,
    rows: usize,
    columns: usize,
}

impl Linear {
    /// Tiles along the rows, and columns of tiles.
    pub fn tiles(&self, rows: usize, outputs: usize) -> [usize; 2] {
        let per_team = self.rows * self.team.lanes;
        [rows.div_ceil(per_team), outputs / self.columns]
    }
}

/// On a software driver four rows are enough, as the weights' loads are shared by the lanes, and
/// as many columns as make it load the rows once or twice. A sum that stays where it is for 48 of Ci is
/// worth more there than rows in registers: those go to the stack, and come from it with the product
/// (about 0.7 of a product's
/// time of the form that takes 8 of Ci at a time, with Mesa 25; 1.0 to 1.2 with 22.3).
/// Safe: 96 registers, 256 of 547 instructions are multiply-adds.
pub(crate) fn linear(target: &Target, outputs: usize, inputs: usize) -> Option<Linear> {
    let target = tuned(target)?;
    if !(outputs.is_multiple_of(4) && inputs.is_multiple_of(4)) {
        return None;
    }
    let (rows, most_columns, most_fours, team) = match target.class {
        Class::Software => (4, 48, 12, Team::vector(target)),
        _ => (4, 8, 2, Team::ALONE),
    };
    let divides = |c: &usize| outputs.is_multiple_of(*c);
    let columns = (4..=most_columns).rev().step_by(4).find(divides);
    let columns = columns.unwrap_or(4);
    let fours = inputs / 4;
    let chunks = fours.div_ceil(most_fours);
    let constants = vec![
        ("CI4", fours),
        ("INS4", fours.div_ceil(chunks)),
        ("CHUNKS", chunks),
        ("CO4", outputs / 4),
        ("R", rows),
        ("OUTS", columns),
    ];
    Some(Linear {
        team,
        constants,
        rows,
        columns,
    })
}

/// linear_backward_w: OUTS columns of dy × INS4 fours of x, which divide Ci.
pub(crate) struct LinearBackwardW {
    pub team: Team,
    pub constants: Constants,
    pub column_tiles: usize,
    /// Tiles of one chunk.
    pub tiles: usize,
}

/// A software driver's caches hold the sums of a tile of 48 times 48 and the loop that adds to them,
/// unrolled. Safe: 8×8.
pub(crate) fn linear_backward_w(
    target: &Target,
    outputs: usize,
    inputs: usize,
) -> Option<LinearBackwardW> {
    let target = tuned(target)?;
    if !(outputs.is_multiple_of(4) && inputs.is_multiple_of(4)) {
        return None;
    }
    let (columns, most_fours, team) = match target.class {
        Class::Software => ((48 / target.lanes).min(32), 12, Team::vector(target)),
        _ => (8, 2, Team::ALONE),
    };
    let column_tiles = outputs.div_ceil(columns * team.lanes);
    let fours = largest_divisor(inputs / 4, most_fours);
    let columns = outputs.div_ceil(column_tiles * team.lanes);
    Some(LinearBackwardW {
        team,
        constants: vec![("OUTS", columns), ("INS4", fours)],
        column_tiles,
        tiles: column_tiles * (inputs / 4 / fours),
    })
}

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

/// layer_norm and its gradient: rows for each invocation, and the invocations of a workgroup.
#[derive(Clone, Copy)]
pub(crate) struct NormRows {
    pub rows: usize,
    pub wg: usize,
}

impl NormRows {
    /// Rows of which the plain gradient adds up the sums.
    pub const PLAIN: NormRows = NormRows { rows: 8, wg: WG };
}

/// Two rows share the loads of weight and bias on a software driver: as fast as four, and compiled in 1.2 s
/// instead of 4.5 (Mesa 25).
pub(crate) fn layer_norm(target: &Target) -> Option<NormRows> {
    let (rows, wg) = match tuned(target)?.class {
        Class::Software => (2, target.lanes.max(8)),
        _ => (1, WG),
    };
    Some(NormRows { rows, wg })
}

/// Rows whose sums for weight and bias an invocation adds up. Safe: 192 registers, and it spills on
/// three of nine compilers tried.
pub(crate) fn layer_norm_backward(target: &Target) -> Option<NormRows> {
    let (rows, wg) = match tuned(target)?.class {
        Class::Software => (4, target.lanes.max(8)),
        _ => (8, WG),
    };
    Some(NormRows { rows, wg })
}

/// attention and its gradients: R slots of a list in each invocation, BLOCK keys (or queries) a step.
#[derive(Clone, Copy)]
pub(crate) struct Attention {
    pub team: Team,
    rows: usize,
    block: usize,
}

impl Attention {
    /// Tiles of one list of so many slots.
    pub fn tiles(&self, slots: usize) -> usize {
        slots.div_ceil(self.rows * self.team.lanes)
    }

    pub fn constants(&self) -> [(&'static str, usize); 2] {
        [("R", self.rows), ("BLOCK", self.block)]
    }

    /// One invocation for each row or slot, which packs it.
    pub const PACK: Attention = Attention {
        team: Team::ALONE,
        rows: 1,
        block: 1,
    };
}

/// What a kernel of attention holds and walks over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Walk {
    /// Queries, over the keys.
    Keys,
    /// Keys, over the queries.
    Queries,
}

/// For lists of this many slots. On a software driver a step's loads, about as dear as three
/// rows of it, are shared by the rows of a tile, few of which shall be beyond the list's end. All loops
/// unrolled, a step shall fit an instruction cache of 32 KiB: at most eight rows, or five (four where
/// keys are held) with twice as many keys a step. A block's scores and a row's sums are in registers:
/// sixteen with eight lanes, 32 with sixteen.
/// Safe: 108 registers, 7 waves of 16; keys are loaded by every invocation.
pub(crate) fn attention(target: &Target, slots: usize, walk: Walk) -> Option<Attention> {
    let target = tuned(target)?;
    let lanes = target.lanes;
    let block = (lanes / 2).max(4);
    let most = match (block > 4, walk) {
        (false, _) => 8,
        (true, Walk::Keys) => 5,
        (true, Walk::Queries) => 4,
    };
    let cost = |rows: &usize| slots.div_ceil(rows * lanes) * (rows + 3);
    let (rows, team) = match target.class {
        Class::Software => {
            let rows = (1..=most).rev().min_by_key(cost);
            (rows.unwrap_or(1), Team::vector(target))
        }
        _ => (1, Team::ALONE),
    };
    Some(Attention { team, rows, block })
}

/// nearest_centre: R tokens in each invocation, BLOCK centres a step, channels in blocks of CB.
pub(crate) struct NearestCentre {
    pub team: Team,
    pub constants: Constants,
    rows: usize,
}

impl NearestCentre {
    /// Teams for so many tokens: those of whole workgroups.
    pub fn teams(&self, tokens: usize) -> usize {
        let Team { lanes, wg } = self.team;
        tokens.div_ceil(self.rows * wg) * (wg / lanes)
    }
}

/// Blocks of at most 20 channels keep every loop short enough to be unrolled (2.5 times as fast). 8 tokens
/// instead of 4 at eight lanes: 3.7 to 3.0 ms with Mesa 22.3, 2.1 to 1.4 with 25. One centre a step where
/// lanes do not share loads.
pub(crate) fn nearest_centre(target: &Target, channels: usize) -> Option<NearestCentre> {
    let target = tuned(target)?;
    let lanes = target.lanes;
    let channel_block = largest_divisor(channels, 20);
    let shared = (channels / channel_block).is_multiple_of(lanes.div_ceil(8));
    let rows = if lanes == 8 { 8 } else { 4 };
    let (rows, step, team) = match target.class {
        Class::Software if shared => (rows, 8, Team::vector(target)),
        Class::Software => (rows, lanes.max(8), Team::vector(target)),
        _ => (1, 1, Team::ALONE),
    };
    let constants = vec![
        ("C", channels),
        ("CB", channel_block),
        ("R", rows),
        ("BLOCK", step),
    ];
    Some(NearestCentre {
        team,
        constants,
        rows,
    })
}

/// counting_sort: tokens among which one invocation counts. Short enough for many such chunks, long enough
/// for few counts.
pub(crate) const SORT_CHUNK: usize = 256;

/// counting_sort: a lane for each owner of a chunk, and for each position in it.
pub(crate) fn counting_sort(target: &Target) -> Option<Team> {
    let lanes = tuned(target)?.lanes;
    Some(Team { lanes, wg: WG })
}
