//! Machine code as drivers print it, counted: instructions, multiply-adds, loads by width, and the loop that
//! does the multiply-adds.

use std::collections::HashMap;
use std::ops::AddAssign;

/// How a driver prints machine code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// AMD's, by Mesa's ACO: `v_fmac_f32_e32 v3, s17, v5`, labels `BB3:`.
    Aco,
    /// NVIDIA's, by Mesa's NAK: `r43 = ffma.ftz r34 r44 r43`, labels `block 1 L0 [0] -> {`.
    Nak,
    /// Adreno's, by Mesa's ir3: `(nop1) mad.f32 r0.y, r4.y, r0.y, r0.x`, labels `l44:`.
    Ir3,
}

impl Dialect {
    /// The dialect of a text by its name, if it is machine code.
    pub fn of(name: &str) -> Option<Dialect> {
        match name {
            "Assembly" => Some(Dialect::Aco),
            "NAK assembly" => Some(Dialect::Nak),
            "IR3 Assembly" => Some(Dialect::Ir3),
            _ => None,
        }
    }
}

/// What some code consists of.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Count {
    /// Instructions without hints and waits; one that does two things at once counts twice.
    pub instructions: f64,
    /// Multiply-adds among them.
    pub fma: f64,
    /// What they take of the vector units: as instructions, but those of AMD's scalar unit, which run
    /// beside them, do not count, and two at once count once.
    pub slots: f64,
    /// Vector loads from buffers, of 32, 64, 96 and 128 bits.
    pub loads: [f64; 4],
    /// Loads that a whole subgroup shares, or that come from constant memory.
    pub scalar: f64,
    /// Loads from workgroup memory.
    pub shared: f64,
    /// Bytes of vector loads, from buffers and workgroup memory.
    pub bytes: f64,
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        self.instructions += other.instructions;
        self.fma += other.fma;
        self.slots += other.slots;
        for (sum, n) in self.loads.iter_mut().zip(other.loads) {
            *sum += n;
        }
        self.scalar += other.scalar;
        self.shared += other.shared;
        self.bytes += other.bytes;
    }
}

/// A kernel's code: the part that does most of its multiply-adds, and the rest.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Code {
    /// A loop without those inside of it; all of the code that is in no loop, if most are there.
    pub hot: Count,
    pub hot_is_loop: bool,
    pub rest: Count,
}

impl Code {
    /// All of it.
    pub fn all(&self) -> Count {
        let mut all = self.hot;
        all += self.rest;
        all
    }
}

enum Line {
    Label(String),
    Code(Count, Option<String>), // and where it may jump to
}

/// Counts a text.
pub fn count(text: &str, dialect: Dialect) -> Code {
    let read = match dialect {
        Dialect::Aco => aco,
        Dialect::Nak => nak,
        Dialect::Ir3 => ir3,
    };
    let lines: Vec<Line> = text.lines().filter_map(read).collect();
    let mut labels = HashMap::new();
    let mut loops: HashMap<usize, usize> = HashMap::new(); // head to the last line that jumps to it
    for (at, line) in lines.iter().enumerate() {
        match line {
            Line::Label(name) => drop(labels.insert(name.clone(), at)),
            // Only what stands above is known yet: a jump back.
            Line::Code(_, Some(to)) => {
                if let Some(&head) = labels.get(to) {
                    loops.insert(head, at);
                }
            }
            Line::Code(..) => {}
        }
    }
    // The parts: code in no loop under None, each loop's own under its head.
    let mut parts: HashMap<Option<usize>, Count> = HashMap::new();
    for (at, line) in lines.iter().enumerate() {
        if let Line::Code(count, _) = line {
            let around = loops
                .iter()
                .filter(|&(&head, &end)| (head..=end).contains(&at));
            let innermost = around.map(|(&head, _)| head).max();
            *parts.entry(innermost).or_default() += *count;
        }
    }
    let most = parts.iter().max_by(|a, b| {
        let fma = a.1.fma.total_cmp(&b.1.fma);
        fma.then(b.0.cmp(a.0)) // what is in no loop, then the first
    });
    let hot_part = most.and_then(|(part, _)| *part);
    let mut code = Code {
        hot_is_loop: hot_part.is_some(),
        ..Code::default()
    };
    for (part, count) in parts {
        match part == hot_part {
            true => code.hot += count,
            false => code.rest += count,
        }
    }
    code
}

