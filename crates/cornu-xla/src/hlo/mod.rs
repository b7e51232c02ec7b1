//! Graphs as StableHLO: text, in which every value has a name of its own and says its type.

mod constants;
mod control;
mod convolve;
mod module;
mod ops;
mod pooling;
mod random;

use std::fmt::{self, Display, Write};

use cornu_graph::ops::{Leaf, Op};
use cornu_graph::{Check, DType, Graph, Number, Type, Value, VarId};

pub(crate) use module::{Module, Source};

/// A value: prints as its name.
#[derive(Clone, Debug)]
pub(super) struct Val {
    name: String,
    ty: Type,
}

impl Display for Val {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// `tensor<2x3xf32>`
pub(super) struct Hlo<'a>(&'a Type);

impl Display for Hlo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tensor<")?;
        self.0.shape.iter().try_for_each(|dim| write!(f, "{dim}x"))?;
        match self.0.dtype {
            DType::Bool => f.write_str("i1>"),
            dtype if dtype.is_whole() && !dtype.is_signed() => write!(f, "ui{}>", 8 * dtype.size()),
            dtype => write!(f, "{dtype}>"),
        }
    }
}

/// Texts with commas between.
fn listed<T: Display>(all: impl IntoIterator<Item = T>) -> String {
    all.into_iter().map(|one| one.to_string()).collect::<Vec<_>>().join(", ")
}

fn types<'a>(values: impl IntoIterator<Item = &'a Val>) -> String {
    listed(values.into_iter().map(|value| Hlo(&value.ty)))
}

fn scalar(dtype: DType) -> Type {
    Type::scalar(dtype)
}

/// A check that was written: what must be true, and the numbers of its text.
#[derive(Clone, Debug)]
pub(super) struct Found {
    holds: Val,
    numbers: Vec<Val>,
    check: Check,
}

impl Found {
    /// The truth, then the numbers.
    fn all(&self) -> Vec<Val> {
        std::iter::once(&self.holds).chain(&self.numbers).cloned().collect()
    }

    /// The same check of other values.
    fn with(&self, values: &mut impl Iterator<Item = Val>) -> Found {
        let mut next = || values.next().expect("as many values as before");
        let holds = next();
        Found { holds, numbers: self.numbers.iter().map(|_| next()).collect(), check: self.check.clone() }
    }
}

/// A text that grows line by line.
#[derive(Default)]
pub(super) struct Writer {
    text: String,
    /// How many names were given: values inside of loops and branches have others than those around them.
    names: usize,
    /// What stands behind each line: where it was traced.
    comment: String,
    /// The checks written so far, in the order in which they are looked at.
    checks: Vec<Found>,
}

impl Writer {
    fn line(&mut self, text: impl Display) {
        writeln!(self.text, "    {text}{}", self.comment).expect("memory");
    }

    /// A new value of that type.
    fn name(&mut self, ty: Type) -> Val {
        self.names += 1;
        Val { name: format!("%{}", self.names), ty }
    }

    /// A line that makes a value.
    fn add(&mut self, ty: Type, text: impl Display) -> Val {
        let value = self.name(ty);
        self.line(format_args!("{value} = {text}"));
        value
    }

    /// What a function writes, apart.
    fn apart<T>(&mut self, write: impl FnOnce(&mut Writer) -> T) -> (String, T) {
        let outer = std::mem::take(&mut self.text);
        let result = write(self);
        (std::mem::replace(&mut self.text, outer), result)
    }

    fn unary(&mut self, op: &str, x: &Val) -> Val {
        self.add(x.ty.clone(), format_args!("{op} {x} : {}", Hlo(&x.ty)))
    }

    fn binary(&mut self, op: &str, a: &Val, b: &Val) -> Val {
        self.add(a.ty.clone(), format_args!("stablehlo.{op} {a}, {b} : {}", Hlo(&a.ty)))
    }

    fn and(&mut self, a: &Val, b: &Val) -> Val {
        self.binary("and", a, b)
    }

    fn or(&mut self, a: &Val, b: &Val) -> Val {
        self.binary("or", a, b)
    }

    /// A comparison by its name: `EQ`, `NE`, `LT`, `LE`, `GT`, `GE`.
    fn compare(&mut self, how: &str, a: &Val, b: &Val) -> Val {
        let kind = match a.ty.dtype {
            dtype if dtype.is_float() => "FLOAT",
            dtype if dtype.is_signed() => "SIGNED",
            _ => "UNSIGNED",
        };
        let (from, to) = (Hlo(&a.ty), a.ty.with_dtype(DType::Bool));
        let text = format!("stablehlo.compare {how}, {a}, {b}, {kind} : ({from}, {from}) -> {}", Hlo(&to));
        self.add(to, text)
    }

