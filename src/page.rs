//! A page to look at: pictures before and after, with a slider, and what made them. One file, which loads
//! nothing from anywhere.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use catanet::CATANet;
use catanet::image::Image;
use catanet::imresize::upscale;
use nn::checkpoint::write_atomically;
use picture::{Format, Picture, WriteOptions, write};

use crate::terminal::shown;

/// The most that a picture on the page has a side: a larger one shows its middle.
const MOST: usize = 1600;
/// The width up to which a small picture is shown enlarged, by a whole number.
const STAGE: usize = 512;

/// What stands on a page.
#[derive(Default)]
pub struct Page {
    /// Its heading.
    pub title: String,
    /// What made it: weights, adapter and so on, and their values.
    pub facts: Vec<(String, String)>,
    /// Scores or sizes; the first row is the head.
    pub table: Vec<Vec<String>>,
    /// The pictures.
    pub pictures: Vec<Shown>,
    /// How far work is that takes long.
    pub progress: Option<Progress>,
    /// Curves, as SVG.
    pub curves: Vec<String>,
    /// A file of options to look up, as text.
    pub options: String,
}

/// How far work is.
pub struct Progress {
    /// Steps that are done.
    pub done: u64,
    /// Steps that are wanted.
    pub total: u64,
    /// How it is, in a word or two: `running`.
    pub state: String,
    /// More on it: `200 of 400 steps`.
    pub text: String,
}

/// A picture on a page, as files of PNG.
pub struct Shown {
    name: String,
    caption: String,
    width: usize,
    bicubic: Vec<u8>,
    ours: Vec<u8>,
    original: Option<Vec<u8>>,
    earlier: Vec<(String, Vec<u8>)>, // what was made of it before `ours`, and when
    when: Option<String>,            // `ours` was made
}

impl Shown {
    /// A picture `[H, W]` and what became of it, `[H·s, W·s]`; and the original, where it is known.
    ///
    /// # Errors
    /// They do not fit into memory as PNGs, say.
    pub fn new(
        name: &str,
        caption: &str,
        before: &Picture,
        after: &Picture,
        original: Option<&Picture>,
    ) -> Result<Shown> {
        let scale = (after.width / before.width.max(1)).max(1);
        let side = [before.width, before.height].map(|n| n.min(MOST / scale).max(1));
        let corner = [(before.width - side[0]) / 2, (before.height - side[1]) / 2];
        let cut = |image: Image, scale: usize| {
            let [x, y, width, height] = [corner[0], corner[1], side[0], side[1]].map(|n| n * scale);
            image.crop(x, y, width, height)
        };
        let mut caption = caption.to_owned();
        if side != [before.width, before.height] {
            let [width, height] = side.map(|n| n * scale);
            caption += &format!(", of which the middle {width}×{height} is shown");
        }
        Ok(Shown {
            name: name.to_owned(),
            caption,
            width: side[0] * scale,
            bicubic: png(&upscale(&cut(seen(before), 1), scale))?,
            ours: png(&cut(seen(after), scale))?,
            original: original
                .map(|original| png(&cut(seen(original), scale)))
                .transpose()?,
            earlier: Vec::new(),
            when: None,
        })
    }

    /// A small picture, `width` pixels wide, and what was made of it time after time: files of PNG, the latter with
    /// the names of the times. It fills its place on the page. None where nothing was made of it.
    pub fn in_stages(
        name: &str,
        width: usize,
        bicubic: Vec<u8>,
        original: Option<Vec<u8>>,
        mut stages: Vec<(String, Vec<u8>)>,
    ) -> Option<Shown> {
        let (when, ours) = stages.pop()?;
        Some(Shown {
            name: name.to_owned(),
            caption: String::new(),
            width,
            bicubic,
            ours,
            original,
            earlier: stages,
            when: Some(when),
        })
    }