/// A load of so many bits.
fn load(bits: u32) -> Count {
    let mut count = Count {
        bytes: f64::from(bits) / 8.0,
        ..Count::default()
    };
    count.loads[(bits.div_ceil(32).clamp(1, 4) - 1) as usize] = 1.0;
    count
}

fn aco(line: &str) -> Option<Line> {
    let line = line.split(';').next().unwrap_or_default();
    if let Some(label) = line.trim().strip_suffix(':') {
        return Some(Line::Label(label.to_owned()));
    }
    let mut count = Count::default();
    let mut jump = None;
    for half in line.split("::") {
        let mut words = half.split_whitespace();
        let name = words.next()?;
        let hint = ["s_delay_alu", "s_wait", "s_clause", "s_nop", "s_code_end"];
        if hint.iter().any(|hint| name.starts_with(hint)) {
            return None;
        }
        if name.contains("branch") {
            jump = words.next().map(str::to_owned);
        }
        let mut one = Count::default();
        let is_load = name.contains("_load_") || name.contains("_read");
        if name.starts_with("s_buffer_load") {
            one.scalar = 1.0;
        } else if name.starts_with("ds_") && is_load {
            one.bytes = load(aco_bits(name)).bytes;
            one.shared = 1.0;
        } else if is_load
            && ["buffer_", "global_", "flat_"]
                .iter()
                .any(|p| name.starts_with(p))
        {
            one = load(aco_bits(name));
        }
        let fma = ["fma", "v_mad_f", "v_mac_f", "v_dot"];
        one.fma = match fma.iter().any(|fma| name.contains(fma)) {
            true if name.starts_with("v_pk_") => 2.0,
            true => 1.0,
            false => 0.0,
        };
        one.instructions = 1.0;
        count += one;
        if !name.starts_with("s_") {
            count.slots = 1.0;
        }
    }
    Some(Line::Code(count, jump))
}

/// `buffer_load_b128`, or `buffer_load_dwordx4` before RDNA3.
fn aco_bits(name: &str) -> u32 {
    let number = |prefix| {
        let rest = &name[name.rfind(prefix)? + str::len(prefix)..];
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().ok()
    };
    number("dwordx")
        .map(|n| 32 * n)
        .or_else(|| number("_b"))
        .unwrap_or(32)
}

fn nak(line: &str) -> Option<Line> {
    let line = line.split("//").next()?.trim();
    if line.starts_with("block") {
        return line
            .split_whitespace()
            .nth(2)
            .map(|l| Line::Label(l.to_owned()));
    }
    let line = line
        .split_once(" = ")
        .map_or(line, |(_, right)| right)
        .trim();
    let mut words = line
        .split_whitespace()
        .filter(|word| !word.starts_with('@'));
    let name = words.next()?;
    if name.starts_with('}') || !name.starts_with(|c: char| c.is_ascii_lowercase()) || name == "nop"
    {
        return None;
    }
    let bits = name
        .rsplit_once(".b")
        .and_then(|(_, n)| n.parse().ok())
        .unwrap_or(32);
    let mut count = match name {
        _ if name.starts_with("ld.global") => load(bits),
        _ if name.starts_with("ld.shared") => Count {
            bytes: load(bits).bytes,
            shared: 1.0,
            ..Count::default()
        },
        _ if name.starts_with("ldc") => Count {
            scalar: 1.0,
            ..Count::default()
        },
        _ => Count::default(),
    };
    count.fma = match name.split('.').next() {
        Some("ffma") => 1.0,
        Some("hfma2") => 2.0,
        _ => 0.0,
    };
    (count.instructions, count.slots) = (1.0, 1.0);
    let jump = if name == "bra" {
        words.next_back()
    } else {
        None
    };
    Some(Line::Code(count, jump.map(str::to_owned)))
}