    /// Whether it is not a number.
    fn is_nan(&mut self, x: &Val) -> Val {
        self.compare("NE", x, x)
    }

    /// The condition may be a scalar.
    fn select(&mut self, c: &Val, a: &Val, b: &Val) -> Val {
        self.add(a.ty.clone(), format_args!("stablehlo.select {c}, {a}, {b} : {}, {}", Hlo(&c.ty), Hlo(&a.ty)))
    }

    /// A line of one operand that becomes another type.
    fn become_type(&mut self, op: &str, x: &Val, ty: Type) -> Val {
        if ty == x.ty {
            return x.clone();
        }
        let text = format!("stablehlo.{op} : ({}) -> {}", Hlo(&x.ty), Hlo(&ty));
        self.add(ty, text)
    }

    fn convert(&mut self, x: &Val, dtype: DType) -> Val {
        self.become_type(&format!("convert {x}"), x, x.ty.with_dtype(dtype))
    }

    /// The same bits.
    fn bits(&mut self, x: &Val, dtype: DType) -> Val {
        self.become_type(&format!("bitcast_convert {x}"), x, x.ty.with_dtype(dtype))
    }

    fn reshape(&mut self, x: &Val, shape: &[usize]) -> Val {
        self.become_type(&format!("reshape {x}"), x, Type::new(x.ty.dtype, shape))
    }

    /// Axis `i` becomes axis `axes[i]`.
    fn broadcast(&mut self, x: &Val, shape: &[usize], axes: &[usize]) -> Val {
        self.become_type(&format!("broadcast_in_dim {x}, dims = {axes:?}"), x, Type::new(x.ty.dtype, shape))
    }

    /// From `starts`, before `limits`, every `strides`-th.
    fn slice(&mut self, x: &Val, parts: &[(usize, usize, usize)], shape: &[usize]) -> Val {
        let parts = listed(parts.iter().map(|(start, limit, stride)| format!("{start}:{limit}:{stride}")));
        self.become_type(&format!("slice {x} [{parts}]"), x, Type::new(x.ty.dtype, shape))
    }

    fn concatenate(&mut self, all: &[Val], axis: usize, ty: &Type) -> Val {
        let text = format!("stablehlo.concatenate {}, dim = {axis} : ({}) -> {}", listed(all), types(all), Hlo(ty));
        self.add(ty.clone(), text)
    }

    fn iota(&mut self, ty: &Type, axis: usize) -> Val {
        self.add(ty.clone(), format_args!("stablehlo.iota dim = {axis} : {}", Hlo(ty)))
    }

    /// One number as often as the type has elements.
    fn splat(&mut self, number: impl Into<Number>, ty: &Type) -> Val {
        let element = constants::element(number.into(), ty.dtype);
        self.add(ty.clone(), format_args!("stablehlo.constant dense<{element}> : {}", Hlo(ty)))
    }

    /// A whole number of the type of a counter.
    fn int(&mut self, number: i64) -> Val {
        self.splat(Number::Whole(number.into()), &scalar(DType::I32))
    }

    fn truth(&mut self, truth: bool) -> Val {
        self.splat(truth, &scalar(DType::Bool))
    }

    /// Rows of a table along its first axis; a number that is of none is held within them.
    fn rows(&mut self, table: &Val, rows: &Val) -> Val {
        let (rank, inner) = (rows.ty.rank(), &table.ty.shape[1..]);
        let ty = Type::new(table.ty.dtype, [&rows.ty.shape[..], inner].concat());
        let offsets: Vec<usize> = (rank..rank + inner.len()).collect();
        let sizes = listed([1].iter().chain(inner));
        let numbers = format!(
            "offset_dims = {offsets:?}, collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = {rank}"
        );
        let text = format!(
            "\"stablehlo.gather\"({table}, {rows}) <{{dimension_numbers = #stablehlo.gather<{numbers}>, \
             slice_sizes = array<i64: {sizes}>}}> : ({}, {}) -> {}",
            Hlo(&table.ty),
            Hlo(&rows.ty),
            Hlo(&ty)
        );
        self.add(ty, text)
    }