    /// The slider over the times, if there are several, and the pictures that it shows.
    fn stages(&self, number: usize) -> (String, String) {
        let when = escaped(self.when.as_deref().unwrap_or_default());
        if self.earlier.is_empty() {
            return (format!("<span class=\"when\">{when}</span>"), String::new());
        }
        let last = self.earlier.len();
        let slider = format!(
            "<span class=\"slide\"><input type=\"range\" class=\"stage\" id=\"stage{number}\" min=\"0\" max=\"{last}\" step=\"1\" \
             value=\"{last}\" aria-label=\"When\"><output for=\"stage{number}\" class=\"when\">{when}</output></span>"
        );
        let kept = self.earlier.iter().map(|(when, png)| {
            format!(
                "<template class=\"stage\" data-when=\"{}\"><img alt=\"\" src=\"{}\"></template>",
                escaped(when),
                address(png)
            )
        });
        (slider, kept.collect())
    }

    fn html(&self, number: usize) -> String {
        let (name, caption) = (escaped(&self.name), escaped(&self.caption));
        let mut left = format!(
            "<label><input type=\"radio\" name=\"left{number}\" value=\"bicubic\" data-alt=\"{name}, bicubic\" checked>bicubic</label>"
        );
        let mut kept = format!(
            "<template class=\"bicubic\"><img alt=\"\" src=\"{}\"></template>",
            address(&self.bicubic)
        );
        if let Some(original) = &self.original {
            left += &format!(
                "<label><input type=\"radio\" name=\"left{number}\" value=\"original\" data-alt=\"{name}, original\">original</label>"
            );
            kept += &format!(
                "<template class=\"original\"><img alt=\"\" src=\"{}\"></template>",
                address(original)
            );
        }
        let zoom = |times: u8| {
            let checked = if times == 1 { " checked" } else { "" };
            format!(
                "<label><input type=\"radio\" name=\"zoom{number}\" value=\"{times}\"{checked}>{times}×</label>"
            )
        };
        let zooms: String = [1, 2, 4].map(zoom).concat();
        let mut zooms = format!("<fieldset aria-label=\"Zoom\">{zooms}</fieldset>");
        let (mut pair, mut width) = ("pair", self.width);
        if self.when.is_some() {
            let (slider, pictures) = self.stages(number);
            (zooms, pair) = (slider, "pair pixels");
            width *= (STAGE / width.max(1)).max(1);
            kept += &pictures;
        }
        format!(
            "<figure>\n<figcaption><b>{name}</b><span>{caption}</span></figcaption>\n\
             <div class=\"frame\"><div class=\"{pair}\" style=\"max-width:calc(var(--zoom, 1) * {width}px)\">\
             <img alt=\"{name}, ours\" decoding=\"async\" src=\"{ours}\">\
             <img class=\"over\" alt=\"{name}, bicubic\" decoding=\"async\" src=\"{bicubic}\"></div></div>\n\
             <div class=\"controls\"><fieldset aria-label=\"Left picture\">{left}</fieldset>\
             <span class=\"slide\"><input type=\"range\" min=\"0\" max=\"100\" step=\"0.1\" value=\"50\" aria-label=\"How much of the left picture shows\">\
             ours</span>{zooms}</div>\n{kept}\n</figure>\n",
            ours = address(&self.ours),
            bicubic = address(&self.bicubic),
        )
    }
}

/// What made a page's pictures, as its facts.
pub fn made_by(
    net: &CATANet,
    weights: &str,
    self_ensemble: bool,
    half: bool,
) -> Vec<(String, String)> {
    let mut options = vec![format!("×{}", net.scale())];
    options.extend(self_ensemble.then(|| "self-ensemble".to_owned()));
    options.extend(half.then(|| "features of 16 bits".to_owned()));
    let facts = [
        ("weights", weights.to_owned()),
        ("adapter", net.device().name().to_owned()),
        ("options", options.join(", ")),
        ("program", format!("catanet {}", env!("CARGO_PKG_VERSION"))),
    ];
    facts.map(|(what, value)| (what.to_owned(), value)).into()
}