fn ir3(line: &str) -> Option<Line> {
    let line = line.trim();
    if line.starts_with([';', '@']) {
        return None;
    }
    if let Some(label) = line.strip_suffix(':').filter(|l| !l.contains(' ')) {
        return Some(Line::Label(label.to_owned()));
    }
    let mut rest = line;
    let mut times = 1.0;
    while let Some((flag, after)) = rest.strip_prefix('(').and_then(|r| r.split_once(')')) {
        if let Some(repeats) = flag.strip_prefix("rpt").and_then(|n| n.parse::<f64>().ok()) {
            times = 1.0 + repeats;
        }
        rest = after.trim_start();
    }
    let mut words = rest.split_whitespace();
    let name = words.next()?;
    let skipped = ["nop", "end", "shps", "shpe", "getone", "Native"];
    if skipped.contains(&name) || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return None;
    }
    let mut count = match name {
        _ if name.starts_with("isam") => {
            let mask = rest.rsplit('(').next().and_then(|m| m.split(')').next());
            load(32 * mask.map_or(1, |mask| mask.len() as u32))
        }
        _ if name.starts_with("ldib") || name.starts_with("ldg") => {
            let numbers = name.split('.').filter_map(|part| part.parse::<u32>().ok());
            load(32 * numbers.max().unwrap_or(1))
        }
        _ if name.starts_with("ldl") => Count {
            bytes: 4.0,
            shared: 1.0,
            ..Count::default()
        },
        _ if name.starts_with("ldc") => Count {
            scalar: 1.0,
            ..Count::default()
        },
        _ => Count::default(),
    };
    if name.starts_with("mad.f") {
        count.fma = times;
    }
    (count.instructions, count.slots) = (times, times);
    let to = words.last().and_then(|word| word.strip_prefix('#'));
    Some(Line::Code(count, to.map(str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_of_amds_is_found_and_a_dual_instruction_counts_twice() {
        let code = count(
            "BB0:\n\tv_fma_f32 v0, v1, v2, v3 ; d613\n\
             BB1:\n\ts_buffer_load_b512 s[0:15], s[16:19], s1\n\tbuffer_load_b128 v[0:3], v0, s[0:3], 0 offen\n\
             \tv_dual_fmac_f32 v0, v1, v2 :: v_dual_mul_f32 v3, v4, v5 ; c8\n\
             \ts_delay_alu instid0(VALU_DEP_1)\n\tv_fmac_f32_e32 v3, s17, v5\n\ts_cbranch_scc1 BB1\n\
             BB2:\n\ts_endpgm\n",
            Dialect::Aco,
        );
        assert!(code.hot_is_loop);
        assert_eq!(
            (code.hot.fma, code.hot.instructions, code.hot.slots),
            (2.0, 6.0, 3.0)
        );
        assert_eq!(
            (code.hot.loads, code.hot.scalar),
            ([0.0, 0.0, 0.0, 1.0], 1.0)
        );
        assert_eq!((code.rest.fma, code.rest.instructions), (1.0, 2.0));
    }

    #[test]
    fn a_loop_of_nvidias_is_found() {
        let code = count(
            "block.u 0 L1 [] -> {\n   r0 = ld.global.a64.constant.b128 [r1], p0 // delay=2\n} -> [1]\n\
             block 1 L0 [0, 1] -> {\n  r43 = ffma.ftz r34 r44 r43 // delay=2\n\
             ur6 up0 = iadd3 ur0 ur5 rZ // delay=4\n    @!p0 bra pT L0 // delay=1\n} -> [1]\n",
            Dialect::Nak,
        );
        assert!(code.hot_is_loop);
        assert_eq!((code.hot.fma, code.hot.instructions), (1.0, 3.0));
        assert_eq!((code.rest.loads[3], code.rest.bytes), (1.0, 16.0));
    }

    #[test]
    fn a_loop_of_adrenos_is_found_and_a_repeated_instruction_counts_as_often() {
        let code = count(
            "mov.f32f32 r9.y, c1.x\nl44:\nisam.v.base0 (u32)(xyzw)r0.x, r11.z+12, s#0, t#2\nnop\n\
             (sy)(rpt1)mad.f32 r0.x, r4.x, r0.x, (last)r12.w\njump #l44\nl120:\nend\n; 3 instr\n",
            Dialect::Ir3,
        );
        assert!(code.hot_is_loop);
        assert_eq!(
            (code.hot.fma, code.hot.instructions, code.hot.loads[3]),
            (2.0, 4.0, 1.0)
        );
        assert_eq!(code.rest.instructions, 1.0);
    }
}
