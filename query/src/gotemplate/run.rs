//! Runs a template, with the errors that Go gives.

use super::{
    Bounds, Failure, Host, Parameter, Template, Value, methods,
    tree::{Branch, Command, Node, Operand, Pipeline, Word},
};

/// Templates that call each other.
const CALLS_MAX: usize = 32;

pub(super) struct Run<'r> {
    template: &'r Template,
    host: &'r mut dyn Host,
    bounds: Bounds,
    out: &'r mut String,
    variables: Vec<(String, Value)>,
    steps: usize,
    calls: usize,
    /// The name of the template that runs, and what of it.
    name: String,
    at: Option<(usize, String)>,
}

enum Flow {
    On,
    Break,
    Continue,
}

/// What went wrong; the run knows where.
type Ran<T> = Result<T, String>;

impl<'r> Run<'r> {
    pub(super) fn new(template: &'r Template, host: &'r mut dyn Host, bounds: Bounds, out: &'r mut String) -> Self {
        let name = template.name.clone();
        Self { template, host, bounds, out, variables: Vec::new(), steps: 0, calls: 0, name, at: None }
    }

    pub(super) fn run(mut self) -> Result<(), Failure> {
        let dot = Value::Root;
        self.variables.push((String::new(), dot.clone()));
        let template = self.template;
        match self.nodes(&template.nodes, &dot) {
            Ok(_) => Ok(()),
            Err(message) => Err(Failure { message, place: self.place() }),
        }
    }

