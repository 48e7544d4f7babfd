//! Leads entries through operators, to where each one's output says.

use std::collections::BTreeMap;

use weir_proto::otlp::logs::IdNames;

use super::{
    Entry, Expression, Field, Next, OPERATORS, Operator, OperatorConfig, Origin,
    config::{OPERATORS_MAX, OnError},
    field::Root,
};

/// Errors of an operator are told of once in this time.
const TOLD_EVERY_NS: u64 = 60_000_000_000;

/// Operators in their order.
pub struct Pipeline {
    nodes: Vec<Node>,
}

struct Node {
    kind: &'static str,
    id: String,
    condition: Option<Expression>,
    on_error: OnError,
    /// Where entries go on: numbers of nodes, one past the last for out of the pipeline.
    outputs: Vec<usize>,
    /// The same of a router's routes.
    routes: Vec<Vec<usize>>,
    operator: Box<dyn Operator>,
    errors: u64,
    told_at_ns: Option<u64>,
}

impl Pipeline {
    /// Puts operators together; says what does not fit, with the number of the operator, from 0.
    pub fn new(configs: &[OperatorConfig]) -> Result<Self, (usize, String)> {
        if configs.len() > OPERATORS_MAX {
            return Err((OPERATORS_MAX, format!("more than {OPERATORS_MAX} operators")));
        }
        let mut ids = BTreeMap::new();
        for (at, config) in configs.iter().enumerate() {
            // Ids that nobody gave need not differ: nothing can name them.
            let id = config.id.clone().unwrap_or_else(|| config.kind.to_owned());
            if ids.insert(id.clone(), at).is_some() && config.id.is_some() {
                return Err((at, format!("two operators have the id `{id}`")));
            }
        }
        let mut nodes = Vec::with_capacity(configs.len());
        for (at, config) in configs.iter().enumerate() {
            let resolve =
                |names: &[String]| names.iter().map(|name| target(name, at, &ids)).collect::<Result<Vec<_>, _>>();
            let row = OPERATORS.iter().find(|row| row.name == config.kind).expect("it was read by its row");
            let settings = &config.settings;
            let is_router = !settings.routes.is_empty();
            let next = if is_router { &settings.default } else { &config.output };
            let mut outputs = resolve(next).map_err(|problem| (at, problem))?;
            if outputs.is_empty() && !is_router {
                outputs.push(at + 1);
            }
            let routes = settings.routes.iter().map(|route| resolve(&route.output)).collect::<Result<Vec<_>, _>>();
            nodes.push(Node {
                kind: row.name,
                id: config.id.clone().unwrap_or_else(|| row.name.to_owned()),
                condition: config.condition.clone(),
                on_error: config.on_error,
                outputs,
                routes: routes.map_err(|problem| (at, problem))?,
                operator: (row.build)(config).map_err(|problem| (at, problem))?,
                errors: 0,
                told_at_ns: None,
            });
        }
        let mut pipeline = Self { nodes };
        pipeline.look_for_ids(&IdNames::USUAL);
        Ok(pipeline)
    }

    /// Ids of lines are looked for under these names.
    pub fn look_for_ids(&mut self, names: &IdNames) {
        for at in 0..self.nodes.len() {
            if let Some(looked_at) = self.looked_at_behind(at) {
                self.nodes[at].operator.imply(looked_at, names);
            }
        }
    }

    /// The attributes that are looked at behind a node; `None` where entries do not go straight out, past nothing but what reads some fields.
    fn looked_at_behind(&self, at: usize) -> Option<Vec<String>> {
        let mut looked_at = Vec::new();
        let mut next = at;
        loop {
            let [only] = self.nodes[next].outputs[..] else { return None };
            next = only;
            let Some(node) = self.nodes.get(next) else { return Some(looked_at) };
            let fields = node.operator.reads().filter(|_| node.condition.is_none() && node.routes.is_empty())?;
            looked_at.extend(names_of(fields)?);
        }
    }

    /// Whether entries may be held back.
    pub fn is_joining(&self) -> bool {
        self.nodes.iter().any(|node| node.operator.is_joining())
    }

    /// Whether there are no operators.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Leads an entry through; `emit` gets what comes out.
    pub fn run<'a>(&mut self, entry: Entry<'a>, emit: &mut dyn FnMut(Entry<'a>)) {
        self.run_from(0, entry, emit);
    }

