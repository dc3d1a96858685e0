//! From the words of a condition to a tree. Knows no quantities and no operators; [`super::compile`] does.
//!
//! ```text
//! or      = and { "||" and }          product = unary { ("*" | "/") unary }
//! and     = not { "&&" not }          unary   = "-" unary | primary
//! not     = "!" not | compare         primary = number | text | name | call | "(" or ")"
//! compare = sum [ sign sum ]          call    = name "(" [ argument { "," argument } ] ")"
//! sum     = product { ("+"|"-") product }   argument = or | name (number | text | or)
//! ```

use super::token::{Placed, Token, Wrong, tokens};
use model::unit::Unit;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) kind: NodeKind,
    pub(super) from: usize,
    pub(super) to: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum NodeKind {
    Number(f64, Option<Unit>),
    Text(String),
    Name(String),
    Call(String, Vec<Argument>),
    Not(Box<Node>),
    Minus(Box<Node>),
    Binary(&'static str, Box<Node>, Box<Node>),
}

/// `valid 75%` has a name, `fume` has none.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Argument {
    pub(super) name: Option<String>,
    pub(super) value: Node,
}

pub(super) fn parse(text: &str) -> Result<Node, Wrong> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, end: text.len(), depth: 0 };
    let node = parser.or()?;
    match parser.peek() {
        None => Ok(node),
        Some(more) => Err(Wrong::new(more.from, more.to, "the condition was over here", "join parts with && or ||")),
    }
}

#[derive(Debug)]
struct Parser<'a> {
    tokens: &'a [Placed],
    at: usize,
    end: usize,
    depth: u32,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Placed> {
        self.tokens.get(self.at)
    }

    fn sign(&mut self, signs: &[&'static str]) -> Option<&'static str> {
        let Some(Token::Sign(sign)) = self.peek().map(|placed| &placed.token) else { return None };
        let sign = *sign;
        signs.contains(&sign).then(|| {
            self.at += 1;
            sign
        })
    }

    fn chain(&mut self, signs: &[&'static str], next: fn(&mut Self) -> Result<Node, Wrong>) -> Result<Node, Wrong> {
        let mut left = next(self)?;
        while let Some(sign) = self.sign(signs) {
            let right = next(self)?;
            left = binary(sign, left, right);
        }
        Ok(left)
    }

    fn or(&mut self) -> Result<Node, Wrong> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Wrong::new(0, self.end, "is nested too deep", "name parts of it in [signals]"));
        }
        let node = self.chain(&["||"], Self::and);
        self.depth -= 1;
        node
    }

    fn and(&mut self) -> Result<Node, Wrong> {
        self.chain(&["&&"], Self::not)
    }

    fn not(&mut self) -> Result<Node, Wrong> {
        let from = self.peek().map_or(self.end, |placed| placed.from);
        let mut times = 0;
        while self.sign(&["!"]).is_some() {
            times += 1;
        }
        let mut node = self.compare()?;
        for _ in 0..times % 2 {
            let to = node.to;
            node = Node { kind: NodeKind::Not(Box::new(node)), from, to };
        }
        Ok(node)
    }

    fn compare(&mut self) -> Result<Node, Wrong> {
        let left = self.sum()?;
        let signs = ["==", "!=", "<=", ">=", "<", ">"];
        let Some(sign) = self.sign(&signs) else { return Ok(left) };
        let right = self.sum()?;
        let node = binary(sign, left, right);
        if let Some(again) = self.sign(&signs) {
            let message = format!("a second {again} in one comparison");
            return Err(Wrong::new(node.from, node.to, message, "write a < b && b < c"));
        }
        Ok(node)
    }

    fn sum(&mut self) -> Result<Node, Wrong> {
        self.chain(&["+", "-"], Self::product)
    }

    fn product(&mut self) -> Result<Node, Wrong> {
        self.chain(&["*", "/"], Self::unary)
    }

    fn unary(&mut self) -> Result<Node, Wrong> {
        let from = self.peek().map_or(self.end, |placed| placed.from);
        let mut times = 0;
        while self.sign(&["-"]).is_some() {
            times += 1;
        }
        let mut node = self.primary()?;
        for _ in 0..times % 2 {
            let to = node.to;
            node = Node { kind: NodeKind::Minus(Box::new(node)), from, to };
        }
        Ok(node)
    }

    fn primary(&mut self) -> Result<Node, Wrong> {
        let Some(placed) = self.peek().cloned() else {
            return Err(Wrong::new(self.end, self.end, "something is missing at the end", "write a field or a number"));
        };
        self.at += 1;
        let (from, to) = (placed.from, placed.to);
        let kind = match placed.token {
            Token::Number(number, unit) => NodeKind::Number(number, unit),
            Token::Text(text) => NodeKind::Text(text),
            Token::Name(name) if self.sign(&["("]).is_some() => return self.call(name, from),
            Token::Name(name) => NodeKind::Name(name),
            Token::Sign("(") => {
                let mut inner = self.or()?;
                inner.to = self.close(from)?;
                inner.from = from;
                return Ok(inner);
            }
            Token::Sign(sign) => {
                return Err(Wrong::new(
                    from,
                    to,
                    format!("{sign} stands where a value should"),
                    "write a field or a number",
                ));
            }
        };
        Ok(Node { kind, from, to })
    }

    fn call(&mut self, name: String, from: usize) -> Result<Node, Wrong> {
        let mut arguments = Vec::new();
        let is_empty = matches!(self.peek(), Some(Placed { token: Token::Sign(")"), .. }));
        if !is_empty {
            loop {
                arguments.push(self.argument()?);
                if self.sign(&[","]).is_none() {
                    break;
                }
            }
        }
        let to = self.close(from)?;
        Ok(Node { kind: NodeKind::Call(name, arguments), from, to })
    }

    fn argument(&mut self) -> Result<Argument, Wrong> {
        let next = self.tokens.get(self.at + 1).map(|placed| &placed.token);
        let is_named = matches!(next, Some(Token::Number(..) | Token::Text(_) | Token::Name(_)));
        let name = match self.peek().map(|placed| &placed.token) {
            Some(Token::Name(name)) if is_named => Some(name.clone()),
            _ => None,
        };
        self.at += usize::from(name.is_some());
        Ok(Argument { name, value: self.or()? })
    }

    fn close(&mut self, from: usize) -> Result<usize, Wrong> {
        if self.sign(&[")"]).is_some() {
            return Ok(self.tokens.get(self.at - 1).map_or(self.end, |placed| placed.to));
        }
        let to = self.peek().map_or(self.end, |placed| placed.to);
        Err(Wrong::new(from, to, "a bracket is not closed", "write )"))
    }
}

