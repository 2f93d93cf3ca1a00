//! A bundle's two graphs as a drawing (SVG): the model's own parts from top to bottom, each with its shape, precision, parameters,
//! bytes and multiplications. Blocks of the backbone that write the same shape are one part.

use crate::inspect::{Group, Inspected, Inspection};
use cssa::bundle::ENCODER;
use cssa::page::escape;
use std::fmt::Write;

/// Sizes in pixels.
const COLUMN: usize = 440;
const GUTTER: usize = 96;
const MARGIN: usize = 28;
const HEAD: usize = 96;
const BOX: usize = 44;
const GAP: usize = 14;
/// Room of a frame around its boxes, and for its name.
const FRAME: usize = 9;
const NAME: usize = 20;
const PILL: usize = 30;

const STYLE: &str = ":root{color-scheme:light dark;--ink:#1d2733;--soft:#5d6975;--line:#b9c1ca;--sheet:#fff;--pane:#f6f7f9;\
--int8:#d6e6fa;--fp16:#e8dcf4;--fp32:#fbe3cc;--mixed:#e3e7eb}@media(prefers-color-scheme:dark){:root{--ink:#e4e8ed;--soft:#a3adb8;\
--line:#4a5561;--sheet:#14181d;--pane:#1c222a;--int8:#1c3a5c;--fp16:#3d2a52;--fp32:#55351a;--mixed:#333b45}}\
svg{background:var(--sheet)}text{font:12px system-ui,sans-serif;fill:var(--soft)}.title{font-size:17px;font-weight:600;fill:var(--ink)}\
.name{font-size:13px;font-weight:600;fill:var(--ink)}.end{text-anchor:end}.middle{text-anchor:middle}\
.int8{fill:var(--int8)}.fp16{fill:var(--fp16)}.fp32{fill:var(--fp32)}.mixed{fill:var(--mixed)}\
.box{stroke:var(--line)}.frame{fill:var(--pane);stroke:var(--line);stroke-dasharray:3 3}.pill{fill:var(--sheet);stroke:var(--soft)}\
.flow{stroke:var(--soft);fill:none;marker-end:url(#tip)}.once{stroke-dasharray:5 3}.tip{fill:var(--soft)}";

/// How the parts end that have the memory's keys and values, and the frame around those that make them.
const CROSS_ATTENTION: &str = ".cross_attention";
const ONCE: &str = "cross-attention's keys and values, once per image";

/// A part of a graph.
struct Part {
    label: String,
    /// The layer that it belongs to, where it is one of several parts of it.
    frame: Option<String>,
    group: Group,
}

/// The drawing.
#[must_use]
pub fn svg(inspection: &Inspection) -> String {
    let columns: Vec<(&Inspected, Vec<Part>)> = inspection.graphs.iter().map(|graph| (graph, parts(graph))).collect();
    let (mut drawn, mut height, mut sources, mut targets) = (String::new(), 0, Vec::new(), Vec::new());
    for (n, (graph, parts)) in columns.iter().enumerate() {
        let left = MARGIN + n * (COLUMN + GUTTER);
        let column = Column { left, is_encoder: graph.file == ENCODER };
        height = height.max(column.draw(&mut drawn, graph, parts, &mut sources, &mut targets));
    }
    connect(&mut drawn, &sources, &targets);
    let width = 2 * MARGIN + columns.len() * COLUMN + columns.len().saturating_sub(1) * GUTTER;
    height += legend(&mut drawn, height);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\
         <title>The two graphs of a bundle</title><style>{STYLE}</style>\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
         <path class=\"tip\" d=\"M0 0 8 4 0 8z\"/></marker></defs>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"var(--sheet)\"/>\n{drawn}</svg>\n"
    )
}

struct Column {
    left: usize,
    is_encoder: bool,
}

