//! The operations of the cases by their names.

use serde_json::Value as Json;

use super::{Arguments, Outcome, State, Tables, expression, form, run, scalar, scalars};
use crate::*;

pub(super) fn step(state: State, name: &str, arguments: &Arguments<'_>, tables: &Tables) -> Outcome {
    match state {
        State::Table(table) => match of_columns(&table, name, arguments, tables)? {
            Some(state) => Ok(state),
            None => match of_rows(&table, name, arguments)? {
                Some(state) => Ok(state),
                None => of_table(&table, name, arguments),
            },
        },
        State::Column(column) => match statistic(&column, name, arguments)? {
            Some(state) => Ok(state),
            None => of_column(&column, name, arguments),
        },
        _ => form(format!("`{name}` of what is neither table nor column")),
    }
}

enum New {
    Column(Column),
    Scalar(Scalar),
}

fn of_columns(table: &Table, name: &str, arguments: &Arguments<'_>, tables: &Tables) -> Outcome<Option<State>> {
    let value = || match arguments.needed("value")? {
        json @ Json::Array(_) => super::column(expression(table, json)?).map(New::Column),
        json => Ok(New::Scalar(scalar(json))),
    };
    Ok(Some(State::Table(match name {
        "column" => return Ok(Some(State::Column(table.column(arguments.text("name")?)?.clone()))),
        "compute" => {
            return Ok(Some(State::Column(super::column(expression(table, arguments.needed("value")?)?)?)));
        }
        "select" => table.select(arguments.names("names")?)?,
        "drop" => table.drop(arguments.names("names")?)?,
        "rename" => {
            let names = arguments.pairs("names")?;
            table.rename(names.into_iter().filter_map(|(old, new)| old.as_str().zip(new.as_str())))?
        }
        "with_column" => match value()? {
            New::Column(column) => table.with_column(arguments.text("name")?, column)?,
            New::Scalar(scalar) => table.with_column(arguments.text("name")?, scalar)?,
        },
        "insert" => {
            let (place, name) = (arguments.number("place")?, arguments.text("name")?);
            match value()? {
                New::Column(column) => table.insert(place, name, column)?,
                New::Scalar(scalar) => table.insert(place, name, scalar)?,
            }
        }
        "astype" => {
            let types = arguments.pairs("dtype")?;
            table.astype(types.into_iter().filter_map(|(name, dtype)| name.as_str().zip(dtype.as_str())))?
        }
        "replace" => table.replace(pairs(arguments)?)?,
        "numeric_only" => table.numeric_only(),
        "select_dtypes" => table.select_dtypes(arguments.names("include")?)?,
        "set_index" => table.set_index(arguments.text("keys")?)?,
        "reset_index" => table.reset_index(arguments.flag("drop").unwrap_or(false))?,
        "concat" => concatenated(table, arguments, tables)?,
        _ => return Ok(None),
    })))
}

fn concatenated(table: &Table, arguments: &Arguments<'_>, tables: &Tables) -> Outcome<Table> {
    let mut all = vec![table.clone()];
    for other in arguments.needed("tables")?.as_array().into_iter().flatten() {
        match run(&other["table"], &other["steps"], tables)? {
            State::Table(other) => all.push(other),
            _ => return form("`concat` of what is no table"),
        }
    }
    let mut how = Concat::new().ignore_index(arguments.flag("ignore_index").unwrap_or(false));
    if arguments.get("axis").is_some_and(|axis| *axis == 1) {
        how = how.columns();
    }
    if arguments.get("join").is_some_and(|join| join == "inner") {
        how = how.inner();
    }
    Ok(concat_with(&all, how)?)
}

fn of_rows(table: &Table, name: &str, arguments: &Arguments<'_>) -> Outcome<Option<State>> {
    Ok(Some(State::Table(match name {
        "row" => return Ok(Some(State::Column(table.row(arguments.number("row")?)?))),
        "cell" => {
            let value = table.cell(arguments.number("row")?, arguments.text("name")?)?;
            return Ok(Some(State::Scalar(value.into())));
        }
        "duplicated" => return Ok(Some(State::Column(table.duplicated_with(&duplicates(arguments)?)?))),
        "drop_duplicates" => table.drop_duplicates_with(&duplicates(arguments)?)?,
        "filter" => table.filter(super::column(expression(table, arguments.needed("where")?)?)?)?,
        "take" => {
            let rows = arguments.needed("rows")?.as_array().into_iter().flatten();
            table.take(&rows.filter_map(Json::as_u64).map(|row| row as usize).collect::<Vec<_>>())?
        }
        "slice" => table.slice(arguments.number("start")?..arguments.number("end")?)?,
        "head" => table.head(arguments.number("n")?),
        "tail" => table.tail(arguments.number("n")?),
        "loc" => table.loc(scalars(arguments.needed("labels")?))?,
        "sample" => table.sample(sample(arguments)?)?,
        "sort_values" => table.sort_values(order(arguments, &arguments.names("by")?))?,
        "sort_index" => table.sort_index_with(&order(arguments, &[])),
        "dropna" => table.dropna_with(&missing(arguments)?)?,
        _ => return Ok(None),
    })))
}

