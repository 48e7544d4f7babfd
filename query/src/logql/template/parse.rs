//! Reads a template into nodes: text, actions, and what `if`, `range` and `with` enclose.

use super::{
    functions,
    lex::{Word, words},
};

/// Actions within each other.
const DEPTH_MAX: usize = 64;

/// A piece of a template.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Text(String),
    /// Written, unless it only sets variables.
    Action(Pipeline),
    If(Pipeline, Vec<Node>, Vec<Node>),
    With(Pipeline, Vec<Node>, Vec<Node>),
    Range(Pipeline, Vec<Node>, Vec<Node>),
    Break,
    Continue,
    /// `{{template "name" .}}`
    Call(String, Option<Pipeline>),
}

/// Commands that hand their values on.
#[derive(Debug, Clone)]
pub(super) struct Pipeline {
    /// `$x :=`; two of them before a range.
    pub(super) variables: Vec<String>,
    /// `=` instead of `:=`.
    pub(super) assigns: bool,
    pub(super) commands: Vec<Vec<Operand>>,
}

/// A word of a command.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    Function(String),
    Field(Vec<String>),
    Variable(String, Vec<String>),
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    Nil,
    Pipeline(Box<Pipeline>, Vec<String>),
}

type Definitions = Vec<(String, Vec<Node>)>;

pub(super) fn parse(text: &str) -> Result<(Vec<Node>, Definitions), String> {
    let mut parser = Parser { pieces: pieces(text)?, next: 0, depth: 0, definitions: Vec::new() };
    let (nodes, end) = parser.nodes()?;
    match end {
        End::Text => Ok((nodes, parser.definitions)),
        End::Else(_) => Err("unexpected {{else}}".into()),
        End::Here => Err("unexpected {{end}}".into()),
    }
}

enum Piece {
    Text(String),
    Action(Vec<Word>),
}

/// Text and actions in turn; blanks beside `{{-` and `-}}` are gone.
fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut trims = false;
    while let Some(begin) = rest.find("{{") {
        let (mut before, mut action) = (&rest[..begin], &rest[begin + 2..]);
        if trims {
            before = before.trim_start();
        }
        if action.starts_with('-') && action[1..].starts_with(char::is_whitespace) {
            before = before.trim_end();
            action = &action[1..];
        }
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        let end = action_end(action)?;
        let mut inner = &action[..end];
        rest = &action[end + 2..];
        trims = inner.ends_with('-') && inner[..inner.len() - 1].ends_with(char::is_whitespace);
        if trims {
            inner = &inner[..inner.len() - 1];
        }
        let trimmed = inner.trim();
        if trimmed.starts_with("/*") {
            if !trimmed.ends_with("*/") {
                return Err("unclosed comment".into());
            }
            continue;
        }
        pieces.push(Piece::Action(words(inner)?));
    }
    let rest = if trims { rest.trim_start() } else { rest };
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(pieces)
}

/// Where `}}` is, not counting those in texts.
fn action_end(action: &str) -> Result<usize, String> {
    let bytes = action.as_bytes();
    let mut at = 0;
    let mut quote = 0u8;
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (0, b'"' | b'`') => quote = bytes[at],
            (0, b'}') if bytes.get(at + 1) == Some(&b'}') => return Ok(at),
            (b'"', b'\\') => at += 1,
            (open, byte) if open != 0 && byte == open => quote = 0,
            _ => {}
        }
        at += 1;
    }
    Err("unclosed action".into())
}

enum End {
    Text,
    /// With what stands behind it.
    Else(Vec<Word>),
    /// `{{end}}`
    Here,
}

struct Parser {
    pieces: Vec<Piece>,
    next: usize,
    depth: usize,
    definitions: Definitions,
}

impl Parser {
    fn nodes(&mut self) -> Result<(Vec<Node>, End), String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("actions are nested deeper than {DEPTH_MAX} levels"));
        }
        let mut nodes = Vec::new();
        while self.next < self.pieces.len() {
            let piece = &mut self.pieces[self.next];
            self.next += 1;
            let words = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(std::mem::take(text)));
                    continue;
                }
                Piece::Action(words) => std::mem::take(words),
            };
            let keyword = match words.first() {
                Some(Word::Name(name)) => name.clone(),
                _ => String::new(),
            };
            match keyword.as_str() {
                "end" => {
                    self.depth -= 1;
                    return Ok((nodes, End::Here));
                }
                "else" => {
                    self.depth -= 1;
                    return Ok((nodes, End::Else(words[1..].to_vec())));
                }
                "if" | "with" | "range" => nodes.push(self.enclosing(&keyword, &words[1..])?),
                "break" => nodes.push(Node::Break),
                "continue" => nodes.push(Node::Continue),
                "define" | "block" => self.definition(&keyword, &words[1..], &mut nodes)?,
                "template" => nodes.push(call(&words[1..])?),
                _ => nodes.push(Node::Action(pipeline(&words, 0)?)),
            }
        }
        self.depth -= 1;
        Ok((nodes, End::Text))
    }

    fn enclosing(&mut self, keyword: &str, words: &[Word]) -> Result<Node, String> {
        let condition = pipeline(words, 0)?;
        if condition.commands.is_empty() {
            return Err(format!("missing value for {keyword}"));
        }
        let (then, end) = self.nodes()?;
        let otherwise = match end {
            End::Text => return Err(format!("unexpected EOF in {keyword}")),
            End::Here => Vec::new(),
            End::Else(words) => match words.first() {
                None => match self.nodes()? {
                    (otherwise, End::Here) => otherwise,
                    _ => return Err("expected end; found else or EOF".into()),
                },
                // Its end is ours, too.
                Some(Word::Name(next)) if next == keyword && keyword != "range" => {
                    self.depth += 1;
                    if self.depth > DEPTH_MAX {
                        return Err(format!("actions are nested deeper than {DEPTH_MAX} levels"));
                    }
                    let nested = self.enclosing(keyword, &words[1..])?;
                    self.depth -= 1;
                    vec![nested]
                }
                Some(_) => return Err("unexpected words behind else".into()),
            },
        };
        Ok(match keyword {
            "if" => Node::If(condition, then, otherwise),
            "with" => Node::With(condition, then, otherwise),
            _ => Node::Range(condition, then, otherwise),
        })
    }

    fn definition(&mut self, keyword: &str, words: &[Word], nodes: &mut Vec<Node>) -> Result<(), String> {
        let Some(Word::Text(name)) = words.first() else {
            return Err(format!("{keyword} needs a name in quotes"));
        };
        let (body, end) = self.nodes()?;
        if !matches!(end, End::Here) {
            return Err(format!("unexpected EOF in {keyword}"));
        }
        self.definitions.push((name.clone(), body));
        if keyword == "block" {
            nodes.push(call(words)?);
        }
        Ok(())
    }
}

