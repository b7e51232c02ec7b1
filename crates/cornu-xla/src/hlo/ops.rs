//! Each op as lines of StableHLO, with the meaning that its definition in `cornu-graph` gives it.

use cornu_graph::ops::{Arg, Binary, Compare, Dot, Leaf, Op, Reduce, Reduction, Unary};
use cornu_graph::{DType, Number, Type};

use super::{Hlo, Val, Writer, listed, scalar};

/// Writes an op on those operands, and gives its results. A new op needs its line here.
pub(super) fn write(w: &mut Writer, op: &Op, args: &[Val], types: &[&Type]) -> Vec<Val> {
    let (x, ty) = (args.first(), types[0]);
    let x = || x.expect("an operand");
    vec![match op {
        Op::Leaf(Leaf::Constant(constant)) => w.constant(constant.array()),
        Op::Leaf(Leaf::Input { .. } | Leaf::Var { .. }) => unreachable!("the graph's writer knows what is given"),
        Op::Unary(op) => w.of_one(*op, x()),
        Op::Binary(op) => w.of_two(*op, x(), &args[1]),
        Op::Compare(op) => w.compare(name_of(*op), x(), &args[1]),
        Op::Select(_) => w.select(x(), &args[1], &args[2]),
        Op::Cast(_) => w.cast(x(), ty.dtype),
        Op::Dot(op) => w.dot(*op, x(), &args[1], ty),
        Op::Conv(op) => w.conv(&op.window, op.groups, [x(), &args[1]], ty),
        Op::ConvInput(op) => w.conv_input(&op.window, op.groups, [x(), &args[1]], ty),
        Op::ConvWeights(op) => w.conv_weights(&op.window, op.groups, [x(), &args[1]], ty),
        Op::Reduce(op) => w.reduced(op, x(), ty),
        Op::Arg(op) => w.arg(*op, x(), ty),
        Op::Reshape(_) => w.reshape(x(), &ty.shape),
        Op::Transpose(op) => w.transposed(&op.0, x(), ty),
        Op::Broadcast(op) => w.broadcast(x(), &ty.shape, &op.axes),
        Op::Iota(op) => w.counted(op.axis, ty),
        Op::Random(op) => w.random(op, x(), ty),
        Op::Slice(op) => {
            let parts = |axis: usize| (op.starts[axis], op.limits[axis], op.strides[axis].min(1 << 62));
            w.slice(x(), &(0..ty.rank()).map(parts).collect::<Vec<_>>(), &ty.shape)
        }
        Op::Pad(op) => w.padded([&op.low, &op.high, &op.between], x(), &args[1], ty),
        Op::Concatenate(op) => w.concatenate(args, op.axis, ty),
        Op::Reverse(op) => w.reversed(&op.axes, x()),
        Op::Gather(_) => w.gathered(x(), &args[1], ty),
        Op::ScatterAdd(_) => w.scatter_add(x(), &args[1], &args[2]),
        Op::MaxPool(op) => return w.max_pooled(&op.window, x(), types),
        Op::SumPool(op) => w.sum_pooled(&op.window, x(), args.get(1), ty),
        Op::Unpool(op) => w.unpooled(&op.window, x(), args.get(1), ty),
        Op::Scan(op) => return w.scan(op, args, types),
        Op::If(op) => return w.branch(op, args, types),
        Op::Call(op) => return w.body(&op.body, args),
        Op::While(op) => return w.while_loop(op, args, types),
    }]
}

fn name_of(op: Compare) -> &'static str {
    match op {
        Compare::Eq => "EQ",
        Compare::Ne => "NE",
        Compare::Lt => "LT",
        Compare::Le => "LE",
        Compare::Gt => "GT",
        Compare::Ge => "GE",
    }
}

/// Two types of operands and that of the result.
pub(super) fn from_two(a: &Val, b: &Val, ty: &Type) -> String {
    format!("({}, {}) -> {}", Hlo(&a.ty), Hlo(&b.ty), Hlo(ty))
}

impl Writer {
    fn of_one(&mut self, op: Unary, x: &Val) -> Val {
        match op {
            Unary::Neg => self.unary("stablehlo.negate", x),
            Unary::Abs => self.unary("stablehlo.abs", x),
            Unary::Sign => {
                let sign = self.unary("stablehlo.sign", x);
                self.zero_where("EQ", x, &sign)
            }
            Unary::Exp => self.unary("stablehlo.exponential", x),
            Unary::Log => self.unary("stablehlo.log", x),
            Unary::Log1p => self.unary("stablehlo.log_plus_one", x),
            Unary::Sqrt => self.unary("stablehlo.sqrt", x),
            Unary::Tanh => self.unary("stablehlo.tanh", x),
            Unary::Erf => self.erf(x),
            Unary::Logistic => self.unary("stablehlo.logistic", x),
            Unary::Relu => self.zero_where("LE", x, x),
            Unary::Flush => self.flushed(x),
            Unary::Not => self.unary("stablehlo.not", x),
            Unary::StopGradient => x.clone(),
        }
    }