    fn place(&self) -> String {
        let Some((at, shown)) = &self.at else { return format!("template: {}: ", self.template.name) };
        let before = &self.template.text[..(*at).min(self.template.text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1);
        format!("template: {}:{line}:{column}: executing {:?} at <{shown}>: ", self.template.name, self.name)
    }

    fn step(&mut self) -> Ran<()> {
        self.steps += 1;
        if self.steps > self.bounds.steps_max {
            return Err(format!("the template takes more than {} steps", self.bounds.steps_max));
        }
        if self.out.len() > self.bounds.bytes_max {
            return Err(format!("the template writes more than {} bytes", self.bounds.bytes_max));
        }
        Ok(())
    }

    fn at(&mut self, operand: &Operand) {
        self.at = Some((operand.at, operand.to_string()));
    }

    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Ran<Flow> {
        let known = self.variables.len();
        for node in nodes {
            self.step()?;
            let flow = self.node(node, dot)?;
            if !matches!(flow, Flow::On) {
                self.variables.truncate(known);
                return Ok(flow);
            }
        }
        // What an action sets lives to the end of what encloses it.
        self.variables.truncate(known);
        Ok(Flow::On)
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Ran<Flow> {
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Action(pipeline) => {
                let value = self.pipeline(pipeline, dot)?;
                if pipeline.variables.is_empty() {
                    value.write(self.out);
                }
            }
            Node::If(branch) => return self.choice(branch, dot, false),
            Node::With(branch) => return self.choice(branch, dot, true),
            Node::Range(branch) => return self.range(branch, dot),
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
            Node::Template { at, name, with } => self.call(*at, name, with.as_ref(), dot)?,
        }
        Ok(Flow::On)
    }

    fn choice(&mut self, branch: &Branch, dot: &Value, is_with: bool) -> Ran<Flow> {
        let known = self.variables.len();
        let value = self.pipeline(&branch.pipeline, dot)?;
        let flow = match (value.is_true(), is_with) {
            (true, true) => self.nodes(&branch.then, &value)?,
            (true, false) => self.nodes(&branch.then, dot)?,
            (false, _) => self.nodes(&branch.otherwise, dot)?,
        };
        self.variables.truncate(known);
        Ok(flow)
    }

    fn range(&mut self, branch: &Branch, dot: &Value) -> Ran<Flow> {
        let known = self.variables.len();
        let value = self.commands(&branch.pipeline, dot)?;
        let shown = value.text();
        let count_max = self.bounds.steps_max as i64 + 1;
        let items: Vec<(Value, Value)> = match value {
            Value::List(values) => (0..).map(Value::Int).zip(values).collect(),
            Value::Map(members) => members.into_iter().map(|(name, value)| (Value::Text(name), value)).collect(),
            Value::Labels(labels) => {
                labels.into_iter().map(|(name, value)| (Value::Text(name), Value::Text(value))).collect()
            }
            Value::Int(_) if branch.pipeline.variables.len() > 1 => {
                return Err(format!("can't use {shown} to iterate over more than one variable"));
            }
            Value::Int(count) => (0..count.clamp(0, count_max)).map(|n| (Value::Int(n), Value::Int(n))).collect(),
            Value::Nil => Vec::new(),
            Value::Text(text) if text.is_empty() => Vec::new(),
            _ => return Err(format!("range can't iterate over {shown}")),
        };
        if items.is_empty() {
            return self.nodes(&branch.otherwise, dot);
        }
        let Pipeline { variables, assigns, .. } = &branch.pipeline;
        for (key, value) in items {
            self.step()?;
            match variables.as_slice() {
                [] => {}
                [one] => self.set(one, value.clone(), *assigns)?,
                [first, second, ..] => {
                    self.set(first, key, *assigns)?;
                    self.set(second, value.clone(), *assigns)?;
                }
            }
            let flow = self.nodes(&branch.then, &value)?;
            self.variables.truncate(known);
            if matches!(flow, Flow::Break) {
                break;
            }
        }
        Ok(Flow::On)
    }

    fn call(&mut self, at: usize, name: &str, with: Option<&Pipeline>, dot: &Value) -> Ran<()> {
        let template = self.template;
        let shown = match with {
            Some(with) => format!("{{{{template {name:?} {with}}}}}"),
            None => format!("{{{{template {name:?}}}}}"),
        };
        self.at = Some((at, shown));
        let found = template.definitions.iter().find(|(known, _)| known == name);
        let Some((_, nodes)) = found else { return Err(format!("template {name:?} not defined")) };
        if self.calls == CALLS_MAX {
            return Err(format!("exceeded maximum template depth ({CALLS_MAX})"));
        }
        let dot = match with {
            Some(with) => self.pipeline(with, dot)?,
            None => Value::Nil,
        };
        self.calls += 1;
        let variables = std::mem::replace(&mut self.variables, vec![(String::new(), dot.clone())]);
        let caller = std::mem::replace(&mut self.name, name.to_owned());
        self.nodes(nodes, &dot)?;
        self.variables = variables;
        self.name = caller;
        self.calls -= 1;
        Ok(())
    }

    fn set(&mut self, name: &str, value: Value, assigns: bool) -> Ran<()> {
        if !assigns {
            self.variables.push((name.to_owned(), value));
            return Ok(());
        }
        let found = self.variables.iter_mut().rev().find(|(known, _)| known == name);
        found.ok_or_else(|| format!("undefined variable: ${name}"))?.1 = value;
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Value) -> Ran<Value> {
        let value = self.commands(pipeline, dot)?;
        for name in &pipeline.variables {
            self.set(name, value.clone(), pipeline.assigns)?;
        }
        Ok(value)
    }

    fn commands(&mut self, pipeline: &Pipeline, dot: &Value) -> Ran<Value> {
        self.at = Some((pipeline.at, pipeline.to_string()));
        let mut value = None;
        for command in &pipeline.commands {
            self.step()?;
            value = Some(self.command(command, value, dot)?);
        }
        Ok(value.unwrap_or(Value::Nil))
    }

    fn command(&mut self, command: &Command, last: Option<Value>, dot: &Value) -> Ran<Value> {
        let (first, others) = command.operands.split_first().expect("a command has an operand");
        self.at(first);
        if let Word::Function(name) = &first.word {
            return self.function((first, command), name, last, dot);
        }
        let has_arguments = !others.is_empty() || last.is_some();
        match &first.word {
            Word::Nil => return Err("nil is not a command".into()),
            Word::Field(names) | Word::Variable(_, names) | Word::Chain(_, names) if has_arguments => {
                let Some((name, before)) = names.split_last() else {
                    return Err(format!("can't give argument to non-function {first}"));
                };
                let owner = match &first.word {
                    Word::Field(_) => self.fields(dot.clone(), before)?,
                    Word::Variable(variable, _) => self.variable(variable, before)?,
                    Word::Chain(inner, _) => {
                        let inner = self.operand(inner, dot)?;
                        self.fields(inner, before)?
                    }
                    _ => Value::Nil,
                };
                if matches!(owner, Value::Time(..) | Value::Duration(_)) {
                    let mut arguments = Vec::with_capacity(others.len() + 1);
                    for operand in others {
                        arguments.push(self.operand(operand, dot)?);
                    }
                    arguments.extend(last);
                    self.at(first);
                    let result = methods::call(&owner, name, &arguments);
                    return result
                        .unwrap_or_else(|| Err(format!("can't evaluate field {name} in type {}", owner.kind())));
                }
                return Err(match owner {
                    Value::Root | Value::Record(..) => {
                        format!("{name} has arguments but cannot be invoked as function")
                    }
                    _ => format!("{name} is not a method but has arguments"),
                });
            }
            _ if has_arguments => return Err(format!("can't give argument to non-function {first}")),
            _ => {}
        }
        self.operand(first, dot)
    }

    fn function(
        &mut self,
        (place, command): (&Operand, &Command),
        name: &str,
        last: Option<Value>,
        dot: &Value,
    ) -> Ran<Value> {
        let operands = &command.operands[1..];
        // These look at no more than they need.
        if name == "and" || name == "or" {
            let mut value = None;
            for operand in operands {
                let found = self.operand(operand, dot)?;
                if found.is_true() == (name == "or") {
                    return Ok(found);
                }
                value = Some(found);
            }
            return last.or(value).ok_or_else(|| format!("wrong number of args for {name}: want at least 1 got 0"));
        }
        let Some(signature) = self.host.signature(name) else {
            return Err(format!("{name:?} is not a defined function"));
        };
        let count = operands.len() + usize::from(last.is_some());
        let (least, most) = (signature.parameters.len() - signature.optional, signature.parameters.len());
        if count < least || (count > most && signature.rest.is_none()) {
            let want = match (signature.rest, signature.optional) {
                (Some(_), _) => format!("at least {least}"),
                (None, 0) => least.to_string(),
                (None, _) => format!("{least} to {most}"),
            };
            return Err(format!("wrong number of args for {name}: want {want} got {count}"));
        }
        let parameter =
            |number: usize| signature.parameters.get(number).copied().or(signature.rest).unwrap_or(Parameter::Any);
        let mut arguments = Vec::with_capacity(count);
        for (number, operand) in operands.iter().enumerate() {
            arguments.push(self.argument(operand, parameter(number), dot)?);
        }
        if let Some(last) = last {
            arguments.push(fitting(last, parameter(operands.len()))?);
        }
        let result = self.host.call(name, &arguments);
        if result.is_err() {
            self.at = Some((place.at, command.to_string()));
        }
        result.map_err(|error| format!("error calling {name}: {error}"))
    }

    fn argument(&mut self, operand: &Operand, parameter: Parameter, dot: &Value) -> Ran<Value> {
        self.at(operand);
        let wrong = |expected: &str| Err(format!("expected {expected}; found {operand}"));
        match (&operand.word, parameter) {
            (Word::Nil, Parameter::Any) => Ok(Value::Nil),
            (Word::Nil, parameter) => Err(format!("cannot assign nil to {}", parameter.name())),
            (Word::Text(_, text), Parameter::Text) => Ok(Value::Text(text.clone())),
            (Word::Number(_) | Word::Bool(_), Parameter::Text) => wrong("string"),
            (Word::Number(_) | Word::Bool(_) | Word::Text(..), Parameter::Record(name) | Parameter::List(name)) => {
                Err(format!("can't handle {operand} for arg of type {name}"))
            }
            _ => fitting(self.operand(operand, dot)?, parameter),
        }
    }

    fn operand(&mut self, operand: &Operand, dot: &Value) -> Ran<Value> {
        self.at(operand);
        match &operand.word {
            Word::Function(name) => {
                let alone = Command { operands: vec![operand.clone()] };
                self.function((operand, &alone), name, None, dot)
            }
            Word::Dot => Ok(self.entire(dot.clone())),
            Word::Nil => Ok(Value::Nil),
            Word::Bool(value) => Ok(Value::Bool(*value)),
            Word::Field(names) => self.fields(dot.clone(), names),
            Word::Variable(name, names) => self.variable(name, names),
            Word::Text(_, text) => Ok(Value::Text(text.clone())),
            Word::Number(number) => match (number.is_float, number.int, number.float) {
                (false, Some(value), _) => Ok(Value::Int(value)),
                (_, _, Some(value)) => Ok(Value::Float(value)),
                _ => Err(format!("{operand} overflows int")),
            },
            Word::Pipeline(pipeline) => {
                self.step()?;
                self.pipeline(pipeline, dot)
            }
            Word::Chain(inner, names) => {
                let value = self.operand(inner, dot)?;
                self.fields(value, names)
            }
        }
    }

    fn variable(&mut self, name: &str, names: &[String]) -> Ran<Value> {
        let found = self.variables.iter().rev().find(|(known, _)| known == name);
        let Some((_, value)) = found else { return Err(format!("undefined variable: ${name}")) };
        let value = value.clone();
        self.fields(value, names)
    }

    /// The value, as it can be handed on.
    fn entire(&mut self, value: Value) -> Value {
        if matches!(value, Value::Root) { self.host.whole() } else { value }
    }

    fn fields(&mut self, mut value: Value, names: &[String]) -> Ran<Value> {
        if names.is_empty() {
            return Ok(self.entire(value));
        }
        for name in names {
            value = match value {
                Value::Root => self.host.field(name)?,
                value => value.field(name)?,
            };
        }
        Ok(value)
    }
}

/// The value, when it is what a function takes.
fn fitting(value: Value, parameter: Parameter) -> Ran<Value> {
    let fits = match (&value, parameter) {
        (_, Parameter::Any) | (Value::Text(_), Parameter::Text) | (Value::List(_), Parameter::List(_)) => true,
        (Value::Record(name, _), Parameter::Record(known)) => *name == known,
        (Value::Nil, parameter) => return Err(format!("invalid value; expected {}", parameter.name())),
        _ => false,
    };
    if fits {
        return Ok(value);
    }
    Err(format!("wrong type for value; expected {}; got {}", parameter.name(), value.kind()))
}
