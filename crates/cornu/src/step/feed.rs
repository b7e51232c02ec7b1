//! Data on its way into a step: checked shapes, Keras's element types, and rows picked without copies in between.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::sync::Arc;

use cornu_graph::{
    AnyArray, Array, Arrays, Context, DType, DataKind, Error, Feed, Loan, Result, Run, Session, Shape, ToArray,
    ToArrays, Type,
};

use cornu_graph::room::{self, room};

use super::cast::cast;
use crate::layers::BatchShape;
use crate::net::{HostStage, InputSpec, Port};

/// What has no room, if there are too many rows.
pub(crate) const ORDER: &str = "the order of the rows";

/// Features, and labels and weights if there are any, with the same number of rows.
pub(crate) struct Data {
    /// One for each input of the graph.
    pub(crate) x: Vec<Array>,
    /// The shape of the first input of the model, where that is not one of the graph.
    given: Option<Shape>,
    /// One for each output that is judged; none to predict.
    pub(crate) y: Vec<Array>,
    /// None, one for all outputs that are judged, or one for each.
    pub(crate) weights: Vec<Array>,
}

/// What data is for: the names and types of inputs, the names of outputs, and which of these are judged.
#[derive(Clone)]
pub(crate) struct Ends<'a> {
    pub(crate) inputs: Cow<'a, [InputSpec]>,
    pub(crate) outputs: Vec<String>,
    pub(crate) judged: Vec<usize>,
    /// What runs on the host before the graph.
    pub(crate) host: Option<Arc<HostStage>>,
}

/// What one gives a model: features, labels, and what each row weighs.
#[derive(Clone, Default)]
pub(crate) struct Given {
    pub(crate) x: Arrays,
    pub(crate) y: Option<Arrays>,
    pub(crate) weights: Option<Arrays>,
}

/// `x`, or `x["name"]` where there are several.
pub(crate) fn label(what: &str, name: &str, several: bool) -> impl Display {
    fmt::from_fn(move |f| if several { write!(f, "{what}[{name:?}]") } else { f.write_str(what) })
}

impl Given {
    /// Data to predict from.
    pub(crate) fn features(x: Arrays) -> Given {
        Given { x, y: None, weights: None }
    }

    /// Data to train on or to evaluate with, kept.
    pub(crate) fn labelled(x: impl ToArrays, y: impl ToArrays) -> Result<Given> {
        Ok(Given { y: Some(y.into_arrays()?), ..Given::features(x.into_arrays()?) })
    }

    /// Data to train on or to evaluate with, in place.
    pub(crate) fn lent<'env>(x: &'env impl ToArrays, y: &'env impl ToArrays, loan: &Loan<'env>) -> Result<Given> {
        Ok(Given { y: Some(y.lend_arrays(loan)?), ..Given::features(x.lend_arrays(loan)?) })
    }

    /// The same, each row with a weight.
    pub(crate) fn weighted(self, weights: Option<Result<Arrays>>) -> Result<Given> {
        Ok(Given { weights: weights.transpose()?, ..self })
    }

    /// The data as a model takes it: features of the types of its inputs, labels in its precision but for whole numbers,
    /// which keep their type until the loss.
    pub(crate) fn of(self, ends: &Ends) -> Result<Data> {
        let given = features(self.x, ends)?;
        // Collected in place, the arrays would be moved to smaller memory, as they take less of it than any that may be texts.
        let mut x = Vec::with_capacity(ends.inputs.len());
        let mut first = None;
        match &ends.host {
            None => {
                for found in given {
                    let (found, input) = found?;
                    x.push(ends.cast(found, Some(input))?);
                }
            }
            Some(host) => {
                let given = given.map(|x| Ok(x?.0)).collect::<Result<Vec<AnyArray>>>()?;
                same_rows(given.iter().map(AnyArray::shape))?;
                first = Some(given[0].shape().clone());
                let entries = host.entries.iter().map(|entry| match *entry {
                    Port::Input(index) => ends.inputs.get(index),
                    Port::Output { .. } => None,
                });
                for (found, input) in host.before(given, &ends.inputs)?.into_iter().zip(entries) {
                    x.push(ends.cast(found, input)?);
                }
            }
        }
        same_rows(x.iter().map(Array::shape))?;
        let rows = x[0].shape()[0];
        let y = self.y.map_or_else(|| Ok(Vec::new()), |y| labels(y, ends, &x))?;
        let weights = self.weights.map_or_else(|| Ok(Vec::new()), |weights| weights_of(weights, ends, rows))?;
        let doubles = ends.inputs.iter().any(|input| input.kind == DataKind::Numbers(DType::F64));
        let floats = if doubles { DType::F64 } else { DType::F32 };
        let y = y.into_iter().zip(ends.labels("y"));
        let y = y.map(|(y, name)| if y.dtype().is_float() { cast(y, floats, &name) } else { Ok(y) });
        Ok(Data { x, given: first, y: y.collect::<Result<_>>()?, weights })
    }
}