fn missing(arguments: &Arguments<'_>) -> Outcome<DropNa> {
    let mut how = DropNa::new().ignore_index(arguments.flag("ignore_index").unwrap_or(false));
    if arguments.get("how").is_some_and(|how| how == "all") {
        how = how.all();
    }
    if arguments.get("thresh").is_some() {
        how = how.thresh(arguments.number("thresh")?);
    }
    if arguments.get("subset").is_some() {
        how = how.subset(arguments.names("subset")?);
    }
    Ok(if arguments.get("axis").is_some_and(|axis| *axis == 1) { how.columns() } else { how })
}

fn of_table(table: &Table, name: &str, arguments: &Arguments<'_>) -> Outcome {
    Ok(State::Table(match name {
        "fillna" => match arguments.needed("value")? {
            Json::Array(fills) => {
                table.fillna_columns(fills.iter().map(|pair| (pair[0].as_str().expect("a name"), fill(&pair[1]))))?
            }
            value => table.fillna(fill(value))?,
        },
        "ffill" => table.ffill(),
        "bfill" => table.bfill(),
        "isna" => table.isna(),
        "notna" => table.notna(),
        "abs" => table.abs()?,
        "round" => table.round(arguments.number("decimals")? as i32)?,
        "cumsum" => table.cumsum()?,
        "mode" => table.mode(),
        "corr" => table.corr()?,
        "cov" => table.cov()?,
        "describe" => table.describe_with(&described(arguments)?)?,
        "info" => return Ok(State::Text(table.info())),
        "print" => return Ok(State::Text(table.to_string())),
        "text" => return Ok(State::Text(format!("{table:#}"))),
        "to_csv" => return Ok(State::Text(written(arguments)?.to_string(table)?)),
        "corr_with" | "cov_with" => {
            let (a, b) = (table.column(arguments.text("a")?)?, table.column(arguments.text("b")?)?);
            return Ok(State::Scalar((if name == "corr_with" { a.corr(b) } else { a.cov(b) })?.into()));
        }
        _ => return Ok(State::Column(across(table, name, arguments)?)),
    }))
}

fn across(table: &Table, name: &str, arguments: &Arguments<'_>) -> Outcome<Column> {
    Ok(match name {
        "sum" => table.sum()?,
        "mean" => table.mean()?,
        "std" => table.std()?,
        "var" => table.var()?,
        "std_with" => table.std_with(arguments.number("ddof")?)?,
        "var_with" => table.var_with(arguments.number("ddof")?)?,
        "median" => table.median()?,
        "min" => table.min()?,
        "max" => table.max()?,
        "idxmin" => table.idxmin()?,
        "idxmax" => table.idxmax()?,
        "any" => table.any()?,
        "all" => table.all()?,
        "count" => table.count(),
        "nunique" => table.nunique(),
        "quantile" => table.quantile(arguments.float("q")?)?,
        _ => return form(format!("operation `{name}` of a table")),
    })
}

fn statistic(column: &Column, name: &str, arguments: &Arguments<'_>) -> Outcome<Option<State>> {
    Ok(Some(State::Scalar(match name {
        "sum" => column.sum()?,
        "mean" => column.mean()?.into(),
        "std" => column.std()?.into(),
        "var" => column.var()?.into(),
        "std_with" => column.std_with(arguments.number("ddof")?)?.into(),
        "var_with" => column.var_with(arguments.number("ddof")?)?.into(),
        "median" => column.median()?.into(),
        "min" => column.min()?,
        "max" => column.max()?,
        "count" => column.count().into(),
        "nunique" => column.nunique().into(),
        "quantile" => column.quantile(arguments.float("q")?)?.into(),
        "idxmin" => column.idxmin()?,
        "idxmax" => column.idxmax()?,
        "any" => column.any()?.into(),
        "all" => column.all()?.into(),
        "get" => column.get(arguments.number("row")?)?.into(),
        _ => return Ok(None),
    })))
}

