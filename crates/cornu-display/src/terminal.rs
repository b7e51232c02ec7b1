//! What the place we print to can show: a screen that can be redrawn, how wide it is, and whether in colour.

use std::io::IsTerminal;

use terminal_size::Width;

/// The width assumed where there is nothing to measure, as Python's `shutil.get_terminal_size` assumes it.
const COLUMNS: usize = 80;

/// What the place we print to can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// Whether a line can be drawn again in place; else every line is printed once.
    pub is_tty: bool,
    /// The number of columns.
    pub columns: usize,
    /// Whether to print in bold and in colour.
    pub color: bool,
}

impl Terminal {
    /// A file or a pipe: 80 columns, no colour, nothing drawn twice.
    pub const PLAIN: Terminal = Terminal { is_tty: false, columns: COLUMNS, color: false };

    /// The standard output, as the variables `COLUMNS`, `NO_COLOR` and `TERM` describe it and else as it is.
    pub fn of_stdout() -> Terminal {
        let stdout = std::io::stdout();
        let width = terminal_size::terminal_size().map(|(Width(width), _)| usize::from(width));
        Terminal::detect(stdout.is_terminal(), width, |name| std::env::var(name).ok())
    }

    /// `width` is that of the screen, if there is one; `variable` reads the environment.
    fn detect(is_tty: bool, width: Option<usize>, variable: impl Fn(&str) -> Option<String>) -> Terminal {
        let is_tty = is_tty && variable("TERM").as_deref() != Some("dumb");
        let asked = variable("COLUMNS").and_then(|text| text.trim().parse().ok());
        let measured = width.filter(|_| is_tty);
        let columns = asked.into_iter().chain(measured).find(|&columns| columns > 0).unwrap_or(COLUMNS);
        // https://no-color.org: set and not empty.
        let color = is_tty && variable("NO_COLOR").is_none_or(|text| text.is_empty());
        Terminal { is_tty, columns, color }
    }
}

#[test]
fn the_environment_goes_before_what_is_measured() {
    let detect = |is_tty, width, set: &[(&str, &str)]| {
        let variable = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string());
        let Terminal { is_tty, columns, color } = Terminal::detect(is_tty, width, variable);
        (is_tty, columns, color)
    };
    assert_eq!(detect(true, Some(132), &[]), (true, 132, true));
    assert_eq!(detect(true, Some(132), &[("COLUMNS", "40")]), (true, 40, true));
    assert_eq!(detect(true, Some(132), &[("COLUMNS", "wide")]), (true, 132, true));
    assert_eq!(detect(true, Some(0), &[("COLUMNS", "0")]), (true, 80, true));
    assert_eq!(detect(true, Some(132), &[("NO_COLOR", "1")]), (true, 132, false));
    assert_eq!(detect(true, Some(132), &[("NO_COLOR", "")]), (true, 132, true));
    assert_eq!(detect(true, Some(132), &[("TERM", "dumb")]), (false, 80, false));
    assert_eq!(detect(false, Some(132), &[]), (false, 80, false));
    assert_eq!(detect(false, None, &[("COLUMNS", "100")]), (false, 100, false));
}
