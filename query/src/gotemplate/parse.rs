//! Reads a template, with the errors that Go gives: recursive descent over the tokens, no deeper than a bound.

use super::{
    lex::{self, Kind, Token},
    literal,
    tree::{Branch, Command, Node, Operand, Pipeline, Word},
};

/// Actions and parentheses within each other.
const DEPTH_MAX: usize = 64;

/// Templates by name; the outermost has none.
pub(super) type Definitions = Vec<(String, Vec<Node>)>;

type Parsed<T> = Result<T, String>;

/// What a template comes to: its nodes, and what it defines.
pub(super) fn parse(name: &str, text: &str, is_function: &dyn Fn(&str) -> bool) -> Parsed<(Vec<Node>, Definitions)> {
    let (tokens, failure) = lex::tokens(text);
    let mut parser = Parser {
        name,
        tokens,
        failure: failure.unwrap_or_default(),
        next: 0,
        action_line: 0,
        variables: vec![String::new()],
        depth: 0,
        ranges: 0,
        is_function,
        definitions: Vec::new(),
    };
    let mut nodes = Vec::new();
    loop {
        let token = parser.peek();
        if token.kind == Kind::End {
            break;
        }
        if token.kind == Kind::Open {
            let before = parser.next;
            parser.advance();
            if parser.peek_word() == "define" {
                parser.advance_word();
                parser.definition()?;
                continue;
            }
            parser.next = before;
        }
        match parser.text_or_action()? {
            Piece::Node(node) => nodes.push(node),
            Piece::End => return Err(parser.error("unexpected {{end}}")),
            Piece::Else => return Err(parser.error("unexpected {{else}}")),
        }
    }
    Ok((nodes, parser.definitions))
}

enum Piece {
    Node(Node),
    /// `{{end}}`, read to its end.
    End,
    /// `{{else`, the rest is not read.
    Else,
}