impl Ends<'_> {
    /// The same, for as long as one likes.
    pub(crate) fn owned(self) -> Ends<'static> {
        Ends { inputs: Cow::Owned(self.inputs.into_owned()), ..self }
    }

    /// An input of the graph in the type of that of the model, if it is one.
    fn cast(&self, x: AnyArray, input: Option<&InputSpec>) -> Result<Array> {
        let Some(InputSpec { name, kind, .. }) = input else { return x.into_array() };
        let label = label("x", name, self.inputs.len() > 1);
        match (x, kind) {
            (AnyArray::Numbers(x), DataKind::Numbers(dtype)) => cast(x, *dtype, &label),
            (x, kind) => {
                let got = x.kind();
                let error = Error::data(format!("`{label}` needs `{}`, got `{}`", kind.keras_name(), got.keras_name()));
                Err(match got {
                    DataKind::Texts => {
                        error.help("a model takes texts by a layer such as `StringLookup`, as its first")
                    }
                    DataKind::Numbers(_) => error,
                })
            }
        }
    }

    /// `y`, or `y["name"]` for each output that is judged.
    pub(crate) fn labels<'a>(&'a self, what: &'a str) -> impl Iterator<Item = String> + 'a {
        self.judged.iter().map(move |&output| label(what, &self.outputs[output], self.outputs.len() > 1).to_string())
    }

    /// What is given for the outputs that are judged, by name or position; nothing for one that has no name there.
    fn by_output(&self, what: &str, given: Arrays) -> Result<Vec<Option<Array>>> {
        let names: Vec<&str> = self.outputs.iter().map(String::as_str).collect();
        let mut each = numbers(what, given.by_name(what, &names)?)?;
        let (outputs, judged) = (self.outputs.len(), self.judged.len());
        match each.len() {
            got if got == outputs => Ok(self.judged.iter().map(|&output| each[output].take()).collect()),
            got if got == judged => Ok(each),
            got => {
                let arrays = if outputs == 1 { "array" } else { "arrays" };
                Err(Error::data(format!("`{what}` needs {outputs} {arrays}, one for each output, got {got}")))
            }
        }
    }
}

/// Those that are given, which have to be numbers.
fn numbers(what: &str, given: Vec<Option<AnyArray>>) -> Result<Vec<Option<Array>>> {
    let of = |any: Option<AnyArray>| any.map(AnyArray::into_array).transpose();
    given.into_iter().map(of).collect::<Result<_>>().context(format_args!("`{what}`"))
}

/// What is given for each input, with it.
fn features<'a>(x: Arrays, ends: &'a Ends) -> Result<impl Iterator<Item = Result<(AnyArray, &'a InputSpec)>>> {
    let (needed, several) = (ends.inputs.len(), ends.inputs.len() > 1);
    let names: Vec<&str> = match x.are_named() {
        true => ends.inputs.iter().map(|input| input.name.as_str()).collect(),
        false => Vec::new(),
    };
    let given = x.by_name("x", &names)?;
    if given.len() != needed {
        let plural = if several { "s" } else { "" };
        return Err(Error::usage(format!("the model takes {needed} input{plural}, got {}", given.len())));
    }
    Ok(given.into_iter().zip(&*ends.inputs).map(move |(x, input)| {
        let x = x.ok_or_else(|| Error::data(format!("`x` needs an array for the input `{}`", input.name)))?;
        let x = column(x, &label("x", &input.name, several))?;
        // Samples that are numbers stay so, where the model takes such.
        let rows = x.shape()[0];
        let x = if input.shape.len() == 1 && x.shape()[..] == [rows, 1] { x.reshape([rows])? } else { x };
        Ok((x, input))
    }))
}