impl Column {
    /// Draws a graph and gives where it ends. Where keys and values leave it and enter it is noted.
    fn draw(
        &self,
        drawn: &mut String,
        graph: &Inspected,
        parts: &[Part],
        sources: &mut Vec<(usize, usize)>,
        targets: &mut Vec<(usize, usize)>,
    ) -> usize {
        let left = self.left;
        let total = |count: fn(&Group) -> u64| graph.groups.iter().map(count).sum::<u64>();
        let nodes: usize = graph.operators.values().sum();
        let per = if self.is_encoder { "per image" } else { "per step of the beam" };
        let _ = writeln!(
            drawn,
            "<text class=\"title\" x=\"{left}\" y=\"38\">{}</text>\
             <text x=\"{left}\" y=\"60\">{} parameters · {} · {} M mult. {per}</text>\
             <text x=\"{left}\" y=\"78\">opset {}, {nodes} nodes</text>",
            escape(&graph.file),
            grouped(total(|group| group.parameters)),
            bytes(total(|group| group.bytes)),
            millions(total(|group| group.macs)),
            graph.opset
        );
        let mut y = HEAD + 10;
        y = self.pill(drawn, y, &named(&graph.inputs));
        let mut n = 0;
        while n < parts.len() {
            let frame = &parts[n].frame;
            let end = match frame {
                Some(_) => n + parts[n..].iter().take_while(|part| part.frame == *frame).count(),
                None => n + 1,
            };
            self.arrow(drawn, y);
            y += GAP;
            if let Some(name) = frame {
                let inside = (end - n) * BOX + (end - n - 1) * GAP;
                let _ = writeln!(
                    drawn,
                    "<rect class=\"frame\" x=\"{}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"6\"/>\
                     <text x=\"{}\" y=\"{}\">{}</text>",
                    left - FRAME,
                    COLUMN + 2 * FRAME,
                    NAME + inside + FRAME,
                    left,
                    y + 14,
                    escape(name)
                );
                y += NAME;
            }
            let is_layer = frame.is_some();
            for (k, part) in parts[n..end].iter().enumerate() {
                if k > 0 {
                    // Keys and values are all made of the memory, not of each other.
                    if frame.as_deref() != Some(ONCE) {
                        self.arrow(drawn, y);
                    }
                    y += GAP;
                }
                if part.group.name.ends_with(CROSS_ATTENTION) {
                    let at = y + BOX / 2;
                    if self.is_encoder { sources.push((left + COLUMN, at)) } else { targets.push((left, at)) }
                }
                self.part(drawn, y, part);
                y += BOX;
            }
            y += if is_layer { FRAME } else { 0 };
            n = end;
        }
        self.arrow(drawn, y);
        self.pill(drawn, y + GAP, &named(&graph.outputs)) + MARGIN
    }

    fn part(&self, drawn: &mut String, y: usize, Part { label, group, .. }: &Part) {
        let (left, right) = (self.left, self.left + COLUMN);
        let shape = group.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
        let _ = writeln!(
            drawn,
            "<g class=\"part\" data-group=\"{0}\" data-parameters=\"{1}\" data-bytes=\"{2}\" data-macs=\"{3}\">\
             <rect class=\"box {4}\" x=\"{left}\" y=\"{y}\" width=\"{COLUMN}\" height=\"{BOX}\" rx=\"5\"/>\
             <text class=\"name\" x=\"{5}\" y=\"{6}\">{7}</text><text class=\"end\" x=\"{8}\" y=\"{6}\">{9}</text>\
             <text x=\"{5}\" y=\"{10}\">→ {shape}</text><text class=\"end\" x=\"{8}\" y=\"{10}\">{11} parameters · {12} · {13} M mult.</text></g>",
            escape(&group.name),
            group.parameters,
            group.bytes,
            group.macs,
            class(&group.precision),
            left + 10,
            y + 18,
            escape(label),
            right - 10,
            escape(&group.precision.to_uppercase()),
            y + 36,
            grouped(group.parameters),
            bytes(group.bytes),
            millions(group.macs)
        );
    }

    /// What goes in or out; gives where it ends.
    fn pill(&self, drawn: &mut String, y: usize, text: &str) -> usize {
        let _ = writeln!(
            drawn,
            "<rect class=\"pill\" x=\"{}\" y=\"{y}\" width=\"{COLUMN}\" height=\"{PILL}\" rx=\"15\"/>\
             <text class=\"middle\" x=\"{}\" y=\"{}\">{}</text>",
            self.left,
            self.left + COLUMN / 2,
            y + 19,
            escape(text)
        );
        y + PILL
    }

