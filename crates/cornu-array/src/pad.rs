//! Texts with spaces beside them, up to a width of any size: `format!` panics at widths above 65,535.

/// At the left of `width` columns.
pub fn left(text: &str, width: usize) -> String {
    format!("{text}{}", space(text, width))
}

/// At the right of `width` columns.
pub fn right(text: &str, width: usize) -> String {
    format!("{}{text}", space(text, width))
}

fn space(text: &str, width: usize) -> String {
    " ".repeat(width.saturating_sub(text.chars().count()))
}
