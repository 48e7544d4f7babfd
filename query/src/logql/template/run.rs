//! Runs a template for one line.

use std::collections::BTreeMap;

use super::{
    Scope, WRITTEN_BYTES_MAX, functions,
    parse::{Node, Operand, Pipeline},
    value::Value,
};

/// Nodes and commands that one line may take.
const STEPS_MAX: usize = 100_000;
/// Templates that call each other.
const CALLS_MAX: usize = 32;

pub(super) struct Run<'r> {
    scope: &'r mut dyn Scope,
    out: &'r mut String,
    definitions: &'r [(String, Vec<Node>)],
    variables: Vec<(String, Value)>,
    /// What `.` is; the labels when there is none.
    dot: Option<Value>,
    steps: usize,
    calls: usize,
}

enum Flow {
    On,
    Break,
    Continue,
}

impl<'r> Run<'r> {
    pub(super) fn new(scope: &'r mut dyn Scope, out: &'r mut String, definitions: &'r [(String, Vec<Node>)]) -> Self {
        Self { scope, out, definitions, variables: Vec::new(), dot: None, steps: 0, calls: 0 }
    }

    pub(super) fn run(&mut self, nodes: &[Node]) -> Result<(), String> {
        self.nodes(nodes).map(|_| ())
    }

    fn step(&mut self) -> Result<(), String> {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return Err(format!("the template takes more than {STEPS_MAX} steps"));
        }
        if self.out.len() > WRITTEN_BYTES_MAX {
            return Err(format!("the template writes more than {WRITTEN_BYTES_MAX} bytes"));
        }
        Ok(())
    }

    fn nodes(&mut self, nodes: &[Node]) -> Result<Flow, String> {
        let known = self.variables.len();
        let mut flow = Flow::On;
        for node in nodes {
            self.step()?;
            flow = self.node(node)?;
            if !matches!(flow, Flow::On) {
                break;
            }
        }
        self.variables.truncate(known);
        Ok(flow)
    }

    fn node(&mut self, node: &Node) -> Result<Flow, String> {
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Action(pipeline) => {
                let value = self.pipeline(pipeline)?;
                if pipeline.variables.is_empty() {
                    value.write(self.out);
                }
            }
            Node::If(condition, then, otherwise) => {
                let known = self.variables.len();
                let holds = self.pipeline(condition)?.is_true();
                let flow = self.nodes(if holds { then } else { otherwise })?;
                self.variables.truncate(known);
                return Ok(flow);
            }
            Node::With(condition, then, otherwise) => {
                let known = self.variables.len();
                let value = self.pipeline(condition)?;
                let flow = if value.is_true() {
                    let dot = self.dot.replace(value);
                    let flow = self.nodes(then);
                    self.dot = dot;
                    flow?
                } else {
                    self.nodes(otherwise)?
                };
                self.variables.truncate(known);
                return Ok(flow);
            }
            Node::Range(pipeline, body, otherwise) => return self.range(pipeline, body, otherwise),
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
            Node::Call(name, with) => self.call(name, with.as_ref())?,
        }
        Ok(Flow::On)
    }

    fn range(&mut self, pipeline: &Pipeline, body: &[Node], otherwise: &[Node]) -> Result<Flow, String> {
        let known = self.variables.len();
        let bare = Pipeline { variables: Vec::new(), ..pipeline.clone() };
        let value = self.pipeline(&bare)?;
        let items: Vec<(Value, Value)> = match value {
            Value::List(values) => (0..).map(Value::Int).zip(values).collect(),
            Value::Map(members) => members.into_iter().map(|(name, value)| (Value::Text(name), value)).collect(),
            Value::Int(count) => {
                (0..count.clamp(0, STEPS_MAX as i64)).map(|n| (Value::Int(n), Value::Int(n))).collect()
            }
            Value::Nil => Vec::new(),
            Value::Text(text) if text.is_empty() => Vec::new(),
            other => return Err(format!("range can't iterate over {}", other.text())),
        };
        if items.is_empty() {
            return self.nodes(otherwise);
        }
        for (key, value) in items {
            match pipeline.variables.as_slice() {
                [] => {}
                [one] => self.set(one, value.clone(), pipeline.assigns)?,
                [first, second, ..] => {
                    self.set(first, key, pipeline.assigns)?;
                    self.set(second, value.clone(), pipeline.assigns)?;
                }
            }
            let dot = self.dot.replace(value);
            let flow = self.nodes(body);
            self.dot = dot;
            let flow = flow?;
            if !pipeline.assigns {
                self.variables.truncate(known);
            }
            if matches!(flow, Flow::Break) {
                break;
            }
        }
        self.variables.truncate(known);
        Ok(Flow::On)
    }

    fn call(&mut self, name: &str, with: Option<&Pipeline>) -> Result<(), String> {
        let definitions = self.definitions;
        let Some((_, nodes)) = definitions.iter().rev().find(|(known, _)| known == name) else {
            return Err(format!("template {name:?} not defined"));
        };
        self.calls += 1;
        if self.calls > CALLS_MAX {
            return Err(format!("more than {CALLS_MAX} templates call each other"));
        }
        let value = with.map(|with| self.pipeline(with)).transpose()?;
        let dot = self.dot.replace(value.unwrap_or(Value::Nil));
        let variables = std::mem::take(&mut self.variables);
        let run = self.nodes(nodes);
        self.dot = dot;
        self.variables = variables;
        self.calls -= 1;
        run.map(|_| ())
    }

    fn set(&mut self, name: &str, value: Value, assigns: bool) -> Result<(), String> {
        if !assigns {
            self.variables.push((name.to_owned(), value));
            return Ok(());
        }
        let found = self.variables.iter_mut().rev().find(|(known, _)| known == name);
        found.ok_or_else(|| format!("undefined variable ${name}"))?.1 = value;
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> Result<Value, String> {
        let mut value: Option<Value> = None;
        for command in &pipeline.commands {
            self.step()?;
            value = Some(self.command(command, value)?);
        }
        let value = value.unwrap_or(Value::Nil);
        for name in &pipeline.variables {
            self.set(name, value.clone(), pipeline.assigns)?;
        }
        Ok(value)
    }

    fn command(&mut self, command: &[Operand], last: Option<Value>) -> Result<Value, String> {
        let Operand::Function(name) = &command[0] else {
            return self.operand(&command[0]);
        };
        // These look at no more than they need.
        if let "and" | "or" = name.as_str() {
            let mut value = None;
            for operand in &command[1..] {
                let found = self.operand(operand)?;
                let decides = found.is_true() == (name == "or");
                value = Some(found);
                if decides {
                    return Ok(value.unwrap_or(Value::Nil));
                }
            }
            return last.or(value).ok_or_else(|| format!("wrong number of args for {name}: want at least 1 got 0"));
        }
        let mut arguments = Vec::with_capacity(command.len());
        for operand in &command[1..] {
            arguments.push(self.operand(operand)?);
        }
        arguments.extend(last);
        functions::call(name, arguments, &*self.scope).map_err(|error| format!("error calling {name}: {error}"))
    }

    fn operand(&mut self, operand: &Operand) -> Result<Value, String> {
        match operand {
            Operand::Function(name) => functions::call(name, Vec::new(), &*self.scope)
                .map_err(|error| format!("error calling {name}: {error}")),
            Operand::Field(names) => match &self.dot {
                Some(dot) => fields(dot.clone(), names),
                None => self.label(names),
            },
            Operand::Variable(name, names) if name.is_empty() => self.label(names),
            Operand::Variable(name, names) => {
                let found = self.variables.iter().rev().find(|(known, _)| known == name);
                let value = found.ok_or_else(|| format!("undefined variable ${name}"))?.1.clone();
                fields(value, names)
            }
            Operand::Text(text) => Ok(Value::Text(text.clone())),
            Operand::Int(value) => Ok(Value::Int(*value)),
            Operand::Float(value) => Ok(Value::Float(*value)),
            Operand::Bool(value) => Ok(Value::Bool(*value)),
            Operand::Nil => Ok(Value::Nil),
            Operand::Pipeline(pipeline, names) => {
                self.step()?;
                let value = self.pipeline(pipeline)?;
                fields(value, names)
            }
        }
    }

    /// A label; one that is absent is empty.
    fn label(&mut self, names: &[String]) -> Result<Value, String> {
        match names {
            [] => {
                let labels: BTreeMap<String, Value> =
                    self.scope.labels().into_iter().map(|(name, value)| (name, Value::Text(value))).collect();
                Ok(Value::Map(labels))
            }
            [name, more @ ..] => {
                let value = Value::Text(self.scope.label(name).unwrap_or_default());
                fields(value, more)
            }
        }
    }
}

fn fields(value: Value, names: &[String]) -> Result<Value, String> {
    names.iter().try_fold(value, |value, name| value.field(name))
}