/// Whether all inputs have as many rows as the first.
fn same_rows<'a>(mut shapes: impl Iterator<Item = &'a Shape>) -> Result<()> {
    let rows = shapes.next().map_or(0, |shape| shape[0]);
    match shapes.map(|shape| shape[0]).find(|&got| got != rows) {
        None => Ok(()),
        Some(got) => Err(Error::data(format!("all inputs need the same number of rows, got {rows} and {got}"))),
    }
}

fn labels(y: Arrays, ends: &Ends, x: &[Array]) -> Result<Vec<Array>> {
    ends.host.as_ref().map_or(Ok(()), |host| host.judges(&ends.judged, &ends.outputs))?;
    let one = |(y, name): (Option<Array>, String)| {
        let y = y.ok_or_else(|| Error::data(format!("there are no labels `{name}`")))?;
        let y = column(y.into_any()?, &name)?.into_array()?;
        let (rows, labels) = (x[0].shape()[0], y.shape()[0]);
        if rows == labels {
            return Ok(y);
        }
        let message = format!("`x` and `{name}` need the same number of rows, got {rows} and {labels}");
        let transposed = x[0].shape().rank() == 2 && x[0].shape()[1] == labels;
        Err(Error::data(message).help(match transposed {
            true => "each row of `x` is one sample: turn columns into rows by `x.t()`",
            false => "give `y` one label for each row of `x`",
        }))
    };
    ends.by_output("y", y)?.into_iter().zip(ends.labels("y")).map(one).collect()
}

fn weights_of(weights: Arrays, ends: &Ends, rows: usize) -> Result<Vec<Array>> {
    const WHAT: &str = "sample_weight";
    let for_all = weights.len() == 1 && !weights.are_named();
    let (each, names) = match for_all {
        true => (numbers(WHAT, weights.by_name(WHAT, &[])?)?, vec![WHAT.to_owned()]),
        false => (ends.by_output(WHAT, weights)?, ends.labels(WHAT).collect()),
    };
    let one = |(weights, name): (Option<Array>, String)| {
        let Some(weights) = weights else { return Ok(Array::vector(vec![1.0f32; rows])) };
        if weights.len() != rows || weights.shape().first() != Some(&rows) {
            let got = weights.shape();
            return Err(Error::data(format!("`{name}` needs one weight for each of {rows} rows, got {got}")));
        }
        if let Some(row) = (0..weights.len()).find(|&row| weights.get(row) < 0.0) {
            let got = weights.get(row);
            return Err(Error::data(format!("`{name}` needs weights of 0 or more, got {got} in row {row}")));
        }
        cast(weights, DType::F32, &name)?.reshape([rows])
    };
    each.into_iter().zip(names).map(one).collect()
}

impl Data {
    /// The number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.x[0].shape()[0]
    }

    /// Some of the rows, as data of their own.
    pub(crate) fn take(&self, rows: &[usize]) -> Result<Data> {
        let take = |array: &Array| {
            let sizes = [array.shape().with(0, rows.len()).size(), array.dtype().size()];
            room::<u8>("the split of the rows", &sizes)?;
            Ok(array.rows(rows))
        };
        let all = |arrays: &[Array]| arrays.iter().map(take).collect::<Result<_>>();
        Ok(Data { x: all(&self.x)?, given: self.given.clone(), y: all(&self.y)?, weights: all(&self.weights)? })
    }

    /// The arrays in the order of a step's inputs, with what `keep` makes of each.
    fn fed(self, keep: impl Fn(Array) -> Result<Kept>) -> Result<Fed> {
        let (inputs, labels) = (self.x.len(), self.y.len());
        let mut arrays = Vec::with_capacity(inputs + labels + self.weights.len());
        for array in self.x.into_iter().chain(self.y).chain(self.weights) {
            arrays.push(keep(array)?);
        }
        Ok(Fed { arrays, inputs, labels })
    }

    /// To be fed once, all rows at a time.
    pub(crate) fn here(self) -> Result<Fed> {
        self.fed(|array| Ok(Kept::Here(array)))
    }

    /// Brings it to the machine, to be fed by rows.
    ///
    /// # Errors
    /// Those of a session, and more rows than 32 bits can number.
    pub(crate) fn upload(self, session: &dyn Session) -> Result<Fed> {
        if u32::try_from(self.rows()).is_err() {
            return Err(Error::data(format!("`x` needs fewer rows than 2^32, got {}", self.rows())));
        }
        self.fed(|array| session.upload(array).map(Kept::There))
    }

    /// The shape of batches of the first input of the model.
    pub(crate) fn batch_shape(&self) -> BatchShape {
        let shape = self.given.as_ref().unwrap_or(self.x[0].shape());
        std::iter::once(None).chain(shape[1..].iter().map(|&size| Some(size))).collect()
    }

    /// What the inputs of a step over so many rows are.
    pub(crate) fn sample(&self, rows: usize) -> Vec<Type> {
        self.x.iter().map(|array| Type::new(array.dtype(), array.shape().with(0, rows))).collect()
    }
}

