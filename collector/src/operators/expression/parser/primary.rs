//! What stands alone, and what is asked of it: values, names, lists, maps, members and slices.

use super::{Known, Node, Parser, Root, Token, Wrong};

impl Parser {
    pub(super) fn members(&mut self) -> Result<Node, Wrong> {
        let node = self.primary()?;
        self.members_of(node)
    }

    /// What is asked of a node: `.key`, `["key"]`, `[1:2]`.
    pub(super) fn members_of(&mut self, mut node: Node) -> Result<Node, Wrong> {
        let mut is_optional = false;
        loop {
            let is_optional_here = self.take("?.");
            is_optional |= is_optional_here;
            let key = if is_optional_here || self.take(".") {
                if self.take("[") {
                    let key = self.choice()?;
                    self.expect("]")?;
                    key
                } else {
                    match self.peek().cloned() {
                        Some(Token::Name(name)) => {
                            self.next += 1;
                            Node::Text(name)
                        }
                        _ => return Err(self.wrong("expected a name after the point")),
                    }
                }
            } else if self.take("[") {
                let from = if self.is_at(":") { None } else { Some(self.choice()?) };
                if self.take(":") {
                    let to = if self.is_at("]") { None } else { Some(self.choice()?.into()) };
                    self.expect("]")?;
                    node = Node::Slice(node.into(), from.map(Box::new), to);
                    continue;
                }
                self.expect("]")?;
                from.expect("it is at no colon")
            } else {
                return Ok(node);
            };
            node = Node::Member(node.into(), key.into(), is_optional);
        }
    }

    fn is_at(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Token::Sign(next)) if *next == sign)
    }

    fn primary(&mut self) -> Result<Node, Wrong> {
        let Some(token) = self.peek().cloned() else { return Err(self.wrong("the expression ends too early")) };
        self.next += 1;
        match token {
            Token::Int(number) => Ok(Node::Int(number)),
            Token::Float(number) => Ok(Node::Float(number)),
            Token::Text(text) => Ok(Node::Text(text)),
            Token::Sign("(") => {
                let node = self.whole()?;
                self.expect(")")?;
                Ok(node)
            }
            Token::Sign("[") => Ok(Node::List(self.list("]")?)),
            Token::Sign("{") => self.map(),
            // `$` is the body; `$body` is how that was once written.
            Token::Sign("$") if self.is_name_adjacent() => self.primary(),
            Token::Sign("$") => Ok(Node::Root(Root::Body)),
            Token::Sign("#") if self.predicates > 0 => self.known(),
            // `.key` is `#.key`.
            Token::Sign("." | "?.") if self.predicates > 0 => {
                self.next -= 1;
                Ok(Node::Item(Known::Item))
            }
            Token::Name(name) => self.named(&name),
            Token::Sign(sign) => {
                self.next -= 1;
                Err(self.wrong(format!("`{sign}` stands where a value is meant")))
            }
        }
    }

    /// Whether a name follows the sign before without a blank.
    fn is_name_adjacent(&self) -> bool {
        matches!(&self.tokens[self.next - 1..], [(_, at), (Token::Name(_), name_at), ..] if *name_at == at + 1)
    }

    fn known(&mut self) -> Result<Node, Wrong> {
        if !self.is_name_adjacent() {
            return Ok(Node::Item(Known::Item));
        }
        match () {
            () if self.take_name("index") => Ok(Node::Item(Known::Index)),
            () if self.take_name("acc") => Ok(Node::Item(Known::Sum)),
            () => Err(self.wrong("there are `#`, `#index` and `#acc`")),
        }
    }

    pub(super) fn list(&mut self, end: &str) -> Result<Vec<Node>, Wrong> {
        let mut items = Vec::new();
        while !self.take(end) {
            if !items.is_empty() {
                self.expect(",")?;
                // A comma may stand behind the last one.
                if self.take(end) {
                    break;
                }
            }
            items.push(self.choice()?);
        }
        Ok(items)
    }

    /// `{key: value, "key": value, (key): value}`.
    fn map(&mut self) -> Result<Node, Wrong> {
        let mut pairs = Vec::new();
        while !self.take("}") {
            if !pairs.is_empty() {
                self.expect(",")?;
                if self.take("}") {
                    break;
                }
            }
            let key = match self.peek().cloned() {
                Some(Token::Name(key) | Token::Text(key)) => {
                    self.next += 1;
                    Node::Text(key)
                }
                Some(Token::Int(number)) => {
                    self.next += 1;
                    Node::Text(number.to_string())
                }
                Some(Token::Sign("(")) => self.members()?,
                _ => return Err(self.wrong("expected a key")),
            };
            self.expect(":")?;
            pairs.push((key, self.choice()?));
        }
        Ok(Node::Map(pairs))
    }

    fn named(&mut self, name: &str) -> Result<Node, Wrong> {
        if self.take("(") {
            return self.call(name, None);
        }
        if let Some(at) = self.variables.iter().rposition(|known| known == name) {
            return Ok(Node::Variable(at));
        }
        Ok(match name {
            "true" => Node::Bool(true),
            "false" => Node::Bool(false),
            "nil" | "null" => Node::Null,
            "body" => Node::Root(Root::Body),
            "attributes" => Node::Root(Root::Attributes),
            "resource" => Node::Root(Root::Resource),
            "timestamp" => Node::Root(Root::Timestamp),
            "severity_text" => Node::Root(Root::SeverityText),
            "severity_number" | "severity" => Node::Root(Root::SeverityNumber),
            _ => {
                self.next -= 1;
                let words = "there are body, attributes, resource, timestamp, severity_text, severity_number";
                return Err(self.wrong(format!("`{name}` is not known; {words}")));
            }
        })
    }
}
