//! One HTML page of a search.

use std::fmt::Write;

use super::axis::text;
use super::canvas::{Canvas, escape};
use super::importance::value;
use super::parallel::short;
use super::{Search, State, Trial, bars, history, parallel};

const STYLE: &str = "\
:root{color-scheme:light dark}body{font:15px/1.5 system-ui,'Helvetica Neue',Helvetica,Arial,sans-serif;max-width:800px;\
margin:32px auto;padding:0 16px;color:#222;background:#fff}h1{font-size:24px;margin:0 0 4px}\
p{margin:0 0 20px;color:#666}\
table{border-collapse:collapse;margin:0 0 20px}td,th{text-align:left;padding:3px 18px 3px 0;\
border-bottom:1px solid #e4e4e4;font-variant-numeric:tabular-nums}div{overflow-x:auto;margin:0 0 12px}\
@media (prefers-color-scheme:dark){body{color:#d6d8dc;background:#16181b}p{color:#8d939c}td,th{border-color:#2c3036}}";

/// One page with everything in it: the best trial, and the three pictures, whose dots and lines tell of their trial
/// where a pointer rests on them. It needs no network and no script, and follows a light or dark screen.
pub fn html(search: &Search) -> String {
    let title = if search.title.is_empty() { "Search" } else { &search.title };
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{0}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n<h1>{0}</h1>\n<p>{1}</p>\n",
        escape(title),
        escape(&summary(search))
    );
    if let Some((best, _)) = search.best() {
        page.push_str("<table>\n<tr><th>parameter</th><th>value in the best trial</th></tr>\n");
        for (i, parameter) in search.parameters.iter().enumerate() {
            let Some(value) = value(best, i) else { continue };
            let (name, value) = (escape(&parameter.name), escape(&short(value)));
            let _ = writeln!(page, "<tr><td>{name}</td><td>{value}</td></tr>");
        }
        page.push_str("</table>\n");
    }
    for draw in [history::draw, bars::draw, parallel::draw] {
        let mut canvas = Canvas::new();
        draw(search, &mut canvas);
        let _ = write!(page, "<div>\n{}</div>\n", canvas.finish());
    }
    page + "</body>\n</html>\n"
}

/// How many trials there were, and what they came to.
fn summary(search: &Search) -> String {
    let count = |state: State| search.trials.iter().filter(|trial| trial.state == state).count();
    let mut summary = format!("{} trials", search.trials.len());
    for (state, name) in [(State::Stopped, "stopped"), (State::Failed, "failed"), (State::Running, "running")] {
        if count(state) > 0 {
            let _ = write!(summary, ", {} {name}", count(state));
        }
    }
    if let Some((best, score)) = search.best() {
        let _ = write!(summary, "; best {}: {} in trial {}", search.score_name(), text(score), best.number);
    }
    summary
}

/// A trial in lines: its number and score, and its values.
pub(super) fn describe(search: &Search, trial: &Trial) -> String {
    let score = match (trial.state, trial.score) {
        (State::Failed, _) => "failed".to_owned(),
        (_, Some(score)) => text(score),
        (_, None) => "no score".to_owned(),
    };
    let mut lines = format!("trial {}: {score}", trial.number);
    for (i, parameter) in search.parameters.iter().enumerate() {
        if let Some(value) = value(trial, i) {
            let _ = write!(lines, "\n{} = {}", parameter.name, short(value));
        }
    }
    lines
}
