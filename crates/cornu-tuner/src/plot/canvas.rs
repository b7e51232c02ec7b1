//! SVG: shapes, texts that fit, and the colours of light and dark screens.

use std::fmt::{Display, Write};

/// Of a page, in pixels.
pub(super) const WIDTH: f64 = 760.0;

/// The classes of all shapes.
pub(super) const STYLE: &str = "\
svg{font-family:system-ui,'Helvetica Neue',Helvetica,Arial,sans-serif;font-size:12px;background:#fff}\
text{fill:#333}.h{font-size:18px;font-weight:600;fill:#111}.t{font-size:14px;font-weight:600;fill:#111}.m{fill:#777}\
.p{font-size:11px}.g{stroke:#e4e4e4;stroke-width:1}.a{stroke:#999;stroke-width:1}\
.d{fill:#7f9fc4;fill-opacity:.75}.o{fill:none;stroke:#7f9fc4;stroke-width:1.2}\
.b{fill:none;stroke:#c2410c;stroke-width:2;stroke-linejoin:round}.s{fill:#c2410c}.x{stroke:#b0b0b0;stroke-width:1.2}\
.r{fill:#3b6ea5}.f{fill:#f0f0f0}.l{fill:none;stroke-width:1}.k{fill:#fff;fill-opacity:.8}\
@media (prefers-color-scheme:dark){svg{background:#16181b}text{fill:#c9ccd1}.h,.t{fill:#f2f2f2}.m{fill:#8d939c}\
.g{stroke:#2c3036}.a{stroke:#6b7078}.d{fill:#6f95c2}.o{stroke:#6f95c2}.b{stroke:#fb923c}.s{fill:#fb923c}\
.x{stroke:#6b7078}.r{fill:#6fa3dc}.f{fill:#24272c}\
.k{fill:#16181b}}";

/// Shapes, from the top down.
pub(super) struct Canvas {
    shapes: String,
    width: f64,
    /// Where what comes next begins.
    pub(super) top: f64,
}

/// Where a text is held.
#[derive(Clone, Copy)]
pub(super) enum Hold {
    Start,
    Middle,
    End,
}

impl Canvas {
    pub(super) fn new() -> Canvas {
        Canvas { shapes: String::new(), width: WIDTH, top: 12.0 }
    }

    /// Room for so many pixels more, in all of the width given.
    pub(super) fn take(&mut self, height: f64, width: f64) -> f64 {
        self.width = self.width.max(width);
        self.top += height;
        self.top - height
    }

    pub(super) fn heading(&mut self, text: &str) {
        if !text.is_empty() {
            let y = self.take(32.0, WIDTH) + 18.0;
            self.text(20.0, y, "h", Hold::Start, &cut(text, (WIDTH - 40.0) * 0.65));
        }
    }

    pub(super) fn text(&mut self, x: f64, y: f64, class: &str, hold: Hold, text: &str) {
        let anchor = match hold {
            Hold::Start => "start",
            Hold::Middle => "middle",
            Hold::End => "end",
        };
        self.put(format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>",
            escape(text)
        ));
    }

    pub(super) fn line(&mut self, class: &str, [x1, y1, x2, y2]: [f64; 4]) {
        self.put(format_args!("<path class=\"{class}\" d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\"/>"));
    }

    /// A line through points, with further attributes, and what is shown where a pointer rests on it.
    pub(super) fn path(&mut self, class: &str, points: &[(f64, f64)], more: &str, hint: &str) {
        let mut way = String::new();
        for (i, (x, y)) in points.iter().enumerate() {
            let _ = write!(way, "{}{x:.1} {y:.1}", if i == 0 { 'M' } else { 'L' });
        }
        self.put(format_args!("<path class=\"{class}\" d=\"{way}\"{more}>{}</path>", title(hint)));
    }

    pub(super) fn dot(&mut self, class: &str, (x, y): (f64, f64), radius: f64, hint: &str) {
        self.put(format_args!(
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\">{}</circle>",
            title(hint)
        ));
    }

    pub(super) fn bar(&mut self, class: &str, [x, y, width, height]: [f64; 4]) {
        self.put(format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"2\"/>"
        ));
    }

    fn put(&mut self, shape: impl Display) {
        let _ = writeln!(self.shapes, "{shape}");
    }

    pub(super) fn finish(&self) -> String {
        let (width, height) = (self.width, self.top + 8.0);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\">\n<style>{STYLE}</style>\n{}</svg>\n",
            self.shapes
        )
    }
}

fn title(hint: &str) -> String {
    if hint.is_empty() { String::new() } else { format!("<title>{}</title>", escape(hint)) }
}

/// A text within a document: what has a meaning there is written otherwise, what may not be there is left out.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\t' => safe.push(letter),
            '\u{fffe}' | '\u{ffff}' => (),
            _ if letter.is_control() => (),
            _ => safe.push(letter),
        }
    }
    safe
}

/// About how wide a text is at 12 pixels.
pub(super) fn width(text: &str) -> f64 {
    let one = |letter: char| match letter {
        'i' | 'j' | 'l' | '.' | ',' | ':' | '|' | '\'' | 'I' => 3.4,
        'f' | 't' | 'r' | ' ' | '(' | ')' | '/' | '-' => 4.8,
        'm' | 'w' | 'M' | 'W' | '%' => 10.5,
        'A'..='Z' => 8.6,
        letter if u32::from(letter) >= 0x1100 => 12.5,
        _ => 7.0,
    };
    text.chars().map(one).sum()
}

/// As much of a text as fits, with an ellipsis where some does not.
pub(super) fn cut(text: &str, room: f64) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut used = width("…");
    let fits = |letter: &char| {
        used += width(letter.encode_utf8(&mut [0; 4]));
        used <= room
    };
    text.chars().take_while(fits).chain(['…']).collect()
}
