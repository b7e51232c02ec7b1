//! Reading what `print` writes. One item stands on a line; `;` begins a comment.
//!
//! ```text
//! graph   = { node | check | update | output }
//! node    = results "=" op { value } ":" types [ bodies ]
//! check   = "check" value { value } ":" text
//! update  = "update" var "=" value
//! output  = "output" value
//! op      = name { attribute }                an op reads its own: `OpDef::read`
//! results = value { "," value }               of one node: %7, %7.1, %7.2
//! types   = type { "," type }                 one for each result: f32[4], f32[100,4]
//! bodies  = "{" graph "}" { "{" graph "}" }   `{` ends its line, `}` begins one; numbers of values begin anew inside
//! ```
//!
//! Results are numbered in the order of their lines: after `%7, %7.1` comes `%9`.

use std::collections::VecDeque;
use std::str::FromStr;

use crate::builder::Builder;
use crate::graph::{Graph, Value, VarId};
use crate::ops::Op;
use crate::print::listed;
use crate::verify::verify_ends;
use crate::{Body, Check, Error, Origin, Result, Shape, Type};

/// The printed form of an op, from which it reads what it is. The first mistake is kept.
pub struct OpText<'a> {
    name: &'a str,
    rest: &'a str,
    bodies: VecDeque<Body>,
    problem: Option<String>,
}

impl<'a> OpText<'a> {
    /// The printed form of an op and its operands.
    fn new(text: &'a str, bodies: VecDeque<Body>) -> Self {
        let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
        OpText { name, rest: rest.trim_start(), bodies, problem: None }
    }

    /// The first word.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The rest, if the first word is `name`.
    pub fn named(&mut self, name: &str) -> Option<&mut Self> {
        (self.name == name).then_some(self)
    }

    /// The rest, and what `names` has for the first word.
    pub fn one_of<T: Copy>(&mut self, names: &[(&str, T)]) -> Option<(T, &mut Self)> {
        let found = names.iter().find(|(name, _)| *name == self.name);
        found.map(|&(_, meant)| (meant, self))
    }

    /// The next word, unless operands follow.
    pub fn next_word(&mut self) -> Option<&'a str> {
        let (word, rest) = self.rest.split_once(' ').unwrap_or((self.rest, ""));
        if word.is_empty() || word.starts_with('%') {
            return None;
        }
        self.rest = rest.trim_start();
        Some(word)
    }

    /// The next word as what `needed` says it is.
    pub fn word<T: FromStr>(&mut self, needed: &str) -> Option<T> {
        let word = self.next_word().unwrap_or("nothing");
        word.parse().ok().or_else(|| self.fail(format!("needs {needed}, got `{word}`")))
    }

    /// A list of numbers: `[0, 2]`.
    pub fn list(&mut self) -> Option<Box<[usize]>> {
        let (list, rest) = self.rest.split_at(self.rest.find(']').map_or(0, |end| end + 1));
        let Ok(numbers) = list.parse::<Shape>() else {
            return self.fail(format!("needs a list as `[0, 2]`, got `{}`", self.rest));
        };
        self.rest = rest.trim_start();
        Some(numbers[..].into())
    }

    /// The next body.
    pub fn body(&mut self) -> Option<Body> {
        self.bodies.pop_front().or_else(|| self.fail("needs one more body".into()))
    }

    /// Notes a mistake, unless there was one before.
    pub fn fail<T>(&mut self, problem: String) -> Option<T> {
        self.problem.get_or_insert(problem);
        None
    }

    /// The op, and the operands that are left.
    fn op(mut self, types: &[Type]) -> Result<(Op, &'a str), String> {
        match (Op::read(&mut self, types), self.problem) {
            (Some(_), None) if !self.bodies.is_empty() => Err(format!("`{}` has fewer bodies", self.name)),
            (Some(op), None) => Ok((op, self.rest)),
            (_, Some(problem)) => Err(format!("`{}` {problem}", self.name)),
            (None, None) => Err(format!("needs an op, got `{}`", self.name)),
        }
    }
}

/// How many bodies may lie in one another.
const DEEPEST: usize = 32;

/// The lines that say something, with their numbers, without comments.
type Lines<'t> = dyn Iterator<Item = (usize, &'t str)> + 't;

/// A graph, as far as it is read.
#[derive(Default)]
struct Reading {
    builder: Builder,
    updates: Vec<(VarId, Value)>,
    outputs: Vec<Value>,
    checks: Vec<Check>,
}