    fn arrow(&self, drawn: &mut String, y: usize) {
        let x = self.left + COLUMN / 2;
        let _ = writeln!(drawn, "<path class=\"flow\" d=\"M{x} {y}v{}\"/>", GAP - 1);
    }
}

/// Keys and values of the memory, which the decoder's cross-attention reads: layer by layer, each in a track of its own.
fn connect(drawn: &mut String, sources: &[(usize, usize)], targets: &[(usize, usize)]) {
    for (n, (&(from, at), &(to, entry))) in sources.iter().zip(targets).enumerate() {
        let track = from + FRAME + 14 + 12 * n;
        let _ = writeln!(drawn, "<path class=\"flow once\" d=\"M{from} {at}H{track}V{entry}H{}\"/>", to - 1);
    }
    if let Some(&(from, _)) = sources.first() {
        let lowest = sources.iter().map(|source| source.1).max().unwrap_or(0) + 40;
        let _ = writeln!(
            drawn,
            "<text x=\"{0}\" y=\"{lowest}\">keys and</text><text x=\"{0}\" y=\"{1}\">values</text>",
            from + FRAME + 4,
            lowest + 15
        );
    }
}

/// What the colours stand for; gives its height.
fn legend(drawn: &mut String, y: usize) -> usize {
    let mut x = MARGIN;
    for (class, text) in [
        ("int8", "INT8 weights and activations"),
        ("mixed", "INT8 weights, or several precisions"),
        ("fp16", "FP16"),
        ("fp32", "FP32"),
    ] {
        let _ = writeln!(
            drawn,
            "<rect class=\"box {class}\" x=\"{x}\" y=\"{y}\" width=\"16\" height=\"16\" rx=\"3\"/><text x=\"{}\" y=\"{}\">{text}</text>",
            x + 23,
            y + 13
        );
        x += 55 + 7 * text.len();
    }
    let _ = writeln!(drawn, "<text x=\"{x}\" y=\"{}\">M mult.: million multiplications</text>", y + 13);
    16 + MARGIN
}

/// The parts of a graph, in order.
fn parts(graph: &Inspected) -> Vec<Part> {
    let mut parts: Vec<(Vec<&str>, Part)> = Vec::new();
    for group in &graph.groups {
        let is_backbone = !group.name.starts_with("encoder.") && !group.name.starts_with("decoder.");
        match parts.last_mut() {
            Some((names, part)) if is_backbone && joins(names[0], &group.name) && part.group.shape == group.shape => {
                names.push(&group.name);
                add(&mut part.group, group);
            }
            _ => {
                let (label, frame) = match group.name.strip_suffix(CROSS_ATTENTION) {
                    Some(layer) if graph.file == ENCODER => {
                        let number = layer.rsplit('.').next().unwrap_or_default();
                        (format!("for the decoder's layer {number}"), Some(ONCE.to_owned()))
                    }
                    _ => label(&group.name),
                };
                parts.push((vec![&group.name], Part { label, frame, group: group.clone() }));
            }
        }
    }
    let named = |(names, mut part): (Vec<&str>, Part)| {
        if let [first, .., last] = names.as_slice() {
            let number = last.rsplit('.').next().unwrap_or_default();
            part.label = format!("{}–{number}", label(first).0.replace("block ", "blocks "));
            part.group.name = format!("{first}–{number}");
        }
        part
    };
    parts.into_iter().map(named).collect()
}

/// Whether two blocks of a backbone are of one row: `_blocks.3` and `_blocks.4`, `layer2.0` and `layer2.1`.
fn joins(one: &str, other: &str) -> bool {
    one.rsplit_once('.').zip(other.rsplit_once('.')).is_some_and(|(one, other)| one.0 == other.0)
}

fn add(sum: &mut Group, group: &Group) {
    for (operator, count) in &group.operators {
        *sum.operators.entry(operator.clone()).or_default() += count;
    }
    if !sum.precision.split(", ").any(|known| known == group.precision) {
        sum.precision = format!("{}, {}", sum.precision, group.precision);
    }
    sum.parameters += group.parameters;
    sum.macs += group.macs;
    sum.bytes += group.bytes;
}