struct Parser<'t> {
    name: &'t str,
    tokens: Vec<Token<'t>>,
    /// What the last token says when it is an error.
    failure: String,
    next: usize,
    /// Where the action began that is being read.
    action_line: usize,
    /// Those that are known, without their `$`.
    variables: Vec<String>,
    depth: usize,
    ranges: usize,
    is_function: &'t dyn Fn(&str) -> bool,
    definitions: Definitions,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Token<'t> {
        self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn advance(&mut self) -> Token<'t> {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn skip_space(&mut self) {
        while self.peek().kind == Kind::Space {
            self.next += 1;
        }
    }

    /// The next token that is no blank.
    fn peek_word(&mut self) -> &'t str {
        self.skip_space();
        let token = self.peek();
        if token.kind == Kind::Keyword { token.text } else { "" }
    }

    fn advance_word(&mut self) -> Token<'t> {
        self.skip_space();
        self.advance()
    }

    /// On the line of the last token that was read.
    fn error(&self, words: &str) -> String {
        let last = self.next.clamp(1, self.tokens.len()) - 1;
        format!("template: {}:{}: {words}", self.name, self.tokens[last].line)
    }

    fn unexpected(&self, token: Token<'_>, context: &str) -> String {
        if token.kind != Kind::Error {
            return self.error(&format!("unexpected {} in {context}", token.shown()));
        }
        let mut extra = String::new();
        if self.action_line != 0 && self.action_line != token.line {
            let begun = if self.failure.ends_with(" action") { "" } else { " in action" };
            extra = format!("{begun} started at {}:{}", self.name, self.action_line);
        }
        self.error(&format!("{}{extra}", self.failure))
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Token<'t>> {
        let token = self.advance_word();
        if token.kind == kind { Ok(token) } else { Err(self.unexpected(token, context)) }
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == DEPTH_MAX {
            return Err(self.error(&format!("actions are nested deeper than {DEPTH_MAX} levels")));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn definition(&mut self) -> Parsed<()> {
        let name = self.quoted_name("define clause")?;
        self.expect(Kind::Close, "define clause")?;
        let outer = std::mem::replace(&mut self.variables, vec![String::new()]);
        let ranges = std::mem::take(&mut self.ranges);
        let (nodes, end) = self.deeper(Self::list)?;
        (self.variables, self.ranges) = (outer, ranges);
        if !matches!(end, Piece::End) {
            return Err(self.error("unexpected {{else}} in define clause"));
        }
        self.define(name, nodes)
    }

    /// An empty one does not take the place of another.
    fn define(&mut self, name: String, nodes: Vec<Node>) -> Parsed<()> {
        let is_empty =
            |nodes: &[Node]| nodes.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()));
        match self.definitions.iter_mut().find(|(known, _)| *known == name) {
            None => self.definitions.push((name, nodes)),
            Some((_, known)) if is_empty(known) => *known = nodes,
            Some(_) if is_empty(&nodes) => {}
            Some(_) => return Err(self.error(&format!("template: multiple definition of template {name:?}"))),
        }
        Ok(())
    }

    fn quoted_name(&mut self, context: &str) -> Parsed<String> {
        let token = self.advance_word();
        match token.kind {
            Kind::Quoted | Kind::Raw => literal::text(token.text).ok_or_else(|| self.error("invalid syntax")),
            _ => Err(self.unexpected(token, context)),
        }
    }

    /// Nodes up to the end or else of what encloses them.
    fn list(&mut self) -> Parsed<(Vec<Node>, Piece)> {
        let mut nodes = Vec::new();
        while self.peek().kind != Kind::End {
            match self.text_or_action()? {
                Piece::Node(node) => nodes.push(node),
                end => return Ok((nodes, end)),
            }
        }
        self.advance();
        Err(self.error("unexpected EOF"))
    }

    fn text_or_action(&mut self) -> Parsed<Piece> {
        let token = self.advance_word();
        match token.kind {
            Kind::Text => Ok(Piece::Node(Node::Text(token.text.to_owned()))),
            Kind::Open => {
                self.action_line = token.line;
                let piece = self.action();
                if piece.is_ok() {
                    self.action_line = 0;
                }
                piece
            }
            _ => Err(self.unexpected(token, "input")),
        }
    }

    fn action(&mut self) -> Parsed<Piece> {
        let keyword = self.peek_word();
        if !keyword.is_empty() {
            self.advance();
        }
        let node = match keyword {
            "end" => {
                self.expect(Kind::Close, "end")?;
                return Ok(Piece::End);
            }
            "else" => return Ok(Piece::Else),
            "if" => Node::If(Box::new(self.deeper(|parser| parser.branch("if"))?)),
            "with" => Node::With(Box::new(self.deeper(|parser| parser.branch("with"))?)),
            "range" => {
                self.ranges += 1;
                let branch = self.deeper(|parser| parser.branch("range"))?;
                Node::Range(Box::new(branch))
            }
            "break" | "continue" => {
                let token = self.advance_word();
                if token.kind != Kind::Close {
                    return Err(self.unexpected(token, &format!("{{{{{keyword}}}}}")));
                }
                if self.ranges == 0 {
                    return Err(self.error(&format!("{{{{{keyword}}}}} outside {{{{range}}}}")));
                }
                if keyword == "break" { Node::Break } else { Node::Continue }
            }
            "template" => {
                self.skip_space();
                let at = self.peek().at;
                let name = self.quoted_name("template clause")?;
                self.template(at, name, "template clause")?
            }
            "block" => self.block()?,
            "define" => {
                self.next -= 1;
                let token = self.advance();
                return Err(self.unexpected(token, "command"));
            }
            _ => Node::Action(self.pipeline("command", Kind::Close)?),
        };
        Ok(Piece::Node(node))
    }

    fn template(&mut self, at: usize, name: String, context: &str) -> Parsed<Node> {
        self.skip_space();
        let with = if self.peek().kind == Kind::Close {
            self.advance();
            None
        } else {
            Some(self.pipeline(context, Kind::Close)?)
        };
        Ok(Node::Template { at, name, with })
    }

    fn block(&mut self) -> Parsed<Node> {
        self.skip_space();
        let at = self.peek().at;
        let name = self.quoted_name("block clause")?;
        let with = self.pipeline("block clause", Kind::Close)?;
        let outer = std::mem::replace(&mut self.variables, vec![String::new()]);
        let (nodes, end) = self.deeper(Self::list)?;
        self.variables = outer;
        if !matches!(end, Piece::End) {
            return Err(self.error("unexpected {{else}} in block clause"));
        }
        self.define(name.clone(), nodes)?;
        Ok(Node::Template { at, name, with: Some(with) })
    }

    /// What follows `if`, `with` or `range`, to its end.
    fn branch(&mut self, keyword: &str) -> Parsed<Branch> {
        let known = self.variables.len();
        let pipeline = self.pipeline(keyword, Kind::Close)?;
        let is_range = keyword == "range";
        let body = self.list()?;
        if is_range {
            self.ranges -= 1;
        }
        let (then, end) = body;
        let mut otherwise = Vec::new();
        if matches!(end, Piece::Else) {
            // `else if` and `else with` share the end of what they stand in.
            let nested = self.peek_word();
            if !is_range && nested == keyword {
                self.advance();
                let branch = Box::new(self.deeper(|parser| parser.branch(nested))?);
                otherwise.push(if nested == "if" { Node::If(branch) } else { Node::With(branch) });
            } else {
                self.expect(Kind::Close, "else")?;
                let (nodes, end) = self.list()?;
                if !matches!(end, Piece::End) {
                    return Err(self.error("expected end; found {{else}}"));
                }
                otherwise = nodes;
            }
        }
        self.variables.truncate(known);
        Ok(Branch { pipeline, then, otherwise })
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Parsed<Pipeline> {
        self.skip_space();
        let mut pipeline = Pipeline { at: self.peek().at, variables: Vec::new(), assigns: false, commands: Vec::new() };
        self.declarations(context, &mut pipeline)?;
        loop {
            let token = self.advance_word();
            match token.kind {
                kind if kind == end => break,
                Kind::Bool
                | Kind::Char
                | Kind::Dot
                | Kind::Field
                | Kind::Name
                | Kind::Number
                | Kind::Nil
                | Kind::Raw
                | Kind::Quoted
                | Kind::Variable
                | Kind::LeftParen => {
                    self.next -= 1;
                    let command = self.command()?;
                    pipeline.commands.push(command);
                }
                _ => return Err(self.unexpected(token, context)),
            }
        }
        if pipeline.commands.is_empty() {
            return Err(self.error(&format!("missing value for {context}")));
        }
        for (number, command) in pipeline.commands.iter().enumerate().skip(1) {
            let is_value =
                |word: &Word| matches!(word, Word::Bool(_) | Word::Dot | Word::Nil | Word::Number(_) | Word::Text(..));
            if command.operands.first().is_some_and(|first| is_value(&first.word)) {
                return Err(self.error(&format!("non executable command in pipeline stage {}", number + 1)));
            }
        }
        Ok(pipeline)
    }

    /// `$x :=`, `$x =`, and `$i, $x :=` before a range.
    fn declarations(&mut self, context: &str, pipeline: &mut Pipeline) -> Parsed<()> {
        loop {
            self.skip_space();
            let variable = self.peek();
            if variable.kind != Kind::Variable {
                return Ok(());
            }
            let before = self.next;
            self.advance();
            self.skip_space();
            let next = self.peek();
            let is_comma = next.kind == Kind::Letter && next.text == ",";
            if !is_comma && !matches!(next.kind, Kind::Assign | Kind::Declare) {
                self.next = before;
                return Ok(());
            }
            self.advance();
            pipeline.variables.push(variable.text[1..].to_owned());
            self.variables.push(variable.text[1..].to_owned());
            if !is_comma {
                pipeline.assigns = next.kind == Kind::Assign;
                return Ok(());
            }
            if context != "range" || pipeline.variables.len() > 1 {
                return Err(self.error(&format!("too many declarations in {context}")));
            }
            self.skip_space();
            if !matches!(self.peek().kind, Kind::Variable | Kind::Close | Kind::RightParen) {
                return Err(self.error("range can only initialize variables"));
            }
        }
    }

    fn command(&mut self) -> Parsed<Command> {
        let mut operands = Vec::new();
        loop {
            self.skip_space();
            operands.extend(self.operand()?);
            let token = self.advance();
            match token.kind {
                Kind::Space => {}
                Kind::Close | Kind::RightParen => {
                    self.next -= 1;
                    break;
                }
                Kind::Pipe => break,
                _ => return Err(self.unexpected(token, "operand")),
            }
        }
        if operands.is_empty() {
            return Err(self.error("empty command"));
        }
        Ok(Command { operands })
    }

    /// A word with the fields that are taken of it.
    fn operand(&mut self) -> Parsed<Option<Operand>> {
        let Some(operand) = self.term()? else { return Ok(None) };
        if self.peek().kind != Kind::Field {
            return Ok(Some(operand));
        }
        let at = self.peek().at;
        let mut names = Vec::new();
        while self.peek().kind == Kind::Field {
            names.push(self.advance().text[1..].to_owned());
        }
        let word = match operand.word {
            Word::Field(mut first) => {
                first.extend(names);
                Word::Field(first)
            }
            Word::Variable(variable, _) => Word::Variable(variable, names),
            Word::Bool(_) | Word::Text(..) | Word::Number(_) | Word::Nil | Word::Dot => {
                return Err(self.error(&format!("unexpected . after term {:?}", operand.to_string())));
            }
            _ => Word::Chain(Box::new(operand), names),
        };
        Ok(Some(Operand { at, word }))
    }

    fn term(&mut self) -> Parsed<Option<Operand>> {
        let token = self.advance_word();
        let word = match token.kind {
            Kind::Name if (self.is_function)(token.text) => Word::Function(token.text.to_owned()),
            Kind::Name => return Err(self.error(&format!("function {:?} not defined", token.text))),
            Kind::Dot => Word::Dot,
            Kind::Nil => Word::Nil,
            Kind::Bool => Word::Bool(token.text == "true"),
            Kind::Variable => {
                let name = &token.text[1..];
                if !self.variables.iter().any(|known| known == name) {
                    return Err(self.error(&format!("undefined variable {:?}", token.text)));
                }
                Word::Variable(name.to_owned(), Vec::new())
            }
            Kind::Field => Word::Field(vec![token.text[1..].to_owned()]),
            Kind::Number | Kind::Char => match literal::number(token.text) {
                Ok(number) => Word::Number(number),
                Err(words) => return Err(self.error(&words)),
            },
            Kind::Quoted | Kind::Raw => match literal::text(token.text) {
                Some(text) => Word::Text(token.text.to_owned(), text),
                None => return Err(self.error("invalid syntax")),
            },
            Kind::LeftParen => {
                let inner = self.deeper(|parser| parser.pipeline("parenthesized pipeline", Kind::RightParen))?;
                Word::Pipeline(Box::new(inner))
            }
            _ => {
                self.next -= 1;
                return Ok(None);
            }
        };
        Ok(Some(Operand { at: token.at, word }))
    }
}