impl Reading {
    /// A graph up to its end; of a body, also the line that ends it.
    fn read<'t>(lines: &mut Lines<'t>, depth: usize) -> Result<(Graph, Option<&'t str>)> {
        let mut reading = Reading::default();
        let mut end = None;
        while let Some((number, line)) = lines.next() {
            let at = |problem: String| Error::graph(format!("line {number}: {problem}"));
            if line.starts_with('}') && depth == 0 {
                return Err(at(format!("needs a body before `{line}`")));
            }
            if line.starts_with('}') {
                end = Some(line);
                break;
            }
            let mut bodies = VecDeque::new();
            let mut more = line.ends_with('{');
            while more {
                if depth == DEEPEST {
                    return Err(at(format!("needs bodies in at most {DEEPEST} bodies")));
                }
                let (body, end) = Self::read(lines, depth + 1)?;
                bodies.push_back(Body::new(&body).map_err(at)?);
                more = end == Some("} {");
                if !more && end != Some("}") {
                    let got = end.unwrap_or("nothing");
                    return Err(at(format!("needs `}}` or `}} {{` at the end of its body, got `{got}`")));
                }
            }
            reading.line(line.strip_suffix('{').unwrap_or(line).trim(), bodies).map_err(at)?;
        }
        let graph = reading.builder.finish(reading.outputs, reading.updates, reading.checks);
        verify_ends(&graph)?;
        Ok((graph, end))
    }

    fn line(&mut self, line: &str, bodies: VecDeque<Body>) -> Result<(), String> {
        if let Some(value) = line.strip_prefix("output ") {
            self.outputs.push(self.value(value.trim())?);
            return Ok(());
        }
        if let Some((values, text)) = line.strip_prefix("check ").and_then(|rest| rest.split_once(" : ")) {
            let values: Vec<Value> = values.split_whitespace().map(|v| self.value(v)).collect::<Result<_, _>>()?;
            let (&holds, numbers) = values.split_first().ok_or("`check` needs a value, got nothing")?;
            let (text, origin) = (text.trim().into(), Origin::default());
            self.checks.push(Check { holds, text, numbers: numbers.into(), origin });
            return Ok(());
        }
        let form = || format!("needs `%1 = op %0 : type`, `update v0 = %1` or `output %1`, got `{line}`");
        let (left, right) = line.split_once('=').ok_or_else(form)?;
        let (left, right) = (left.trim(), right.trim());
        if let Some(var) = left.strip_prefix("update ") {
            let var = var.trim().parse().map_err(|error: Error| error.message().to_string())?;
            self.updates.push((var, self.value(right)?));
            return Ok(());
        }
        let (call, types) = right.rsplit_once(':').ok_or_else(form)?;
        self.node(left, call.trim(), types.trim(), bodies)
    }

    fn node(&mut self, names: &str, call: &str, types: &str, bodies: VecDeque<Body>) -> Result<(), String> {
        let next = format!("%{}", self.builder.graph().values());
        if names.split(',').next() != Some(&next) {
            return Err(format!("needs `{next}` for the next value, got `{names}`"));
        }
        let types: Vec<Type> = types.split(", ").map(read_type).collect::<Result<_, _>>()?;
        let (op, operands) = OpText::new(call, bodies).op(&types)?;
        let args: Vec<Value> = operands.split_whitespace().map(|arg| self.value(arg)).collect::<Result<_, _>>()?;
        let value = self.builder.push(op, &args)?;
        if value.to_string() != next {
            return Err(format!("{next} is equal to {value}"));
        }
        let graph = self.builder.graph();
        let node = graph.node(value);
        let (own, results) = (graph.results_of(node), listed(node.results()));
        if results != names {
            return Err(format!("needs `{results}` for its results, got `{names}`"));
        }
        if own.iter().copied().eq(&types) {
            Ok(())
        } else {
            Err(format!("{next} is {}, got {}", listed(own), listed(types)))
        }
    }

    fn value(&self, text: &str) -> Result<Value, String> {
        let graph = self.builder.graph();
        let (first, result) = text.split_once('.').unwrap_or((text, "0"));
        let index = |text: &str| text.parse::<usize>().ok();
        let place = first.strip_prefix('%').and_then(index).zip(index(result));
        let value = place.and_then(|(first, result)| graph.value(first.checked_add(result)?));
        let named = value.filter(|value| value.to_string() == text);
        named.ok_or_else(|| format!("needs a value before it as `%0`, got `{text}`"))
    }
}

fn read_type(text: &str) -> Result<Type, String> {
    text.trim().parse().map_err(|error: Error| error.message().to_string())
}

/// Reads what a graph prints as. Errors name the line.
impl FromStr for Graph {
    type Err = Error;

    fn from_str(text: &str) -> Result<Graph> {
        let lines = text.lines().map(|line| line.split(';').next().unwrap_or_default().trim());
        let mut lines = lines.zip(1..).map(|(line, number)| (number, line)).filter(|(_, line)| !line.is_empty());
        Ok(Reading::read(&mut lines, 0)?.0)
    }
}