impl Page {
    /// The page as HTML.
    pub fn html(&self) -> String {
        let facts = self.facts.iter().map(|(what, value)| {
            format!("<dt>{}</dt><dd>{}</dd>\n", escaped(what), escaped(value))
        });
        let figures = self
            .pictures
            .iter()
            .enumerate()
            .map(|(i, picture)| picture.html(i));
        let parts = [
            ("title", escaped(&self.title)),
            ("style", include_str!("page/style.css").to_owned()),
            ("facts", facts.collect()),
            (
                "progress",
                self.progress
                    .as_ref()
                    .map_or_else(String::new, Progress::html),
            ),
            ("curves", curves(&self.curves)),
            ("table", table(&self.table)),
            ("options", options(&self.options)),
            ("script", include_str!("page/page.js").to_owned()),
            ("pictures", figures.collect()),
        ];
        fill(include_str!("page/template.html"), &parts)
    }

    /// Writes the page, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let failed = || format!("cannot write {}", shown(path));
        write_atomically(path, self.html().as_bytes()).with_context(failed)
    }
}

impl Progress {
    fn html(&self) -> String {
        let [state, text] = [&self.state, &self.text].map(|text| escaped(text));
        let (done, total) = (self.done.min(self.total), self.total.max(1));
        format!(
            "<p class=\"progress\"><progress max=\"{total}\" value=\"{done}\" aria-label=\"Steps\"></progress>\
             <span><b>{state}</b> {text}</span></p>\n"
        )
    }
}

/// A template with its parts filled in where their names stand, as `{{name}}`. In one pass: what is filled in
/// may hold braces of its own.
pub(crate) fn fill(template: &str, parts: &[(&str, String)]) -> String {
    let mut html = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once("{{") {
        html += before;
        let (name, behind) = behind.split_once("}}").unwrap_or_default();
        let part = parts.iter().find(|(n, _)| *n == name);
        html += part.map_or("", |(_, text)| text);
        rest = behind;
    }
    html + rest
}

fn curves(curves: &[String]) -> String {
    // Within HTML it is known what an <svg> is.
    let plain = |svg: &String| svg.replace(" xmlns=\"http://www.w3.org/2000/svg\"", "");
    match curves {
        [] => String::new(),
        curves => {
            let curves: String = curves.iter().map(plain).collect();
            format!("<section class=\"curves\" aria-label=\"Curves\">\n{curves}</section>\n")
        }
    }
}

fn options(text: &str) -> String {
    match text {
        "" => String::new(),
        text => format!(
            "<details><summary>Options</summary><pre>{}</pre></details>\n",
            escaped(text)
        ),
    }
}

fn table(rows: &[Vec<String>]) -> String {
    let Some((head, rows)) = rows.split_first() else {
        return String::new();
    };
    let row = |cells: &[String], tag: &str| {
        let cells = cells
            .iter()
            .map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell)));
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    let mut html = format!(
        "<div class=\"scroll\"><table>\n<thead>{}</thead>\n<tbody>\n",
        row(head, "th")
    );
    rows.iter().for_each(|cells| html += &row(cells, "td"));
    let _ = write!(html, "</tbody></table></div>"); // into a String, which takes everything
    html
}

/// A file of PNG as it may stand in a page.
pub(crate) fn address(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}

/// 8-bit RGB as it is seen on white.
pub(crate) fn seen(picture: &Picture) -> Image {
    Image::from_picture(&picture.laid_on([255; 3]))
}

pub(crate) fn png(image: &Image) -> Result<Vec<u8>> {
    let file = write(&image.to_picture(), Format::Png, &WriteOptions::default())?;
    Ok(file.bytes)
}

/// Text as it may stand in HTML, attributes included.
pub(crate) fn escaped(text: &str) -> String {
    let text = crate::terminal::escaped(text);
    [
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("\"", "&quot;"),
        ("'", "&#39;"),
    ]
    .iter()
    .fold(text, |text, (from, to)| text.replace(from, to))
}
