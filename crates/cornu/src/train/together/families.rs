//! Which models are alike: those whose steps are the same are of one form, and forms that differ in numbers and sizes a
//! family, which is trained side by side.

use std::cmp::Reverse;
use std::collections::HashMap;

use cornu_graph::ops::Op;
use cornu_graph::{Common, Graph, Held, Node, VarId, are_same_but_names, digest, passes};

use super::sizes::piles;
use super::{FEW, LARGE, Traced, Wanted};

/// Models whose steps are the same but for the names of variables.
pub(super) struct Form {
    data: String,
    told: Option<(String, Vec<VarId>)>,
    digest: Vec<u64>,
    /// The steps of the first, as they were traced, and as executors fold constants: what is known of one model is known of
    /// each.
    traced: Traced,
    steps: Traced,
    /// Where steps name a variable: which of the names it is.
    named: Vec<usize>,
    pub(super) members: Vec<Member>,
}

pub(super) struct Member {
    /// Which run it is.
    pub(super) run: usize,
    /// Its variables, in the order in which steps name them first.
    names: Vec<VarId>,
}

impl Form {
    /// The form of a model by itself; its steps are folded if it is none of those.
    pub(super) fn new(wanted: &Wanted, traced: Traced, known: &[Form]) -> Form {
        let digest = traced.iter().map(|(.., graph)| digest(graph, true)).collect();
        let (names, named) = names(&traced);
        let members = vec![Member { run: wanted.run, names }];
        let (data, told) = (wanted.data.clone(), wanted.told.clone());
        let mut form = Form { data, told, digest, traced, steps: Vec::new(), named, members };
        if !known.iter().any(|known| known.is_that_of(&form)) {
            let fold = |(kind, rows, graph): &_| (*kind, *rows, passes::fold(graph));
            form.steps = form.traced.iter().map(fold).collect();
        }
        form
    }

    /// Whether the models of another form are of this one.
    pub(super) fn is_that_of(&self, other: &Form) -> bool {
        (&self.digest, &self.data, &self.named) == (&other.digest, &other.data, &other.named)
            && self
                .traced
                .iter()
                .zip(&other.traced)
                .all(|(own, other)| (own.0, own.1) == (other.0, other.1) && are_same_but_names(&own.2, &other.2))
    }

    /// The products of its first step: how many rows, sums and columns.
    pub(super) fn products(&self) -> Vec<[usize; 3]> {
        let nodes = self.steps.iter().take(1).flat_map(|(.., graph)| graph.nodes().map(move |(_, node)| (graph, node)));
        let sizes = |(graph, node): (&Graph, &Node)| match &node.op {
            Op::Dot(dot) => {
                let [a, b] = [0, 1].map(|arg| &graph.ty(node.args[arg]).shape);
                dot.sizes(a, b).map(|(_, m, k, n)| [m, k, n])
            }
            _ => None,
        };
        nodes.filter_map(sizes).collect()
    }

    /// A model as a member, if what its steps follow from is the same as for the first: it need not be traced.
    pub(super) fn member(&self, wanted: &Wanted) -> Option<Member> {
        let ((text, own), (other, theirs)) = self.told.as_ref().zip(wanted.told.as_ref())?;
        let is_same = self.data == wanted.data && text == other && own.len() == theirs.len();
        let other = |name: &VarId| Some(theirs[own.iter().position(|known| known == name)?]);
        let names = self.members[0].names.iter().filter(|_| is_same).map(other).collect::<Option<Vec<_>>>()?;
        is_same.then_some(Member { run: wanted.run, names })
    }
}

/// The variables that steps name, node by node, then those that they update: each once, and which of them is named where.
fn names(steps: &Traced) -> (Vec<VarId>, Vec<usize>) {
    let (mut names, mut known) = (Vec::new(), HashMap::new());
    let mut place = |id: VarId| {
        *known.entry(id).or_insert_with(|| {
            names.push(id);
            names.len() - 1
        })
    };
    let all = steps.iter().flat_map(|(.., graph)| graph.vars.iter().chain(&graph.updates));
    let named = all.map(|&(id, _)| place(id)).collect();
    (names, named)
}

/// Models that are trained side by side.
pub(super) struct Family<'f> {
    forms: Vec<&'f Form>,
    pub(super) common: Common,
    /// The common graphs of the steps.
    pub(super) steps: Traced,
}