    fn erf(&mut self, x: &Val) -> Val {
        self.add(x.ty.clone(), format_args!("chlo.erf {x} : {0} -> {0}", Hlo(&x.ty)))
    }

    /// `y`, and zero where `x` compares so with zero.
    fn zero_where(&mut self, how: &str, x: &Val, y: &Val) -> Val {
        let zero = self.splat(Number::Whole(0), &x.ty);
        let is = self.compare(how, x, &zero);
        self.select(&is, &zero, y)
    }

    /// Zero with the sign of `x` where it is smaller than the least single of full precision.
    fn flushed(&mut self, x: &Val) -> Val {
        let size = self.unary("stablehlo.abs", x);
        let least = self.splat(Number::Double(f32::MIN_POSITIVE.into()), &x.ty);
        let small = self.compare("LT", &size, &least);
        let word = if x.ty.dtype == DType::F64 { DType::U64 } else { DType::U32 };
        let bits = self.bits(x, word);
        let sign = self.splat(Number::Whole(1 << (8 * word.size() - 1)), &bits.ty);
        let zero = self.and(&bits, &sign);
        let zero = self.bits(&zero, x.ty.dtype);
        self.select(&small, &zero, x)
    }

    pub(super) fn of_two(&mut self, op: Binary, a: &Val, b: &Val) -> Val {
        match op {
            Binary::Add => self.binary("add", a, b),
            Binary::Sub => self.binary("subtract", a, b),
            Binary::Mul => self.binary("multiply", a, b),
            Binary::Div => self.binary("divide", a, b),
            Binary::Max => self.chosen("GT", "maximum", a, b),
            Binary::Min => self.chosen("LT", "minimum", a, b),
            Binary::Pow => self.binary("power", a, b),
            Binary::And => self.and(a, b),
            Binary::Or => self.or(a, b),
        }
    }

    /// `a` where it wins or is no number, else `b`: of two zeros the second, where StableHLO leaves the sign open.
    fn chosen(&mut self, wins: &str, whole: &str, a: &Val, b: &Val) -> Val {
        if !a.ty.dtype.is_float() {
            return self.binary(whole, a, b);
        }
        let (wins, nan) = (self.compare(wins, a, b), self.is_nan(a));
        let first = self.or(&wins, &nan);
        self.select(&first, a, b)
    }

    fn cast(&mut self, x: &Val, dtype: DType) -> Val {
        let from = x.ty.dtype;
        match dtype {
            DType::Bool => {
                let zero = self.splat(Number::Whole(0), &x.ty);
                self.compare("NE", x, &zero)
            }
            // A product with a converted truth would be made a choice, in which not-a-number times zero is zero.
            _ if from == DType::Bool && dtype.is_float() => {
                let [one, zero] = [1, 0].map(|number| self.splat(Number::Whole(number), &x.ty.with_dtype(dtype)));
                self.select(x, &one, &zero)
            }
            _ if from.is_float() && dtype.is_whole() => self.cut(x, dtype),
            _ if dtype.is_half() && from.size() > 2 && from != DType::F32 => {
                let double = self.double(x);
                let single = self.odd_single(&double);
                self.convert(&single, dtype)
            }
            _ => self.convert(x, dtype),
        }
    }

    /// A double that lies between the same two floats of 16 bits.
    fn double(&mut self, x: &Val) -> Val {
        let double = self.convert(x, DType::F64);
        if x.ty.dtype.is_float() || x.ty.dtype.size() < 8 {
            return double;
        }
        // Beyond 2^53 the low bits become one that says whether one of them is set.
        let [kept, low, sticky, none] =
            [-0x1000, 0xFFF, 0x800, 0].map(|bits: i64| self.splat(Number::Whole(bits.into()), &x.ty));
        let (high, rest) = (self.and(x, &kept), self.and(x, &low));
        let any = self.compare("NE", &rest, &none);
        let bit = self.select(&any, &sticky, &none);
        let short = self.or(&high, &bit);
        let short = self.convert(&short, DType::F64);
        let size = self.unary("stablehlo.abs", &double);
        let limit = self.splat(Number::Double(2f64.powi(53)), &double.ty);
        let is_long = self.compare("GE", &size, &limit);
        self.select(&is_long, &short, &double)
    }