fn binary(sign: &'static str, left: Node, right: Node) -> Node {
    let (from, to) = (left.from, right.to);
    Node { kind: NodeKind::Binary(sign, Box::new(left), Box::new(right)), from, to }
}

const DEPTH_MAX: u32 = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shape(node: &Node) -> String {
        match &node.kind {
            NodeKind::Number(number, unit) => format!("{number}{}", unit.map_or("", Unit::code)),
            NodeKind::Text(text) => format!("'{text}'"),
            NodeKind::Name(name) => name.clone(),
            NodeKind::Call(name, arguments) => {
                let all: Vec<String> = arguments
                    .iter()
                    .map(|argument| {
                        format!(
                            "{}{}",
                            argument.name.as_ref().map_or(String::new(), |name| format!("{name}:")),
                            shape(&argument.value)
                        )
                    })
                    .collect();
                format!("{name}[{}]", all.join(" "))
            }
            NodeKind::Not(inner) => format!("!{}", shape(inner)),
            NodeKind::Minus(inner) => format!("-{}", shape(inner)),
            NodeKind::Binary(sign, left, right) => format!("({} {sign} {})", shape(left), shape(right)),
        }
    }

    #[test]
    fn and_binds_closer_than_or_and_arithmetic_closer_than_comparison() {
        let node = parse("a > 1 + 2 * b || !c && d <= -3").unwrap();
        assert_eq!(shape(&node), "((a > (1 + (2 * b))) || (!c && (d <= -3)))");
        let node = parse("mean(fume, 10min, valid 75%) > 2.0 mg/m3").unwrap();
        assert_eq!(shape(&node), "(mean[fume 600s valid:75%] > 2mg/m3)");
    }

    #[test]
    fn what_is_wrong_has_its_place() {
        let wrong = |text| parse(text).unwrap_err();
        assert_eq!((wrong("a >").from, wrong("a b").from), (3, 2));
        assert!(wrong("a < b < c").suggestion.contains("&&"));
        assert!(wrong("mean(a, 1h").message.contains("not closed"));
        assert!(parse(&"(".repeat(500)).is_err());
    }

    proptest! {
        #[test]
        fn garbage_is_refused_and_never_panics(text in "[a-z0-9 ()<>=!&|+*/,.'%µ³-]{0,60}") {
            parse(&text).ok();
        }
    }
}