/// Features, and labels and weights if there are any, on their way into steps.
pub(crate) struct Fed {
    arrays: Vec<Kept>,
    /// How many are features.
    pub(crate) inputs: usize,
    /// How many are labels.
    pub(crate) labels: usize,
}

enum Kept {
    /// An array that is fed as it is.
    Here(Array),
    /// Data of a machine that is fed by rows.
    There(cornu_graph::Data),
}

impl Kept {
    fn ty(&self) -> (DType, &Shape) {
        match self {
            Kept::Here(array) => (array.dtype(), array.shape()),
            Kept::There(data) => (data.ty().dtype, &data.ty().shape),
        }
    }

    fn feed<'a>(&'a self, rows: &'a [u32]) -> Feed<'a> {
        match self {
            Kept::Here(array) => Feed::Host(array),
            Kept::There(data) => Feed::Rows(data, rows),
        }
    }
}

impl Fed {
    /// The number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.arrays[0].ty().1[0]
    }

    /// The arrays, if all of them are on the machine.
    pub(crate) fn there(&self) -> Option<Vec<&cornu_graph::Data>> {
        self.arrays.iter().map(|array| if let Kept::There(data) = array { Some(data) } else { None }).collect()
    }

    /// The rows of each batch, if `size` leaves no shorter last one.
    pub(crate) fn one_size(&self, size: usize) -> Option<usize> {
        self.rows().is_multiple_of(size).then_some(size)
    }

    /// All rows, from the first on.
    pub(crate) fn order(&self) -> Result<Vec<u32>> {
        let mut order = room::empty(ORDER, self.rows())?;
        order.extend(0..self.rows() as u32);
        Ok(order)
    }

    /// Begins a step over those rows; over all, where the arrays are fed as they are. Allocates nothing for up to [`FEW`]
    /// arrays.
    pub(crate) fn start(&self, run: &mut dyn Run, rows: &[u32]) -> Result<()> {
        if self.arrays.len() > FEW {
            return run.start(&self.arrays.iter().map(|array| array.feed(rows)).collect::<Vec<_>>());
        }
        let mut few = [self.arrays[0].feed(rows); FEW];
        few.iter_mut().zip(&self.arrays).for_each(|(place, array)| *place = array.feed(rows));
        run.start(&few[..self.arrays.len()])
    }

    /// Steps over those rows, in whole batches.
    pub(crate) fn start_all(&self, run: &mut dyn Run, rows: &[u32], batch: usize) -> Result<()> {
        if let Some(there) = self.there() {
            return run.steps(&there, rows, batch);
        }
        rows.chunks_exact(batch).try_for_each(|rows| self.start(run, rows))
    }

    /// What the inputs of a step over `rows` rows are.
    pub(crate) fn types(&self, rows: usize) -> Vec<Type> {
        self.arrays.iter().map(Kept::ty).map(|(dtype, shape)| Type::new(dtype, shape.with(0, rows))).collect()
    }

    /// Whether these are [`Fed::types`], found without an allocation, as it is asked for each batch.
    pub(crate) fn has(&self, types: &[Type], rows: usize) -> bool {
        let fits = |(array, ty): (&Kept, &Type)| {
            let (dtype, shape) = array.ty();
            dtype == ty.dtype && shape[1..] == ty.shape[1..] && ty.shape[0] == rows
        };
        self.arrays.len() == types.len() && self.arrays.iter().zip(types).all(fits)
    }
}

/// Features, labels and weights of a model of two inputs and outputs are as many.
const FEW: usize = 6;