fn call(words: &[Word]) -> Result<Node, String> {
    let Some(Word::Text(name)) = words.first() else {
        return Err("template needs a name in quotes".into());
    };
    let with = (words.len() > 1).then(|| pipeline(&words[1..], 0)).transpose()?;
    Ok(Node::Call(name.clone(), with))
}

fn pipeline(words: &[Word], depth: usize) -> Result<Pipeline, String> {
    if depth > DEPTH_MAX {
        return Err(format!("parentheses are nested deeper than {DEPTH_MAX} levels"));
    }
    let mut variables = Vec::new();
    let mut assigns = false;
    let mut at = 0;
    let is_variable = |word: Option<&Word>| matches!(word, Some(Word::Variable(_, fields)) if fields.is_empty());
    let behind = |number: usize| matches!(words.get(number), Some(Word::Declare | Word::Assign));
    let declares = is_variable(words.first()) && behind(1);
    let declares_two =
        is_variable(words.first()) && words.get(1) == Some(&Word::Comma) && is_variable(words.get(2)) && behind(3);
    if declares || declares_two {
        at = if declares { 2 } else { 4 };
        assigns = words[at - 1] == Word::Assign;
        for word in &words[..at] {
            if let Word::Variable(name, _) = word {
                variables.push(name.clone());
            }
        }
    }
    let mut commands: Vec<Vec<Operand>> = Vec::new();
    let mut command = Vec::new();
    while at < words.len() {
        match &words[at] {
            Word::Pipe => {
                if command.is_empty() {
                    return Err("missing value for command".into());
                }
                commands.push(std::mem::take(&mut command));
            }
            Word::Open => {
                let close = closing(words, at)?;
                let Word::Close(fields) = &words[close] else {
                    return Err("unclosed left paren".into());
                };
                let inner = pipeline(&words[at + 1..close], depth + 1)?;
                if inner.commands.is_empty() {
                    return Err("missing value for parenthesized pipeline".into());
                }
                command.push(Operand::Pipeline(Box::new(inner), fields.clone()));
                at = close;
            }
            word => command.push(operand(word, command.is_empty())?),
        }
        at += 1;
    }
    if command.is_empty() && (!commands.is_empty() || !variables.is_empty()) {
        return Err("missing value for command".into());
    }
    if !command.is_empty() {
        commands.push(command);
    }
    if commands.is_empty() && depth == 0 && words.is_empty() {
        return Err("missing value for command".into());
    }
    for (number, command) in commands.iter().enumerate() {
        let takes_more = matches!(command[0], Operand::Function(_));
        if !takes_more && (command.len() > 1 || number > 0) {
            return Err("a value that is no function has arguments".into());
        }
    }
    Ok(Pipeline { variables, assigns, commands })
}

fn closing(words: &[Word], open: usize) -> Result<usize, String> {
    let mut depth = 0usize;
    for (number, word) in words.iter().enumerate().skip(open) {
        match word {
            Word::Open => depth += 1,
            Word::Close(_) => {
                depth -= 1;
                if depth == 0 {
                    return Ok(number);
                }
            }
            _ => {}
        }
    }
    Err("unclosed left paren".into())
}

fn operand(word: &Word, _is_first: bool) -> Result<Operand, String> {
    Ok(match word {
        Word::Name(name) => match name.as_str() {
            "true" => Operand::Bool(true),
            "false" => Operand::Bool(false),
            "nil" => Operand::Nil,
            name if functions::is_known(name) => Operand::Function(name.to_owned()),
            name => return Err(format!("function {name:?} not defined")),
        },
        Word::Field(fields) => Operand::Field(fields.clone()),
        Word::Variable(name, fields) => Operand::Variable(name.clone(), fields.clone()),
        Word::Text(text) => Operand::Text(text.clone()),
        Word::Int(value) | Word::Char(value) => Operand::Int(*value),
        Word::Float(value) => Operand::Float(*value),
        Word::Pipe | Word::Open | Word::Close(_) => return Err("unexpected right paren".into()),
        Word::Declare | Word::Assign | Word::Comma => {
            return Err("unexpected :=, = or , in operand".into());
        }
    })
}