fn of_column(column: &Column, name: &str, arguments: &Arguments<'_>) -> Outcome {
    Ok(State::Column(match name {
        "head" => column.head(arguments.number("n")?),
        "tail" => column.tail(arguments.number("n")?),
        "isna" => column.isna(),
        "notna" => column.notna(),
        "dropna" => column.dropna(),
        "fillna" => column.fillna(fill(arguments.needed("value")?))?,
        "ffill" => column.ffill(),
        "bfill" => column.bfill(),
        "astype" => column.astype(arguments.text("dtype")?)?,
        "replace" => column.replace(pairs(arguments)?)?,
        "map_values" => column.map_values(pairs(arguments)?),
        "sort_values" => column.sort_values_with(&order(arguments, &[])),
        "sort_index" => column.sort_index_with(&order(arguments, &[])),
        "sample" => column.sample(sample(arguments)?)?,
        "duplicated" => column.duplicated(keep(arguments)?),
        "drop_duplicates" => column.drop_duplicates(),
        "cumsum" => column.cumsum()?,
        "mode" => column.mode(),
        "abs" => column.abs().column()?,
        "round" => column.round(arguments.number("decimals")? as i32).column()?,
        "describe" => column.describe_with(&described(arguments)?)?,
        "value_counts" => {
            let flag = |name, default| arguments.flag(name).unwrap_or(default);
            let how = Counts::new().normalize(flag("normalize", false)).sort(flag("sort", true));
            column.value_counts_with(how.ascending(flag("ascending", false)).dropna(flag("dropna", true)))
        }
        "unique" => return Ok(State::List(column.unique().into_iter().map(Scalar::from).collect())),
        "print" => return Ok(State::Text(column.to_string())),
        "text" => return Ok(State::Text(format!("{column:#}"))),
        _ => return form(format!("operation `{name}` of a column")),
    }))
}

fn pairs(arguments: &Arguments<'_>) -> Outcome<Vec<(Scalar, Scalar)>> {
    Ok(arguments.pairs("pairs")?.into_iter().map(|(old, new)| (scalar(old), scalar(new))).collect())
}

fn fill(json: &Json) -> Fill {
    match (json.as_str(), json["statistic"].as_str()) {
        (Some("ffill"), _) => Fill::Forward,
        (Some("bfill"), _) => Fill::Backward,
        (_, Some("mean")) => Fill::Mean,
        (_, Some("median")) => Fill::Median,
        (_, Some("mode")) => Fill::Mode,
        _ => scalar(json).into(),
    }
}

fn keep(arguments: &Arguments<'_>) -> Outcome<Keep> {
    match arguments.get("keep") {
        None => Ok(Keep::First),
        Some(Json::Bool(false)) => Ok(Keep::Neither),
        Some(keep) if keep == "first" => Ok(Keep::First),
        Some(keep) if keep == "last" => Ok(Keep::Last),
        Some(keep) => form(format!("keep {keep}")),
    }
}

fn duplicates(arguments: &Arguments<'_>) -> Outcome<Duplicates> {
    let how = Duplicates::new().keep(keep(arguments)?).ignore_index(arguments.flag("ignore_index").unwrap_or(false));
    Ok(match arguments.get("subset") {
        Some(_) => how.subset(arguments.names("subset")?),
        None => how,
    })
}

fn sample(arguments: &Arguments<'_>) -> Outcome<Sample> {
    let how = match arguments.get("frac") {
        Some(_) => Sample::frac(arguments.float("frac")?),
        None => Sample::n(arguments.number("n")?),
    };
    let flag = |name| arguments.flag(name).unwrap_or(false);
    let seed = arguments.number("random_state")? as u32;
    Ok(how.random_state(seed).replace(flag("replace")).ignore_index(flag("ignore_index")))
}

fn order(arguments: &Arguments<'_>, names: &[String]) -> SortBy {
    let mut by = SortBy::new(names).ignore_index(arguments.flag("ignore_index").unwrap_or(false));
    match arguments.get("ascending") {
        Some(Json::Bool(false)) => by = by.descending(),
        Some(Json::Array(ways)) => by = by.ascending(ways.iter().filter_map(Json::as_bool)),
        _ => {}
    }
    if arguments.get("na_position").is_some_and(|place| place == "first") { by.na_first() } else { by }
}

fn described(arguments: &Arguments<'_>) -> Outcome<Describe> {
    let mut how = Describe::new();
    match arguments.get("include") {
        Some(all) if all == "all" => how = how.include_all(),
        Some(_) => how = how.include(arguments.names("include")?),
        None => {}
    }
    if let Some(shares) = arguments.get("percentiles") {
        how = how.percentiles(shares.as_array().into_iter().flatten().filter_map(Json::as_f64));
    }
    Ok(how)
}

fn written(arguments: &Arguments<'_>) -> Outcome<ToCsv> {
    let mut how = ToCsv::new().index(arguments.flag("index").unwrap_or(true));
    let text = |name| arguments.get(name).and_then(Json::as_str);
    let letter = |name| text(name).and_then(|text| text.chars().next());
    how = how.sep(letter("sep").unwrap_or(',')).decimal(letter("decimal").unwrap_or('.'));
    match arguments.get("header") {
        Some(Json::Array(_)) => how = how.header_names(arguments.names("header")?),
        Some(header) => how = how.header(*header == true),
        None => {}
    }
    if arguments.get("columns").is_some() {
        how = how.columns(arguments.names("columns")?);
    }
    if let Some(text) = text("na_rep") {
        how = how.na_rep(text);
    }
    if let Some(text) = text("float_format") {
        how = how.float_format(text);
    }
    if let Some(text) = text("index_label") {
        how = how.index_label(text);
    }
    Ok(how)
}