impl<'f> Family<'f> {
    /// The families for whose models it is quicker, in stacks of so many lanes.
    pub(super) fn all(forms: &'f [Form], width: usize) -> Vec<Family<'f>> {
        let mut alike: HashMap<_, Vec<&Form>> = HashMap::new();
        let gaining = forms.iter().filter(|form| form.steps.iter().all(|(.., graph)| gains(graph)));
        for form in gaining {
            let kinds: Vec<_> =
                form.steps.iter().map(|(kind, rows, graph)| (*kind, *rows, digest(graph, false))).collect();
            alike.entry((&form.data, kinds)).or_default().push(form);
        }
        let enough = |forms: &[&Form]| forms.iter().map(|form| form.members.len()).sum::<usize>() >= FEW;
        let mut families: Vec<Family> = Vec::new();
        for mut pile in alike.into_values().flat_map(|forms| piles(forms, width)).filter(|pile| enough(pile)) {
            match Family::new(&pile) {
                Some(family) => families.push(family),
                None => {
                    pile.sort_by_key(|form| form.products());
                    let by_size = pile.chunk_by(|one, other| one.products() == other.products());
                    families.extend(by_size.filter(|forms| enough(forms)).filter_map(Family::new));
                }
            }
        }
        // The longest first: cores are done at about the same time.
        families.sort_by_key(|family| (Reverse(family.work()), family.runs().min()));
        families
    }

    /// The family of those, if they do the same but for numbers, and sizes that fit each other.
    fn new(forms: &[&'f Form]) -> Option<Family<'f>> {
        let mut common = Common::default();
        let mut steps = Vec::new();
        for (place, (kind, rows, _)) in forms[0].steps.iter().enumerate() {
            let graphs: Vec<&Graph> = forms.iter().map(|form| &form.steps[place].2).collect();
            steps.push((*kind, *rows, common.step(&graphs).ok()?));
        }
        Some(Family { forms: forms.to_vec(), common, steps })
    }

    /// The multiply-adds of the first step of the largest.
    fn work(&self) -> usize {
        let of = |form: &&Form| form.products().iter().map(|product| product.iter().product::<usize>()).sum();
        self.forms.iter().map(of).max().unwrap_or(0)
    }

    /// Its models: the place of the form of each, and which member it is.
    pub(super) fn members(&self) -> impl Iterator<Item = (usize, &'f Member)> {
        let of = |(place, form): (usize, &&'f Form)| form.members.iter().map(move |member| (place, member));
        self.forms.iter().enumerate().flat_map(of)
    }

    /// Which runs are those of its models.
    pub(super) fn runs(&self) -> impl Iterator<Item = usize> {
        self.members().map(|(_, member)| member.run)
    }

    /// Which variables of the common graphs are those of the models.
    pub(super) fn variables(&self) -> impl Iterator<Item = usize> {
        let is_variable = |(place, (held, _)): (usize, &(Held, _))| matches!(held, Held::Variables(_)).then_some(place);
        self.common.held().iter().enumerate().filter_map(is_variable)
    }

    /// The name that a variable of the common graphs has in a model.
    pub(super) fn name(&self, variable: usize, (form, member): (usize, &Member)) -> Option<VarId> {
        let Held::Variables(names) = &self.common.held()[variable].0 else { return None };
        let first = &self.forms[form].members[0];
        let place = first.names.iter().position(|&name| name == names[form])?;
        Some(member.names[place])
    }
}

/// Whether a step is quicker side by side: no product is large, and no op has to be done one by one.
fn gains(graph: &Graph) -> bool {
    graph.nodes().all(|(value, node)| match &node.op {
        Op::Dot(dot) => {
            let [a, b] = [0, 1].map(|i| &graph.ty(node.args[i]).shape);
            graph.ty(value).rank() == 2 && dot.sizes(a, b).is_some_and(|(_, m, k, n)| m * k * n < LARGE)
        }
        Op::Conv(_) | Op::ConvInput(_) | Op::ConvWeights(_) | Op::MaxPool(_) | Op::SumPool(_) | Op::Unpool(_) => false,
        Op::Scan(_) | Op::If(_) | Op::Call(_) | Op::While(_) | Op::ScatterAdd(_) => false,
        _ => true,
    })
}