    /// Rows from a row on, as many as the type has.
    fn dynamic_slice(&mut self, x: &Val, start: &Val, count: usize) -> Val {
        let shape = x.ty.shape.with(0, count);
        let (starts, ty) = (self.starts(start, x.ty.rank()), Type::new(x.ty.dtype, shape.clone()));
        let (from, sizes) = (listed(std::iter::once(x).chain(&starts)), listed(shape.iter()));
        let given = types(std::iter::once(x).chain(&starts));
        let text = format!("stablehlo.dynamic_slice {from}, sizes = [{sizes}] : ({given}) -> {}", Hlo(&ty));
        self.add(ty, text)
    }

    /// The same with other rows from a row on.
    fn dynamic_update(&mut self, x: &Val, rows: &Val, start: &Val) -> Val {
        let args = [vec![x.clone(), rows.clone()], self.starts(start, x.ty.rank())].concat();
        let (to, given) = (Hlo(&x.ty), types(&args));
        let text = format!("stablehlo.dynamic_update_slice {} : ({given}) -> {to}", listed(&args));
        self.add(x.ty.clone(), text)
    }

    fn starts(&mut self, start: &Val, rank: usize) -> Vec<Val> {
        let zero = self.splat(Number::Whole(0), &start.ty);
        std::iter::once(start.clone()).chain(vec![zero; rank - 1]).collect()
    }

    /// A line with regions that makes several values.
    fn add_all(&mut self, types: Vec<Type>, text: impl FnOnce(&str) -> String) -> Vec<Val> {
        let (first, count) = (self.name(scalar(DType::Bool)), types.len());
        let results = if count == 0 { String::new() } else { format!("{first}:{count} = ") };
        let text = text(&results);
        self.line(text);
        types.into_iter().enumerate().map(|(i, ty)| Val { name: format!("{first}#{i}"), ty }).collect()
    }

    /// A line of an op with one region, a function of elements of those types.
    fn with_region(
        &mut self,
        op: &str,
        args: &[&Val],
        how: &str,
        params: &[Type],
        results: Vec<Type>,
        function: impl FnOnce(&mut Writer, &[Val]) -> Vec<Val>,
    ) -> Vec<Val> {
        let params: Vec<Val> = params.iter().map(|ty| self.name(ty.clone())).collect();
        let (region, ()) = self.apart(|w| {
            let given = function(w, &params);
            w.returned(&given);
        });
        let params = listed(params.iter().map(|param| format!("{param}: {}", Hlo(&param.ty))));
        let (args, from, to) = (listed(args), types(args.iter().copied()), listed(results.iter().map(Hlo)));
        self.add_all(results, |results| {
            let head = format!("{results}\"stablehlo.{op}\"({args}) <{{{how}}}>");
            format!("{head} ({{\n    ^bb0({params}):\n{region}    }}) : ({from}) -> ({to})")
        })
    }

    /// The end of a region.
    fn returned(&mut self, values: &[Val]) {
        let given = if values.is_empty() { String::new() } else { format!(" : {}", types(values)) };
        self.line(format_args!("stablehlo.return {}{given}", listed(values)));
    }

    /// What a graph computes of those inputs and variables; its checks are noted.
    fn graph(&mut self, graph: &Graph, inputs: &[Val], var: &dyn Fn(VarId) -> Val) -> Written {
        let live = graph.live();
        let mut values: Vec<Option<Val>> = vec![None; graph.values()];
        for (first, node) in graph.nodes().filter(|(first, _)| live[first.index()]) {
            let args: Vec<Val> = node.args.iter().map(|arg| got(&values, *arg)).collect();
            let origin = graph.origin(first);
            // A name of a layer may be of several lines, a comment may not.
            let place = || format!(" // {origin}").replace(char::is_control, " ");
            self.comment = if origin.is_unknown() { String::new() } else { place() };
            let results = match &node.op {
                Op::Leaf(Leaf::Input { index, .. }) => vec![inputs[*index].clone()],
                Op::Leaf(Leaf::Var { id, .. }) => vec![var(*id)],
                op => ops::write(self, op, &args, &graph.results_of(node)),
            };
            node.results().zip(results).for_each(|(value, result)| values[value.index()] = Some(result));
        }
        self.comment.clear();
        for check in &graph.checks {
            let numbers = check.numbers.iter().map(|&value| got(&values, value)).collect();
            self.checks.push(Found { holds: got(&values, check.holds), numbers, check: check.clone() });
        }
        Written(values)
    }
}

/// What the values of a graph are.
struct Written(Vec<Option<Val>>);

impl Written {
    fn all(&self, values: impl IntoIterator<Item = Value>) -> Vec<Val> {
        values.into_iter().map(|value| got(&self.0, value)).collect()
    }
}

fn got(values: &[Option<Val>], value: Value) -> Val {
    values[value.index()].clone().expect("what is live was written")
}