    /// Lets go of what has waited too long.
    pub fn overdue(&mut self, now_ns: u64, emit: &mut dyn FnMut(Entry<'static>)) {
        let mut released = Vec::new();
        for at in 0..self.nodes.len() {
            if !self.nodes[at].operator.is_joining() {
                continue;
            }
            self.nodes[at].operator.overdue(now_ns, &mut released);
            for entry in released.drain(..) {
                self.go_on(at, entry, emit);
            }
        }
    }

    /// The lines that what waits is made of.
    pub fn held(&self, visit: &mut dyn FnMut(Origin)) {
        for node in &self.nodes {
            node.operator.held(visit);
        }
    }

    /// Takes what was counted since: entries that each operator could not work with.
    pub fn take_errors(&mut self, mut visit: impl FnMut(&'static str, u64)) {
        for node in &mut self.nodes {
            let errors = std::mem::take(&mut node.errors);
            if errors > 0 {
                visit(node.kind, errors);
            }
        }
    }

    fn run_from<'a>(&mut self, mut at: usize, mut entry: Entry<'a>, emit: &mut dyn FnMut(Entry<'a>)) {
        loop {
            let Some(node) = self.nodes.get_mut(at) else { return emit(entry) };
            let mut released = Vec::new();
            let next = match node.condition.as_ref().map_or(Ok(true), |condition| condition.is_true(&entry)) {
                Ok(true) => node.operator.apply(&mut entry, &mut released),
                Ok(false) => Ok(Next::On),
                Err(problem) => Err(problem),
            };
            for earlier in released {
                self.go_on(at, earlier, emit);
            }
            let node = &mut self.nodes[at];
            let outputs = match next {
                Ok(Next::On) => &node.outputs,
                Ok(Next::To(route)) => &node.routes[route],
                Ok(Next::Dropped | Next::Held) => return,
                Err(problem) => {
                    if node.fail(&problem, entry.observed_ns) {
                        return;
                    }
                    &node.outputs
                }
            };
            match outputs[..] {
                [] => return,
                [only] => at = only,
                [first, ..] => {
                    let others = outputs[1..].to_owned();
                    for other in others {
                        self.run_from(other, entry.clone(), emit);
                    }
                    at = first;
                }
            }
        }
    }

    fn go_on<'a>(&mut self, at: usize, entry: Entry<'a>, emit: &mut dyn FnMut(Entry<'a>)) {
        let outputs = self.nodes[at].outputs.clone();
        if let Some((last, others)) = outputs.split_last() {
            for other in others {
                self.run_from(*other, entry.clone(), emit);
            }
            self.run_from(*last, entry, emit);
        }
    }
}

/// The attributes among fields that are all of them attributes, the body or the resource's; `None` for what is within an attribute, or all of
/// them.
pub(super) fn names_of(fields: Vec<&Field>) -> Option<Vec<String>> {
    let of_attributes = fields.into_iter().filter(|field| field.root == Root::Attributes);
    of_attributes.map(|field| if let [name] = &field.keys[..] { Some(name.clone()) } else { None }).collect()
}

/// The node that `name` is, seen from node `from`: entries go forward, so that none goes round.
fn target(name: &str, from: usize, ids: &BTreeMap<String, usize>) -> Result<usize, String> {
    match ids.get(name) {
        Some(at) if *at > from => Ok(*at),
        Some(_) => Err(format!("its output `{name}` stands before it: entries go forward")),
        None => Err(format!("its output `{name}` is no operator's id")),
    }
}

impl Node {
    /// Counts an error, tells of it now and then; answers whether the entry ends here.
    fn fail(&mut self, problem: &str, now_ns: u64) -> bool {
        self.errors += 1;
        let is_quiet = matches!(self.on_error, OnError::SendQuiet | OnError::DropQuiet);
        let is_due = self.told_at_ns.is_none_or(|told| now_ns.saturating_sub(told) >= TOLD_EVERY_NS);
        if is_due && !is_quiet {
            self.told_at_ns = Some(now_ns);
            let problem: String = problem.chars().take(300).collect();
            tracing::warn!(operator = self.id, problem, "an operator cannot work with a line (told of once a minute)");
        }
        matches!(self.on_error, OnError::Drop | OnError::DropQuiet)
    }
}
