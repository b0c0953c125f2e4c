//! A tape as a drawing: SVG by itself, or DOT for Graphviz.

use std::collections::BTreeMap;
use std::fmt::Write;

use autograd::TracedOp;
use catanet::CATANet;
use nn::parameters;

use crate::page::escaped;

/// What a tape noted, with the names of the weights in it.
pub struct Graph {
    title: String,
    rows: Vec<Row>,
}

/// An op.
struct Row {
    op: TracedOp,
    weights: Vec<String>, // that it takes
    part: String,         // of the network: that of the last weights before it
    sources: Vec<usize>,  // rows whose results it takes
}

/// Pixels of the list: a row's height, where its columns begin, and how far lines may reach to the left.
const ROW: usize = 18;
const TOP: usize = 64;
const GUTTER: usize = 110;
const COLUMNS: [usize; 5] = [120, 300, 560, 690, 760];
const WIDTH: usize = 980;
/// The longest bar.
const BAR: f64 = 200.0;

impl Graph {
    /// The ops that a network's forward pass noted.
    pub fn new(title: &str, ops: Vec<TracedOp>, net: &CATANet) -> Graph {
        let mut names = BTreeMap::new();
        for (name, parameter) in parameters(net) {
            names.extend(parameter.id().map(|id| (id, name)));
        }
        let mut rows: Vec<Row> = Vec::new();
        let mut at = BTreeMap::new(); // of results
        let mut part = String::new();
        for op in ops {
            let inputs = || op.inputs.iter().flatten();
            let weights: Vec<String> = inputs().filter_map(|id| names.get(id).cloned()).collect();
            if let Some(name) = weights.first() {
                part = part_of(name);
            }
            let sources = inputs().filter_map(|id| at.get(id).copied()).collect();
            at.insert(op.id, rows.len());
            rows.push(Row {
                weights,
                part: part.clone(),
                sources,
                op,
            });
        }
        Graph {
            title: title.to_owned(),
            rows,
        }
    }

    /// How many ops there are.
    pub fn ops(&self) -> usize {
        self.rows.len()
    }

    /// What their results take on the device.
    pub fn bytes(&self) -> usize {
        self.rows.iter().map(|row| row.op.bytes).sum()
    }

    /// For Graphviz: `dot -Tsvg graph.dot`. Parts of the network are boxes around their ops.
    pub fn dot(&self) -> String {
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let mut text = format!(
            "digraph tape {{\n  label=\"{}\";\n  node [shape=box, fontname=\"sans-serif\", fontsize=10];\n",
            quoted(&self.title)
        );
        let mut parts: Vec<&str> = self.rows.iter().map(|row| &*row.part).collect();
        parts.dedup();
        let mut rows = self.rows.iter().enumerate().peekable();
        for (number, part) in parts.into_iter().enumerate() {
            let _ = writeln!(
                text,
                "  subgraph cluster_{number} {{\n    label=\"{}\";",
                quoted(part)
            );
            while let Some((i, row)) = rows.next_if(|(_, row)| row.part == part) {
                let label = format!(
                    "{}\\n{}\\n{:.2} ms, {} KB",
                    row.op.name,
                    shape(row),
                    row.op.seconds * 1e3,
                    row.op.bytes.div_ceil(1000)
                );
                let _ = writeln!(text, "    op{i} [label=\"{label}\"];");
            }
            text += "  }\n";
        }
        for (i, row) in self.rows.iter().enumerate() {
            for source in &row.sources {
                let _ = writeln!(text, "  op{source} -> op{i};");
            }
        }
        text + "}\n"
    }