    /// A double cut to a single whose last bit is set if anything was cut off: rounded again, it is rounded once.
    fn odd_single(&mut self, x: &Val) -> Val {
        let single = self.convert(x, DType::F32);
        let back = self.convert(&single, DType::F64);
        let differs = self.compare("NE", &back, x);
        let sizes = [&back, x].map(|x| self.unary("stablehlo.abs", x));
        let beyond = self.compare("GT", &sizes[0], &sizes[1]);
        let bits = self.bits(&single, DType::U32);
        let [beyond, differs] = [&beyond, &differs].map(|truth| self.convert(truth, DType::U32));
        let towards_zero = self.binary("subtract", &bits, &beyond);
        let odd = self.or(&towards_zero, &differs);
        self.bits(&odd, DType::F32)
    }

    /// Without its fraction, held within a type of whole numbers; not-a-number is 0.
    fn cut(&mut self, x: &Val, dtype: DType) -> Val {
        let wide = x.ty.with_dtype(x.ty.dtype.widened());
        let x = self.convert(x, wide.dtype);
        let (least, most) = (Number::smallest(dtype), Number::largest(dtype));
        let (low, high) = (self.splat(least, &wide), self.splat(most, &wide));
        let (below, above, nan) = (self.compare("LE", &x, &low), self.compare("GE", &x, &high), self.is_nan(&x));
        let mut y = self.convert(&x, dtype);
        for (where_, number) in [(below, least), (above, most), (nan, Number::Whole(0))] {
            let number = self.splat(number, &y.ty);
            y = self.select(&where_, &number, &y);
        }
        y
    }

    fn dot(&mut self, op: Dot, a: &Val, b: &Val, ty: &Type) -> Val {
        let rank = a.ty.rank();
        let first = op.matrix(rank);
        let batch: Vec<usize> = (0..rank).filter(|axis| !(first..first + 2).contains(axis)).collect();
        let [over_a, over_b] = [!op.transpose_a, op.transpose_b].map(|last| first + usize::from(last));
        let batching = if rank > 2 { format!("batching_dims = {batch:?} x {batch:?}, ") } else { String::new() };
        // Its result has the axes that go along in front.
        let front = batch.iter().copied().chain(first..first + 2).map(|axis| ty.shape[axis]);
        let made = Type::new(ty.dtype, front.collect::<cornu_graph::Shape>());
        let text = format!(
            "stablehlo.dot_general {a}, {b}, {batching}contracting_dims = [{over_a}] x [{over_b}], \
             precision = [HIGHEST, HIGHEST] : {}",
            from_two(a, b, &made)
        );
        let y = self.add(made, text);
        let order: Vec<usize> = (rank - 2..rank).chain(0..rank - 2).collect();
        if op.side_by_side && rank > 2 { self.transposed(&order, &y, ty) } else { y }
    }

    fn reduced(&mut self, op: &Reduce, x: &Val, ty: &Type) -> Val {
        if op.is_copy(&x.ty) {
            return self.reshape(x, &ty.shape);
        }
        let start = self.splat(op.kind.start(ty.dtype), &scalar(ty.dtype));
        self.reduce_by(&[x, &start], &op.axes, vec![ty.clone()], |w, both| {
            let (total, new) = (&both[0], &both[1]);
            vec![match op.kind {
                Reduction::Sum => w.binary("add", total, new),
                Reduction::Max => w.of_two(Binary::Max, new, total),
                Reduction::Min => w.of_two(Binary::Min, new, total),
            }]
        })
        .remove(0)
    }

    /// Operands, then what is taken for none, are brought together along axes by a function of totals and elements.
    fn reduce_by(
        &mut self,
        args: &[&Val],
        axes: &[usize],
        results: Vec<Type>,
        function: impl FnOnce(&mut Writer, &[Val]) -> Vec<Val>,
    ) -> Vec<Val> {
        let colon = if axes.is_empty() { "" } else { ": " };
        let how = format!("dimensions = array<i64{colon}{}>", listed(axes));
        let params: Vec<Type> = args.iter().map(|arg| scalar(arg.ty.dtype)).collect();
        self.with_region("reduce", args, &how, &params, results, function)
    }