/// What a group is called in the drawing, and the layer around it.
fn label(name: &str) -> (String, Option<String>) {
    let parts: Vec<&str> = name.split('.').collect();
    match parts.as_slice() {
        ["encoder", "layers", layer, part] => (words(part), Some(format!("DG-former, layer {layer}"))),
        ["decoder", "layers", layer, part] => (words(part), Some(format!("decoder, layer {layer}"))),
        ["encoder", part] if *part == "input" => ("projection to the model's width".into(), None),
        ["decoder", part] => (words(part), None),
        _ => (words(name), None),
    }
}

/// A name without the points and lines that programs need.
fn words(name: &str) -> String {
    name.trim_start_matches('_').replace("blocks.", "block ").replace(['_', '.'], " ")
}

fn class(precision: &str) -> &str {
    match precision {
        "int8" | "fp16" | "fp32" => precision,
        "fp16 weights" => "fp16",
        _ => "mixed",
    }
}

fn named(tensors: &[(String, Vec<usize>)]) -> String {
    /// Characters that fit into the column.
    const WIDTH: usize = 50;
    let shape = |shape: &[usize]| shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
    let (mut text, mut shown) = (String::new(), 0);
    // What there is once stands before what each layer has.
    let once = tensors.iter().filter(|(name, _)| !name.contains('.'));
    for (name, extents) in once.chain(tensors.iter().filter(|(name, _)| name.contains('.'))) {
        let one = if extents.is_empty() { name.clone() } else { format!("{name} {}", shape(extents)) };
        if shown > 0 && text.chars().count() + one.chars().count() + 2 > WIDTH {
            break;
        }
        text = if shown > 0 { format!("{text}, {one}") } else { one };
        shown += 1;
    }
    if tensors.len() > shown { format!("{text} and {} more", tensors.len() - shown) } else { text }
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{} B", grouped(count)),
        10_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.2} MB", count as f64 / 1e6),
    }
}

fn millions(count: u64) -> String {
    format!("{:.2}", count as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::inspect;
    use cssa::bundle::Bundle;
    use quick_xml::events::Event;

    /// It is XML, and what is drawn is what was counted, no more and no less.
    #[test]
    fn the_parts_that_are_drawn_sum_up_to_the_graphs() -> anyhow::Result<()> {
        let inspection = inspect(&Bundle::read(&fixtures::bundle())?)?;
        let svg = svg(&inspection);
        let mut reader = quick_xml::Reader::from_str(&svg);
        let (mut sums, mut parts, mut texts) = ([0; 3], 0, 0);
        loop {
            match reader.read_event()? {
                Event::Eof => break,
                Event::Start(element) if element.name().as_ref() == b"g" => {
                    parts += 1;
                    for (sum, name) in sums.iter_mut().zip(["data-parameters", "data-bytes", "data-macs"]) {
                        let found = element.try_get_attribute(name)?.map(|value| value.value.into_owned());
                        *sum += String::from_utf8(found.unwrap_or_default())?.parse::<u64>()?;
                    }
                }
                Event::Start(element) if element.name().as_ref() == b"text" => texts += 1,
                _ => {}
            }
        }
        let groups = || inspection.graphs.iter().flat_map(|graph| &graph.groups);
        let all = |count: fn(&Group) -> u64| groups().map(count).sum::<u64>();
        assert_eq!(sums, [all(|group| group.parameters), all(|group| group.bytes), all(|group| group.macs)]);
        assert!(parts < groups().count() && parts > 20 && texts > 4 * parts, "{parts} parts, {texts} texts");
        for name in ["encoder.onnx", "decoder.onnx", "DG-former, layer 2", "blocks 1–3", "self attention", "INT8"] {
            assert!(svg.contains(name), "{name}");
        }
        Ok(())
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([1, 999, 1000, 7_243_490].map(grouped), ["1", "999", "1,000", "7,243,490"]);
        assert_eq!([999, 12_345, 7_685_393].map(bytes), ["999 B", "12.3 kB", "7.69 MB"]);
    }
}