    /// A list, an op a line, in the order of the tape. Lines at the left lead from a result to where it is used, if
    /// that is not the next op.
    pub fn svg(&self) -> String {
        let height = TOP + self.rows.len() * ROW + 20;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
             font-family=\"system-ui, sans-serif\" font-size=\"12\">\n<title>{0}</title>\n<style>\
             svg {{ background: #fff; color: #1c1c1c }} text {{ fill: currentColor }} .soft {{ opacity: .6 }} \
             path {{ fill: none; stroke: currentColor; opacity: .35 }} rect.band {{ fill: currentColor; opacity: .05 }} rect.bar {{ fill: #0a6c74 }} \
             @media (prefers-color-scheme: dark) {{ svg {{ background: #161615; color: #ececea }} rect.bar {{ fill: #59c2c9 }} }}</style>\n\
             <text x=\"{GUTTER}\" y=\"22\" font-size=\"15\" font-weight=\"600\">{0}</text>\n",
            escaped(&self.title)
        );
        for (x, head) in COLUMNS
            .into_iter()
            .zip(["op", "weights", "result", "KB", "ms"])
        {
            let _ = writeln!(svg, "<text class=\"soft\" x=\"{x}\" y=\"48\">{head}</text>");
        }
        let most = self
            .rows
            .iter()
            .fold(1e-9, |most: f64, row| most.max(row.op.seconds));
        let mut band = false;
        for (i, row) in self.rows.iter().enumerate() {
            let y = TOP + i * ROW;
            if i > 0 && self.rows[i - 1].part != row.part {
                band = !band;
            }
            if band {
                let _ = writeln!(
                    svg,
                    "<rect class=\"band\" x=\"{GUTTER}\" y=\"{}\" width=\"{}\" height=\"{ROW}\"/>",
                    y - 13,
                    WIDTH - GUTTER
                );
            }
            for &source in row.sources.iter().filter(|&&source| source + 1 < i) {
                // The further it is to the use, the further to the left.
                let reach = ((i - source) as f64)
                    .sqrt()
                    .mul_add(6.0, 6.0)
                    .min(GUTTER as f64 - 6.0);
                let (from, to) = (TOP + source * ROW - 4, y - 4);
                let left = GUTTER as f64 - reach;
                let _ = writeln!(
                    svg,
                    "<path d=\"M{GUTTER} {from} C{left:.0} {from} {left:.0} {to} {GUTTER} {to}\"/>"
                );
            }
            let weights: Vec<_> = row
                .weights
                .iter()
                .map(|name| short(name, &row.part))
                .collect();
            let cells = [
                row.op.name.to_owned(),
                format!("{} {}", row.part, weights.join(", ")),
                shape(row),
                row.op.bytes.div_ceil(1000).to_string(),
                format!("{:.2}", row.op.seconds * 1e3),
            ];
            for (x, cell) in COLUMNS.into_iter().zip(cells) {
                let _ = write!(svg, "<text x=\"{x}\" y=\"{y}\">{}</text>", escaped(&cell));
            }
            let _ = writeln!(
                svg,
                "<rect class=\"bar\" x=\"{}\" y=\"{}\" width=\"{:.1}\" height=\"8\"/>",
                COLUMNS[4] + 45,
                y - 9,
                row.op.seconds / most * (BAR - 45.0)
            );
        }
        svg + "</svg>\n"
    }
}

/// `[1, 64, 64, 40]`
fn shape(row: &Row) -> String {
    format!("{:?}", row.op.shape)
}

/// The part of the network that a weight belongs to: `blocks.3.0` of `blocks.3.0.norm.weight`.
fn part_of(name: &str) -> String {
    let pieces: Vec<_> = name.split('.').collect();
    let count = if pieces[0] == "blocks" {
        3
    } else {
        pieces.len() - 1
    };
    pieces[..count.clamp(1, pieces.len())].join(".")
}

/// A weight's name within its part.
fn short<'a>(name: &'a str, part: &str) -> &'a str {
    name.strip_prefix(part)
        .map_or(name, |rest| rest.trim_start_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(id: u64, name: &'static str, inputs: &[Option<u64>]) -> TracedOp {
        TracedOp {
            id,
            name,
            inputs: inputs.to_vec(),
            shape: vec![2, 3],
            bytes: 24,
            seconds: 1e-3,
        }
    }

    fn graph() -> Graph {
        let row = |op: TracedOp, part: &str, sources: &[usize]| Row {
            op,
            weights: Vec::new(),
            part: part.to_owned(),
            sources: sources.to_vec(),
        };
        Graph {
            title: "a \"tape\"".to_owned(),
            rows: vec![
                row(op(1, "linear", &[None]), "first", &[]),
                row(op(2, "gelu", &[Some(1)]), "first", &[0]),
                row(op(3, "add", &[Some(1), Some(2)]), "second", &[0, 1]),
            ],
        }
    }

    #[test]
    fn every_op_and_every_use_is_in_the_dot_file() {
        let dot = graph().dot();
        for line in [
            "op0 -> op1;",
            "op0 -> op2;",
            "op1 -> op2;",
            "a \\\"tape\\\"",
            "label=\"second\"",
        ] {
            assert!(dot.contains(line), "{line} in {dot}");
        }
        assert_eq!(dot.matches("-> ").count(), 3);
        assert_eq!(dot.matches('{').count(), dot.matches('}').count());
    }

    #[test]
    fn the_list_has_a_line_for_what_is_used_later() {
        let svg = graph().svg();
        assert_eq!(svg.matches("<path d=").count(), 1); // from linear to add
        assert_eq!(svg.matches("class=\"bar\"").count(), 3);
        assert!(svg.contains("a &quot;tape&quot;"), "{svg}");
    }

    #[test]
    fn parts_are_blocks_and_layers() {
        assert_eq!(part_of("blocks.3.0.norm.weight"), "blocks.3.0");
        assert_eq!(part_of("first_conv.weight"), "first_conv");
        assert_eq!(short("blocks.3.0.norm.weight", "blocks.3.0"), "norm.weight");
    }
}