/// A row of numbers as a column; anything with rows as it is.
fn column(array: AnyArray, name: &impl Display) -> Result<AnyArray> {
    match array.shape().rank() {
        0 => Err(Error::data(format!("`{name}` needs rows, got a single number")).help("give a list with one element")),
        1 => {
            let rows = array.shape()[0];
            array.reshape([rows, 1])
        }
        _ => Ok(array),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(all: &[(&str, DType)]) -> Cow<'static, [InputSpec]> {
        let input = |&(name, dtype): &(&str, DType)| InputSpec {
            name: name.to_owned(),
            shape: Vec::new(),
            kind: DataKind::Numbers(dtype),
        };
        all.iter().map(input).collect()
    }

    fn features(x: impl ToArrays) -> Result<Given> {
        x.into_arrays().map(Given::features)
    }

    #[test]
    fn rows_become_columns_and_only_features_become_floats() {
        let ends =
            Ends { inputs: inputs(&[("x", DType::F32)]), outputs: vec!["y".into()], judged: vec![0], host: None };
        let of = |given: Result<Given>| given.and_then(|given| given.of(&ends));
        let data =
            of(Given::labelled(&[[0.5, 1.5], [2.5, 3.5]], &[0i64, 1])).and_then(Data::here).expect("two rows each");
        let types = [Type::f32([1, 2]), Type::new(DType::I64, [1, 1])];
        assert_eq!(data.types(1), types);
        assert!(data.has(&types, 1) && !data.has(&types, 2) && !data.has(&types[..1], 1));
        assert!(
            !data.has(&[Type::f32([1, 2]), Type::f32([1, 1])], 1)
                && !data.has(&[Type::f32([1, 3]), types[1].clone()], 1)
        );
        let error = of(Given::labelled(&[0.5, 1.0], &[1])).err().expect("two rows against one");
        assert_eq!(error.message(), "`x` and `y` need the same number of rows, got 2 and 1");
        let weighted = |weights: f64| {
            Given::labelled(&[0.5, 1.0], &[1, 0])?.weighted(Some(vec![weights].into_arrays()))?.of(&ends)
        };
        let error = weighted(1.0).err().expect("one weight for two rows");
        assert_eq!(error.message(), "`sample_weight` needs one weight for each of 2 rows, got [1]");
    }

    #[test]
    fn arrays_go_to_inputs_and_outputs_by_name_or_position() {
        let inputs = inputs(&[("a", DType::I64), ("b", DType::F32)]);
        let ends = Ends { inputs, outputs: vec!["p".into(), "q".into()], judged: vec![1], host: None };
        let data =
            Given::labelled([("b", [0.5, 1.5]), ("a", [1.0, 2.0])], [("q", [3, 4])]).and_then(|given| given.of(&ends));
        let data = data.expect("by name");
        assert_eq!(data.y[0].to_vec::<i64>(), [3, 4]);
        let data = data.here().expect("arrays");
        assert_eq!(data.types(2)[..2], [Type::new(DType::I64, [2, 1]), Type::f32([2, 1])]);
        let message = |given: Result<Given>| match given.and_then(|given| given.of(&ends)) {
            Ok(_) => panic!("data that fits"),
            Err(error) => error.message().to_owned(),
        };
        assert_eq!(message(features(&[[1.0]])), "the model takes 2 inputs, got 1");
        assert_eq!(message(features([("a", [1.0])])), "`x` needs an array for the input `b`");
        assert_eq!(message(features(([1.0], [1.0, 2.0]))), "all inputs need the same number of rows, got 1 and 2");
        let two = || ([1.0, 2.0], [1.0, 2.0]);
        assert_eq!(message(Given::labelled(two(), [("p", [1, 2])])), "there are no labels `y[\"q\"]`");
        let text = message(Given::labelled(two(), ([1], [1], [1])));
        assert_eq!(text, "`y` needs 2 arrays, one for each output, got 3");
        let text = message(Given::labelled(two(), [1]));
        assert_eq!(text, "`x` and `y[\"q\"]` need the same number of rows, got 2 and 1");
        assert_eq!(
            message(features(([0.5], [1.0]))),
            "`x[\"a\"]` needs numbers that the input's type `int64` can hold, got 0.5 in row 0"
        );
    }
}