    /// Elements and their numbers are reduced together: not-a-number wins, then what is larger (or smaller), then the
    /// first.
    fn arg(&mut self, op: Arg, x: &Val, ty: &Type) -> Val {
        let numbers = self.iota(&x.ty.with_dtype(DType::I64), op.axis);
        let worst = match (op.largest, x.ty.dtype) {
            (largest, DType::Bool) => Number::from(!largest),
            (true, dtype) => Number::smallest(dtype),
            (false, dtype) => Number::largest(dtype),
        };
        let worst = self.splat(worst, &scalar(x.ty.dtype));
        let last = self.splat(Number::largest(DType::I64), &scalar(DType::I64));
        let results = vec![ty.with_dtype(x.ty.dtype), ty.clone()];
        self.reduce_by(&[x, &numbers, &worst, &last], &[op.axis], results, |w, both| {
            let [a, at, b, bt] = both else { unreachable!("two totals and two elements") };
            let (wins, equal) = (w.compare(if op.largest { "GT" } else { "LT" }, a, b), w.compare("EQ", a, b));
            let (nan_a, nan_b) = (w.is_nan(a), w.is_nan(b));
            let (only_a, both_nan) = (w.compare("GT", &nan_a, &nan_b), w.and(&nan_a, &nan_b));
            let (wins, equal) = (w.or(&wins, &only_a), w.or(&equal, &both_nan));
            let earlier = w.compare("LT", at, bt);
            let first = w.and(&equal, &earlier);
            let wins = w.or(&wins, &first);
            vec![w.select(&wins, a, b), w.select(&wins, at, bt)]
        })
        .swap_remove(1)
    }

    /// Counted in whole numbers, then rounded or wrapped.
    fn counted(&mut self, axis: usize, ty: &Type) -> Val {
        let numbers = self.iota(&ty.with_dtype(DType::I64), axis);
        self.convert(&numbers, ty.dtype)
    }

    fn reversed(&mut self, axes: &[usize], x: &Val) -> Val {
        self.add(x.ty.clone(), format_args!("stablehlo.reverse {x}, dims = {axes:?} : {}", Hlo(&x.ty)))
    }

    pub(super) fn transposed(&mut self, order: &[usize], x: &Val, ty: &Type) -> Val {
        let text = format!("stablehlo.transpose {x}, dims = {order:?} : ({}) -> {}", Hlo(&x.ty), Hlo(ty));
        self.add(ty.clone(), text)
    }

    fn padded(&mut self, lists: [&[usize]; 3], x: &Val, number: &Val, ty: &Type) -> Val {
        // Between neighbours stands nothing where there are none.
        let alone = |(axis, &between): (usize, &usize)| if x.ty.shape[axis] < 2 { 0 } else { between };
        let between: Vec<usize> = lists[2].iter().enumerate().map(alone).collect();
        let text = format!(
            "stablehlo.pad {x}, {number}, low = {:?}, high = {:?}, interior = {between:?} : {}",
            lists[0],
            lists[1],
            from_two(x, number, ty)
        );
        self.add(ty.clone(), text)
    }

    /// Rows that are not there are zeros.
    fn gathered(&mut self, table: &Val, rows: &Val, ty: &Type) -> Val {
        let count = table.ty.shape[0];
        if count == 0 || ty.size() == 0 {
            return self.splat(Number::Whole(0), ty);
        }
        let rows = self.convert(rows, DType::I64);
        let [low, high] = [0, count as i128 - 1].map(|row| self.splat(Number::Whole(row), &rows.ty));
        let (from, to) = (self.compare("GE", &rows, &low), self.compare("LE", &rows, &high));
        let there = self.and(&from, &to);
        let held = self.select(&there, &rows, &low);
        let found = self.rows(table, &held);
        let axes: Vec<usize> = (0..rows.ty.rank()).collect();
        let there = self.broadcast(&there, &ty.shape, &axes);
        let zeros = self.splat(Number::Whole(0), ty);
        self.select(&there, &found, &zeros)
    }

    /// What is for rows that are not there is left out by StableHLO itself.
    fn scatter_add(&mut self, table: &Val, rows: &Val, new: &Val) -> Val {
        if table.ty.size() == 0 || new.ty.size() == 0 {
            return table.clone();
        }
        let (rows, element) = (self.convert(rows, DType::I64), scalar(table.ty.dtype));
        let rank = rows.ty.rank();
        let windows: Vec<usize> = (rank..new.ty.rank()).collect();
        let how = format!(
            "scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = {windows:?}, inserted_window_dims = \
             [0], scatter_dims_to_operand_dims = [0], index_vector_dim = {rank}>"
        );
        let (args, params) = ([table, &rows, new], [element.clone(), element]);
        let sum = |w: &mut Writer, both: &[Val]| vec![w.binary("add", &both[0], &both[1])];
        self.with_region("scatter", &args, &how, &params, vec![table.ty.clone()], sum).remove(0)
    }
}
